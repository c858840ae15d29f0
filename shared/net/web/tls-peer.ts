/**
 * TLS connection whose certificate the caller judges before the first byte of a request. Connects
 * through the proxy that fetch would use.
 */
import { createHash, X509Certificate } from "node:crypto";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type TLSSocket } from "node:tls";
import { unbracketed } from "../../model/unbracketed.ts";
import { proxyFor, proxyUrlFor } from "./proxy.ts";

const handshakeMsMax = 15_000;
/** Upper bound on the head of a proxy's answer. */
const proxyHeadBytesMax = 16_384;

export type TlsPeer = {
  readonly socket: TLSSocket;
  /** SHA-256 of the certificate's SubjectPublicKeyInfo, 64 hex digits. */
  readonly spki: string;
  /** Code of the reason for which the system does not trust the certificate; null if it does. */
  readonly systemProblem: string | null;
};

/** Returns the SHA-256 of the SubjectPublicKeyInfo of a certificate, DER or PEM, in hex. */
export function spkiSha256(certificate: Uint8Array | string): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("hex");
}

/**
 * Connects to the origin of an https URL, whatever its certificate.
 * @param withinMs upper bound on each of the proxy's answer and the handshake, also of slow bytes
 * @throws Error with the system's code when no TLS connection is possible
 */
export async function connectPeer(url: string, withinMs = handshakeMsMax): Promise<TlsPeer> {
  const { hostname, port } = new URL(url);
  const host = unbracketed(hostname);
  const tcp = await openTcp(url, host, Number(port || 443), withinMs);
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connectTls({
    ...tcp,
    rejectUnauthorized: false,
    ...serverName(host),
  });
  const limit = setTimeout(() => socket.destroy(timedOut(withinMs)), withinMs);
  socket.once("secureConnect", () => resolve(socket));
  // Stays for the life of the connection: an error without a listener would end the process.
  socket.on("error", reject);
  socket.once("close", () => reject(closedEarly()));
  await promise.finally(() => clearTimeout(limit));
  const certificate = socket.getPeerCertificate();
  try {
    return {
      socket,
      spki: spkiSha256(new Uint8Array(certificate.raw)),
      systemProblem: systemProblemOf(socket, host),
    };
  } catch (error) {
    socket.destroy();
    throw new Error(`the certificate cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** A name for SNI, which addresses are not (RFC 6066). */
const serverName = (host: string): { servername?: string } => (isIP(host) === 0 ? { servername: host } : {});

function systemProblemOf(socket: TLSSocket, host: string): string | null {
  const error: unknown = socket.authorizationError;
  if (!socket.authorized)
    return String(error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : error);
  return checkServerIdentity(host, socket.getPeerCertificate()) === undefined
    ? null
    : "ERR_TLS_CERT_ALTNAME_INVALID";
}

const timedOut = (withinMs: number): Error =>
  Object.assign(new Error(`no answer within ${withinMs / 1_000} s`), { code: "ETIMEDOUT" });
const closedEarly = (): Error =>
  Object.assign(new Error("the connection was closed before it was secure"), { code: "ECONNRESET" });

/** Returns what tls.connect begins with: an address, or a connection through a proxy. */
async function openTcp(
  url: string,
  host: string,
  port: number,
  withinMs: number,
): Promise<{ host: string; port: number } | { socket: Socket }> {
  const setting = proxyFor(url);
  if (setting === null) return { host, port };
  const proxy = proxyUrlFor(url);
  if (proxy?.protocol !== "http:" && proxy?.protocol !== "https:")
    throw Object.assign(new Error(`the proxy of ${setting.variable} is not an http or https proxy`), {
      code: "UnsupportedProxyProtocol",
    });
  return { socket: await openTunnel(proxy, withinMs, `${host.includes(":") ? `[${host}]` : host}:${port}`) };
}

/** Returns a part of a URL without percent-encoding; a lone `%` is meant as it is written. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Asks a proxy for a connection to `target` (RFC 9110, CONNECT). */
function openTunnel(proxy: URL, withinMs: number, target: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const address = { host: unbracketed(proxy.hostname) };
  const socket: Socket =
    proxy.protocol === "https:"
      ? connectTls(
          {
            ...address,
            ...serverName(address.host),
            port: Number(proxy.port || 443),
            // Stated, because the proxy gets credentials, and a variable could switch this off.
            rejectUnauthorized: true,
          },
          ask,
        )
      : connectTcp({ ...address, port: Number(proxy.port || 80) }, ask);
  let head = "";
  function ask(): void {
    const user = `${decoded(proxy.username)}:${decoded(proxy.password)}`;
    const login =
      user === ":" ? "" : `proxy-authorization: Basic ${Buffer.from(user).toString("base64")}\r\n`;
    socket.write(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n${login}\r\n`);
  }
  const onData = (bytes: Buffer): void => {
    head += bytes.toString("latin1");
    if (!head.includes("\r\n\r\n")) {
      if (head.length > proxyHeadBytesMax) socket.destroy(new Error("the proxy answers without an end"));
      return;
    }
    socket.off("data", onData);
    if (/^HTTP\/1\.[01] 2\d\d/.test(head)) return resolve(socket);
    socket.destroy(new Error(`the proxy ${proxy.host} answers "${head.split("\r\n")[0]}"`));
  };
  socket.on("data", onData);
  const limit = setTimeout(() => socket.destroy(timedOut(withinMs)), withinMs);
  socket.on("error", reject);
  socket.once("close", () => reject(closedEarly()));
  return promise.finally(() => clearTimeout(limit));
}
