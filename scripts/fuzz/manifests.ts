/** Manifests and their signatures, as a source that was broken into, or a damaged disk, may give them. */
import { generateKeyPairSync } from "node:crypto";
import { posix, win32 } from "node:path";
import { encode } from "@msgpack/msgpack";
import {
  chunkCount,
  chunkLength,
  chunkOffset,
  decodeManifest,
  encodeManifest,
  fileSpans,
  ManifestError,
  type Manifest,
} from "../../shared/model/manifest.ts";
import { signed, verifySigned, type PublisherKey } from "../../shared/model/signing.ts";
import type { Dice } from "./seeded-random.ts";
import { hostileValue, mutated, mutatedValue } from "./mutate.ts";
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

/** Fields that agree with each other, so that what is wrong in one of them is looked at. */
function fieldsOf(dice: Dice): unknown[] {
  const chosen = [...new Set(Array.from({ length: dice.int(5) }, () => dice.pick(paths)))].toSorted((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const files = chosen.map((path) => [path, dice.int(5_000), dice.once(2) ? 0o644 : 0o755] as const);
  const sizeBytes = files.reduce((sum, [, size]) => sum + size, 0);
  const chunkSizeBytes = dice.pick([1_024, 2_048, 262_144]);
  const digests = dice.bytes(Math.ceil(sizeBytes / chunkSizeBytes) * 32);
  const origins = [["source"], ["url", "https://web.example/x", dice.pick(["file", "folder"])]];
  return [1, "tool", "1.0", sizeBytes, chunkSizeBytes, files, digests, dice.pick(origins)];
}

function hostileBytes(dice: Dice): Uint8Array {
  const fields = fieldsOf(dice);
  const at = dice.int(fields.length);
  const wrong = dice.int(4);
  if (wrong === 0) fields[at] = dice.once(2) ? mutatedValue(dice, fields[at]) : hostileValue(dice);
  const bytes = encode(fields);
  return wrong === 1 ? mutated(dice, bytes) : bytes;
}

function checkAccepted(manifest: Manifest, bytes: Uint8Array, dice: Dice): void {
  promise(Buffer.compare(encodeManifest(manifest), bytes) === 0, "a manifest has one spelling");
  for (const { path } of manifest.files) {
    promise(posix.join("/cache", path).startsWith("/cache/"), `"${path}" stays in its folder`);
    promise(
      win32.resolve("C:\\cache", path).startsWith("C:\\cache\\"),
      `"${path}" stays in its folder on Windows`,
    );
  }
  if (manifest.sizeBytes === 0) return;
  const chunk = dice.int(chunkCount(manifest));
  const length = chunkLength(manifest, chunk);
  const spans = fileSpans(manifest, chunkOffset(manifest, chunk), length);
  promise(spans.reduce((sum, span) => sum + span.length, 0) === length, "a chunk's pieces are the chunk");
}

function openManifests(): Fuzzing {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");
  const key: PublisherKey = { privateKey, publicKey: new Uint8Array(raw) };
  const signatures = (dice: Dice): string => {
    const right = signed(encode(fieldsOf(dice)), key);
    const part = dice.pick(["manifest", "signature", "publisherKey"] as const);
    const wrong = { ...right, [part]: mutated(dice, right[part]) };
    if (Buffer.compare(wrong[part], right[part]) === 0) return "unchanged";
    verifySigned(wrong, [key.publicKey]);
    throw new Error("broken promise: a changed envelope is not taken");
  };
  return {
    run: (dice) =>
      declared([ManifestError], () => {
        if (dice.once(256)) return signatures(dice);
        const bytes = dice.once(50) ? dice.bytes(dice.int(300)) : hostileBytes(dice);
        checkAccepted(decodeManifest(bytes), bytes, dice);
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
