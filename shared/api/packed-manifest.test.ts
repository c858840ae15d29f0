import { expect, test } from "bun:test";
import { zstdCompressSync } from "node:zlib";
import { encode } from "@msgpack/msgpack";
import { testKey, testPackage } from "../model/testing.ts";
import { packManifest, unpackManifest } from "./packed-manifest.ts";

const files = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`lib/module-${i}/index.js`, 300]));
const { signed } = testPackage(testKey(), { files, chunkSizeBytes: 262_144 });

test("a packed manifest is smaller, and the same when it is unpacked", async () => {
  const packed = await packManifest(signed);
  expect(packed.length).toBeLessThan(signed.manifest.length / 5);
  expect(await unpackManifest(packed)).toEqual(signed);
});

test("other bytes are refused, also those that would become huge", async () => {
  expect(await unpackManifest(new Uint8Array(0))).toBeNull();
  expect(await unpackManifest((await packManifest(signed)).subarray(0, -3))).toBeNull();
  expect(await unpackManifest(zstdCompressSync(new Uint8Array(200_000_000)))).toBeNull();
  expect(await unpackManifest(zstdCompressSync(encode([1, 2, 3])))).toBeNull();
  expect(await unpackManifest(zstdCompressSync(encode([new Uint8Array(3), new Uint8Array(64)])))).toBeNull();
});
