/** SHA-256 digests of chunks that contain zeros only. */

import { createHash } from "node:crypto";

/** Lengths differ only at the ends of files, so few are kept. */
const keptMax = 64;
const digests = new Map<number, Uint8Array>();

/** @param length at most one chunk, bytes */
export function zerosDigest(length: number): Uint8Array {
  let digest = digests.get(length);
  if (digest === undefined) {
    digest = new Uint8Array(createHash("sha256").update(new Uint8Array(length)).digest());
    if (digests.size >= keptMax) digests.delete(digests.keys().next().value!);
    digests.set(length, digest);
  }
  return digest;
}
