/**
 * Reads a source's certificate and compares its fingerprint with the token's.
 *
 * A certificate that only the token vouches for is pinned: later connections accept exactly that
 * one (net/web/pinned-tls.ts). A certificate that the system trusts is not pinned, so it can be
 * renewed.
 */
import { connect } from "node:tls";
import { sha256Hex, toPem } from "../net/web/pinned-tls.ts";
import { SourceError } from "./source-error.ts";

const handshakeTimeoutMs = 15_000;

/**
 * Connects once and returns the certificate to pin (PEM), or undefined if the system trusts it.
 * @param fingerprint SHA-256 from the token, 64 hex digits
 * @throws SourceError of kind "unreachable"; or "unauthorized" when the URL has no TLS, or the
 *   certificate is neither trusted nor the token's
 */
export async function pinCertificate(url: string, fingerprint: string): Promise<string | undefined> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== "https:") {
    throw new SourceError(
      "unauthorized",
      null,
      `The token belongs to a source with TLS, but "${url}" does not begin with https://: correct the URL`,
    );
  }
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  let presented: Presented;
  try {
    presented = await presentedCertificate(host, Number(port || 443));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SourceError("unreachable", null, `Cannot reach the source ${url}: ${why}`, { cause: error });
  }
  const found = sha256Hex(presented.der);
  if (found === fingerprint) return presented.trusted ? undefined : toPem(presented.der);
  if (presented.trusted) return undefined;
  throw new SourceError(
    "unauthorized",
    null,
    `The certificate at ${url} has fingerprint ${found}, the token expects ${fingerprint}: ` +
      "another server answers there, or the certificate was replaced and you need the new token",
  );
}

type Presented = { der: Uint8Array; trusted: boolean };

function presentedCertificate(host: string, port: number): Promise<Presented> {
  const { promise, resolve, reject } = Promise.withResolvers<Presented>();
  const isAddress = /^[\d.]+$|:/.test(host);
  const socket = connect(
    { host, port, rejectUnauthorized: false, ...(isAddress ? {} : { servername: host }) },
    () => {
      const der = socket.getPeerCertificate(true).raw;
      const trusted = socket.authorized;
      socket.destroy();
      if (der) resolve({ der: new Uint8Array(der), trusted });
      else reject(new Error("the server shows no certificate"));
    },
  );
  socket.setTimeout(handshakeTimeoutMs, () => socket.destroy(new Error("no answer within 15 s")));
  socket.on("error", reject);
  return promise;
}
