/**
 * New private keys of the source and of the command line: its identity, publishers, operators and
 * roots have the same kind.
 */
import { generateKeyPairSync } from "node:crypto";

/** Returns a new Ed25519 private key, PKCS #8 in PEM. */
export const newKeyText = (): string =>
  generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
