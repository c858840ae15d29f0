/** Options of `serve`: listening address and TLS certificate, checked before the source starts. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { AccessError, readPrivateFile } from "../platform/private-files.ts";
import { spkiSha256 } from "../net/web/tls-peer.ts";

export type Listen = { readonly host: string; readonly port: number };
/** `spki`: SHA-256 of the certificate's SubjectPublicKeyInfo, hex. */
export type Tls = { readonly cert: string; readonly key: string; readonly spki: string };

/**
 * Parses HOST:PORT.
 *
 * @param text IPv6 addresses are in brackets; the system chooses a free port for port 0
 * @throws Error that quotes the text
 */
export function parseListen(text: string): Listen {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new Error(`"${text}" is not HOST:PORT: write for example 0.0.0.0:7443, [::]:7443 or localhost:0`);
  }
  return { host: match[1] ?? match[2]!, port };
}

/** Returns the URL for programs on the same machine. */
export function localUrl(host: string, port: number, secure: boolean): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${secure ? "https" : "http"}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

async function readPem(path: string, what: "certificate" | "key"): Promise<string> {
  try {
    return await (what === "key" ? readPrivateFile(path, "TLS key", "group") : readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof AccessError) throw error;
    throw new Error(`Cannot read the TLS ${what} "${path}": ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Reads and checks certificate and key.
 *
 * @throws Error when a file cannot be read, is not of its kind, or the two do not belong together
 */
export async function loadTls(certFile: string, keyFile: string): Promise<Tls> {
  const cert = await readPem(certFile, "certificate");
  const key = await readPem(keyFile, "key");
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch (error) {
    throw new Error(`"${certFile}" is not a certificate in PEM form: ${(error as Error).message}`, {
      cause: error,
    });
  }
  let matches: boolean;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw new Error(`"${keyFile}" is not a private key in PEM form: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (!matches) throw new Error(`The key "${keyFile}" does not belong to the certificate "${certFile}"`);
  try {
    // The certificates of authorities that follow are read here for the first time.
    createSecureContext({ cert, key });
  } catch (error) {
    throw new Error(`The certificates in "${certFile}" cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return { cert, key, spki: spkiSha256(cert) };
}
