import { expect, test } from "bun:test";
import { packManifest } from "../api/packed-manifest.ts";
import type { ManifestRequest } from "../api/schema/agent.ts";
import { SourceError } from "../api/source-error.ts";
import { testKey, testPackage } from "../model/testing.ts";
import { fetchManifest } from "./manifest-fetcher.ts";
import type { DevicePorts, ManifestAnswer } from "./ports.ts";
import { taskForTest } from "./testing.ts";

const key = testKey();
const published = testPackage(key, { files: { a: 10 } });
const task = { ...taskForTest(), packageId: published.id };
const elsewhere: ManifestAnswer = {
  result: "elsewhere",
  holders: [{ device: "00000000000000cc", address: "10.0.0.9", lanPort: 7 }],
};

/** Fetches with a clock that does not wait. @param held what the holder sends, null: nothing */
function fetchWith(
  manifest: (request: ManifestRequest, count: number) => ManifestAnswer,
  held: () => Uint8Array | "unreachable" | null | Promise<Uint8Array>,
) {
  const asked: number[] = [];
  const ports = {
    source: {
      manifest: async (request: ManifestRequest) => {
        asked.push(request.attempt);
        return structuredClone(manifest(request, asked.length));
      },
    },
    peers: { lanPort: 7, connect: () => ({ manifest: async () => held(), close() {} }) },
    place: { address: "10.0.0.5", subnetId: "ab".repeat(8) },
    lan: { sessionOf: () => "" },
    clock: { after: (_delayMs: number, run: () => void) => (queueMicrotask(run), () => {}) },
    random: () => 0.5,
    publisherKeys: () => [key.publicKey],
  } as unknown as DevicePorts;
  return { asked, fetched: fetchManifest(ports, task, new AbortController().signal) };
}

test("gets the manifest from a holder while the source does not answer", async () => {
  const unreachable = new SourceError("unreachable", null, "down");
  const packed = await packManifest(published.signed);
  let rounds = 0;
  const { asked, fetched } = fetchWith(
    (_request, count) => {
      if (count > 1) throw unreachable;
      return elsewhere;
    },
    () => (++rounds > 7 ? packed : null),
  );
  expect(await fetched).toEqual(published.signed);
  // Without an answer the attempt is the same one.
  expect(asked).toEqual([0, 1]);
});

test("ends with the reason when the source refuses, although holders are known", async () => {
  const { fetched } = fetchWith(
    (_request, count) => {
      if (count > 1) throw new SourceError("refused", 409, "the task no longer targets this device");
      return elsewhere;
    },
    () => null,
  );
  await expect(fetched).rejects.toThrow("no longer targets");
});

test("states at most 1000 attempts, however long the others take", async () => {
  const { asked, fetched } = fetchWith(
    (_request, count) => (count < 1_010 ? elsewhere : { result: "granted", signed: published.signed }),
    () => null,
  );
  await fetched;
  expect(Math.max(...asked)).toBe(1_000);
});

test("takes no manifest of another package from a holder", async () => {
  const other = testPackage(key, { name: "other", files: { a: 10 } });
  const otherPacked = await packManifest(other.signed);
  const { fetched } = fetchWith(
    (_request, count) => (count < 3 ? elsewhere : { result: "granted", signed: published.signed }),
    () => otherPacked,
  );
  expect(await fetched).toEqual(published.signed);
});

test("gets the manifest from the source at once when no named holder can be reached", async () => {
  let rounds = 0;
  const { asked, fetched } = fetchWith(
    ({ attempt }) => (attempt < 3 ? elsewhere : { result: "granted", signed: published.signed }),
    () => {
      rounds++;
      return "unreachable";
    },
  );
  expect(await fetched).toEqual(published.signed);
  expect([asked, rounds]).toEqual([[0, 3], 1]);
});
