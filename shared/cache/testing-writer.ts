/**
 * Process of the kill test: writes the chunks that its ledger is missing, and completes the
 * package. It writes slowly, so that a kill can hit any step.
 *
 * Arguments: data folder; JSON of the signed manifest, with its parts in base64; seed of the bytes.
 */
import { chunkLength, chunkOffset } from "../model/manifest.ts";
import { seededBytes } from "../model/testing.ts";
import { openCache } from "./disk/open-cache.ts";
import { cacheOptions } from "./testing.ts";

const [dir = "", envelope = "{}", seed = "1"] = process.argv.slice(2);
const fields = JSON.parse(envelope) as Record<"manifest" | "signature" | "publisherKey", string>;
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
const publisherKey = bytesOf(fields.publisherKey);
const cache = await openCache(cacheOptions(dir));
const store = await cache.begin(
  { manifest: bytesOf(fields.manifest), signature: bytesOf(fields.signature), publisherKey },
  [publisherKey],
);
const { sizeBytes } = store.manifest;
const stream = seededBytes(sizeBytes, Number(seed));
process.stdout.write("ready\n");
for (let chunk = store.verified.nextMissing(0); chunk >= 0; chunk = store.verified.nextMissing(chunk + 1)) {
  const at = chunkOffset(store.manifest, chunk);
  const bytes = stream.subarray(at, at + chunkLength(store.manifest, chunk));
  // Wrong bytes as a spilled partial chunk: they must never count as verified.
  if (chunk % 3 === 0) await store.writeUnverified(chunk, 0, new Uint8Array(bytes.length).fill(0xee));
  await store.writeChunk(chunk, bytes, chunk % 2 === 0 ? "wan" : "multicast");
  await Bun.sleep(2);
}
await store.complete();
await cache.close();
