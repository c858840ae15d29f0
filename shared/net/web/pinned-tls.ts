/** TLS to a source with a pinned certificate. api/pin-certificate.ts decides what is pinned. */
import { createHash, X509Certificate } from "node:crypto";
import { type PeerCertificate } from "node:tls";

/** Encodes a DER certificate as PEM. */
export const toPem = (der: Uint8Array): string => {
  const lines = Buffer.from(der)
    .toString("base64")
    .match(/.{1,64}/g);
  return `-----BEGIN CERTIFICATE-----\n${(lines ?? []).join("\n")}\n-----END CERTIFICATE-----\n`;
};
/** Returns the SHA-256 as 64 hex digits. */
export const sha256Hex = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Returns the SHA-256 of a PEM certificate, of the first one in a chain, as 64 hex digits. */
export const certificateFingerprint = (pem: string): string => sha256Hex(new X509Certificate(pem).raw);

/**
 * Returns the `tls` option of a fetch of `url` that accepts the pinned certificate (PEM) under any
 * host name, and no certificate of another key.
 *
 * A certificate with the name of the host needs no check of its own. The check would prevent fetch
 * from using a connection again, and a handshake is 4 to 5 kB.
 */
export function pinnedTls(ca: string, url: string): BunFetchRequestInitTLS;
export function pinnedTls(ca: string | undefined, url: string): BunFetchRequestInitTLS | undefined;
export function pinnedTls(ca: string | undefined, url: string): BunFetchRequestInitTLS | undefined {
  if (ca === undefined) return undefined;
  if (namesHost(new X509Certificate(ca), new URL(url).hostname)) return { ca };
  const fingerprint = certificateFingerprint(ca);
  return {
    ca,
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      sha256Hex(certificate.raw) === fingerprint
        ? undefined
        : new Error("the certificate is not the one pinned at enrolment"),
  };
}

/** Whether the certificate lists exactly this name or IPv4 address as an alternative name. */
const namesHost = ({ subjectAltName }: X509Certificate, host: string): boolean =>
  (subjectAltName ?? "").split(", ").some((name) => name === `DNS:${host}` || name === `IP Address:${host}`);
