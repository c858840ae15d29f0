/** TLS to a source with a pinned certificate. Which one is pinned is decided at enrolment (api/pin-certificate.ts). */
import { createHash, X509Certificate } from "node:crypto";
import { type PeerCertificate } from "node:tls";

export const toPem = (der: Uint8Array): string => {
  const lines = Buffer.from(der)
    .toString("base64")
    .match(/.{1,64}/g);
  return `-----BEGIN CERTIFICATE-----\n${(lines ?? []).join("\n")}\n-----END CERTIFICATE-----\n`;
};
export const sha256Hex = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

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
