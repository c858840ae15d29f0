/**
 * Fuzz target of manifests and their signatures, as a compromised source or a damaged disk may
 * deliver them.
 */
import { generateKeyPairSync } from "node:crypto";
import { posix, win32 } from "node:path";
import { encode } from "@msgpack/msgpack";
import {
  chunkCount,
  chunkLength,
  chunkOffset,
  fileSpans,
  type Manifest,
} from "../../shared/model/manifest.ts";
import { decodeManifest, encodeManifest } from "../../shared/model/manifest-codec.ts";
import { ManifestError } from "../../shared/model/manifest-error.ts";
import { checkSignature, signed, type PublisherKey } from "../../shared/model/signing.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { hostileValue, mutated, mutatedValue } from "./mutate.ts";
import { zerosDigest } from "../../shared/model/zeros-digest.ts";
import { declared, promise, type Fuzzing, type Target } from "./target.ts";

const paths = [
  "setup.exe",
  "data/a.bin",
  "data/b/c.txt",
  "ä/ö.txt",
  "a".repeat(200),
  "con",
  "nul.txt",
  "aux .x",
  "COM1",
  "com¹",

  "../x",
  "a/../../x",
  "/etc/passwd",
  "C:/x",
  "C:\\x",
  "a\\..\\b",
  "a//b",
  "./a",
  "a/.",
  "a.",
  "a ",
  "a:b",
  "\u0000",

  "A",
  "a",
  "é",
  "e\u0301",
  "a/b",
  "a/b/c",
  "lpt1/x",
  ".trash/x",
  "\ud800",
  "\u202etxt.exe",
  "x\u0085",
  "...",
  "~",
] as const;

const targets = ["a", "../a", "../../a", ".", "a/../..", "/etc", "b"] as const;

/** Returns consistent fields, so that a fault in one of them reaches its own check. */
function fieldsOf(random: SeededRandom): unknown[] {
  const chosen = [...new Set(Array.from({ length: random.int(5) }, () => random.pick(paths)))].toSorted(
    (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const files = chosen.map((path) => [path, random.int(5_000), random.oneIn(2) ? 0o644 : 0o755] as const);
  const chunkSizeBytes = random.pick([1_024, 2_048, 262_144]);
  const sizes = files.map(([path, size]) => ({ path, sizeBytes: size }));
  const layout = { files: sizes, chunkSizeBytes };
  const chunks = chunkCount(layout);
  const folders = random.oneIn(3) ? [random.pick(paths)] : [];
  const links = random.oneIn(3) ? [[random.pick(paths), random.pick(targets)]] : [];
  const commands = random.oneIn(3) ? [["install", [["linux", "sh", "true"]]]] : [];
  const zeros = random.oneIn(3) && chunks > 0 ? [["zeros", 0, 1]] : [];
  const digests = Buffer.from(random.bytes(chunks * 32));
  if (zeros.length > 0) digests.set(zerosDigest(chunkLength(layout, 0)));
  return [2, "tool", "1.0", chunkSizeBytes, files, folders, links, commands, digests, zeros];
}

function hostileBytes(random: SeededRandom): Uint8Array {
  const fields = fieldsOf(random);
  const at = random.int(fields.length);
  const wrong = random.int(4);
  if (wrong === 0) fields[at] = random.oneIn(2) ? mutatedValue(random, fields[at]) : hostileValue(random);
  const bytes = encode(fields);
  return wrong === 1 ? mutated(random, bytes) : bytes;
}

function checkAccepted(manifest: Manifest, bytes: Uint8Array, random: SeededRandom): void {
  promise(Buffer.compare(encodeManifest(manifest), bytes) === 0, "a manifest has exactly one encoding");
  for (const { path } of manifest.files) {
    promise(posix.join("/cache", path).startsWith("/cache/"), `"${path}" stays in its folder`);
    promise(
      win32.resolve("C:\\cache", path).startsWith("C:\\cache\\"),
      `"${path}" stays in its folder on Windows`,
    );
  }
  for (const { path, target } of manifest.links) {
    const leads = posix.join("/cache/x", posix.dirname(path), target);
    promise(`${leads}/`.startsWith("/cache/x/"), `the link "${path}" to "${target}" stays in the package`);
  }
  if (manifest.sizeBytes === 0) return;
  const chunk = random.int(chunkCount(manifest));
  const length = chunkLength(manifest, chunk);
  const spans = fileSpans(manifest, chunkOffset(manifest, chunk), length);
  promise(
    spans.reduce((sum, span) => sum + span.length, 0) === length,
    "the file spans of a chunk cover the chunk",
  );
}

function openManifests(): Fuzzing {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");
  const key: PublisherKey = { privateKey, publicKey: new Uint8Array(raw) };
  const signatures = (random: SeededRandom): string => {
    const right = signed(encode(fieldsOf(random)), key);
    const part = random.pick(["manifest", "signature", "publisherKey"] as const);
    const wrong = { ...right, [part]: mutated(random, right[part]) };
    if (Buffer.compare(wrong[part], right[part]) === 0) return "unchanged";
    checkSignature(wrong, [key.publicKey]);
    throw new Error("broken promise: a changed envelope is refused");
  };
  return {
    run: (random) =>
      declared([ManifestError], () => {
        if (random.oneIn(256)) return signatures(random);
        const bytes = random.oneIn(50) ? random.bytes(random.int(300)) : hostileBytes(random);
        checkAccepted(decodeManifest(bytes), bytes, random);
        return "accepted";
      }),
  };
}

export const manifests: Target = {
  name: "manifests",
  about: "manifests, their paths and signatures",
  share: 1_800,
  open: openManifests,
};
