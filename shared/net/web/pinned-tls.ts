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
 * Returns the `tls` option of fetch that accepts the pinned certificate (PEM) under any host name,
 * and no other certificate.
 */
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
