/**
 * Trust in a source's self-signed certificate: read it once, compare its fingerprint with the token's, and from then
 * on speak to exactly that certificate. A certificate that the system itself trusts needs no pin, so that a renewed
 * one goes on working.
 */
import { createHash, X509Certificate } from "node:crypto";
import { connect, type PeerCertificate } from "node:tls";
import { SourceError } from "./source-error.ts";

const handshakeTimeoutMs = 15_000;

const toPem = (der: Uint8Array): string => {
  const lines = Buffer.from(der)
    .toString("base64")
    .match(/.{1,64}/g);
  return `-----BEGIN CERTIFICATE-----\n${(lines ?? []).join("\n")}\n-----END CERTIFICATE-----\n`;
};
const sha256Hex = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** SHA-256 of the certificate (the first, where a file holds a chain), 64 hex digits. */
export const certificateFingerprint = (pem: string): string => sha256Hex(new X509Certificate(pem).raw);

/** `tls` options for fetch. The pinned certificate is right whatever host name it is reached under. */
export function pinnedTls(ca: string): BunFetchRequestInitTLS;
export function pinnedTls(ca: string | undefined): BunFetchRequestInitTLS | undefined;
export function pinnedTls(ca: string | undefined): BunFetchRequestInitTLS | undefined {
  if (ca === undefined) return undefined;
  const fingerprint = certificateFingerprint(ca);
  return {
    ca,
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      sha256Hex(certificate.raw) === fingerprint
        ? undefined
        : new Error("the certificate is not the one pinned at enrolment"),
  };
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

/**
 * @param fingerprint what the token says, 64 hex digits.
 * @returns the certificate to pin (PEM), or undefined when the system trusts it anyway.
 * @throws SourceError "unreachable", or "unauthorized" when it is neither trusted nor the token's.
 */
export async function pinCertificate(url: string, fingerprint: string): Promise<string | undefined> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== "https:") {
    throw new SourceError(
      "unauthorized",
      null,
      `The token is of a source with TLS, but "${url}" does not begin with https://: correct the URL`,
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
    `The certificate at ${url} has fingerprint ${found}, the token says ${fingerprint}: ` +
      "somebody else answers there, or the certificate was changed and you need the new token",
  );
}
