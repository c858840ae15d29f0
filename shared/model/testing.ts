/**
 * Packages for tests: bytes derived from a seed, their manifest, and a publisher key that signs it.
 */
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chunkCount, chunkLength, chunkOffset, zeroRuns, type Manifest } from "./manifest.ts";
import { encodeManifest, packageId } from "./manifest-codec.ts";
import { signed, type PublisherKey, type SignedManifest } from "./signing.ts";

/**
 * Returns bytes that depend on seed and position only, so that two processes make equal packages.
 */
export function seededBytes(sizeBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let at = 0; at < sizeBytes; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Creates a publisher key in memory. */
export function testKey(): PublisherKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    privateKey,
    publicKey: new Uint8Array(Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url")),
  };
}

export type TestPackage = {
  readonly manifest: Manifest;
  readonly id: string;
  readonly signed: SignedManifest;
  readonly stream: Uint8Array;
  chunk(index: number): Uint8Array;
};

/** Returns the manifest of files whose bytes are `stream`; chunks of zeros are named as such. */
export function manifestOf(
  stream: Uint8Array,
  given: Pick<Manifest, "files" | "chunkSizeBytes"> & Partial<Manifest>,
): Manifest {
  const chunks = Array.from({ length: chunkCount(given) }, (_, chunk) => {
    const at = chunkOffset(given, chunk);
    return stream.subarray(at, at + chunkLength(given, chunk));
  });
  const digests = chunks.map((chunk) => createHash("sha256").update(chunk).digest());
  return {
    format: 2,
    name: given.name ?? "tool",
    version: given.version ?? "1.0",
    files: given.files,
    folders: given.folders ?? [],
    links: given.links ?? [],
    commands: given.commands ?? [],
    sizeBytes: stream.length,
    chunkSizeBytes: given.chunkSizeBytes,
    chunkDigests: new Uint8Array(Buffer.concat(digests)),
    encodings: zeroRuns(chunks.map((chunk) => chunk.every((byte) => byte === 0))),
  };
}

export function testPackage(
  key: PublisherKey,
  options: {
    readonly name?: string;
    readonly version?: string;
    /** Path → size in bytes. */
    readonly files: Readonly<Record<string, number>>;
    readonly chunkSizeBytes?: number;
    readonly seed?: number;
    /** Bytes of the files; default: derived from the seed. */
    readonly stream?: Uint8Array;
    readonly folders?: readonly string[];
    readonly links?: Manifest["links"];
    readonly commands?: Manifest["commands"];
  },
): TestPackage {
  const paths = Object.keys(options.files).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const files = paths.map((path) => ({ path, sizeBytes: options.files[path]!, mode: 0o644 }) as const);
  const stream =
    options.stream ??
    seededBytes(
      files.reduce((sum, file) => sum + file.sizeBytes, 0),
      options.seed ?? 1,
    );
  const manifest = manifestOf(stream, {
    ...options,
    files,
    chunkSizeBytes: options.chunkSizeBytes ?? 1_024,
  });
  const bytes = encodeManifest(manifest);
  return {
    manifest,
    id: packageId(bytes),
    signed: signed(bytes, key),
    stream,
    chunk: (index) =>
      stream.slice(chunkOffset(manifest, index), chunkOffset(manifest, index) + chunkLength(manifest, index)),
  };
}

/** Creates a temporary folder and returns the function that removes it. */
export function temporaryFolder(name: string): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `flockcast-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
