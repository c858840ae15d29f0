/**
 * The trust file and its chain with the cryptography of a server process. The content is in
 * trust-content.ts, the chain in trust-chain.ts.
 */
import { createHash } from "node:crypto";
import { signersOf } from "./signed.ts";
import type { Signed } from "./statement.ts";
import { beginChain, extendChain } from "./trust-chain.ts";
import {
  publishersFor,
  rootText,
  type TrustAnchor,
  type TrustChain,
  type TrustFile,
} from "./trust-content.ts";

export * from "./trust-content.ts";

/** Returns the SHA-256 over threshold and root keys, 64 hex digits: what tokens carry. */
export const rootFingerprint = (root: TrustFile["root"]): string =>
  createHash("sha256").update(rootText(root)).digest("hex");

/**
 * Begins a chain with the first file whose roots the anchor names, and follows it to the end.
 * @throws TrustError
 */
export const beginTrust = (files: readonly Signed[], anchor: TrustAnchor): TrustChain =>
  beginChain(files, anchor, { signersOf, fingerprintOf: rootFingerprint });

/**
 * Appends newer files to a chain; versions that it has are left out.
 * @throws TrustError for the first file that may not follow
 */
export const extendTrust = (chain: TrustChain, files: readonly Signed[]): TrustChain =>
  extendChain(chain, files, signersOf);

/** Returns the public keys, 32 bytes each, that may sign the manifest of a package. */
export const publisherKeysFor = (file: TrustFile, packageName: string): Uint8Array[] =>
  publishersFor(file, packageName).map((key) => new Uint8Array(Buffer.from(key, "hex")));
