import { expect, test } from "bun:test";
import fc from "fast-check";
import { chunkCount, chunkDigest, chunkLength, chunkOffset, fileSpans } from "./manifest.ts";
import { seededBytes, testKey, testPackage } from "./testing.ts";

const chunkSizeBytes = 1_024;
const layoutOf = (sizes: readonly (readonly [path: string, sizeBytes: number])[]): number[] => {
  const chunked = { files: sizes.map(([path, sizeBytes]) => ({ path, sizeBytes })), chunkSizeBytes };
  return Array.from({ length: chunkCount(chunked) }, (_, chunk) => chunkLength(chunked, chunk));
};

test.each([
  ["no file", [], []],
  ["empty files", [["a", 0]], []],
  ["a file of whole chunks", [["a", 2_048]], [1_024, 1_024]],
  [
    "a large file after a small one",
    [
      ["a", 10],
      ["b", 2_500],
    ],
    [10, 1_024, 1_024, 452],
  ],
  [
    "a small file after a large one",
    [
      ["a", 1_500],
      ["b", 10],
    ],
    [1_024, 476, 10],
  ],
  [
    "small files that fit together",
    [
      ["a", 3],
      ["b", 0],
      ["c", 4],
    ],
    [7],
  ],
  [
    "small files that do not fit",
    [
      ["a", 500],
      ["b", 500],
      ["c", 500],
    ],
    [500, 500, 500],
  ],
] as const)("the chunks of %s", (_, sizes, lengths) => {
  expect(layoutOf(sizes)).toEqual([...lengths]);
});

test("chunks are adjacent, at most of the chunk size, and a small file is in one chunk", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3_000), { maxLength: 30 }), (sizes) => {
      const files = sizes.map((sizeBytes, index) => ({ path: `f${100 + index}`, sizeBytes }));
      const chunked = { files, chunkSizeBytes };
      const count = chunkCount(chunked);
      for (let chunk = 0; chunk < count; chunk++) {
        const length = chunkLength(chunked, chunk);
        expect(length).toBeGreaterThan(0);
        expect(length).toBeLessThanOrEqual(chunkSizeBytes);
        expect(chunkOffset(chunked, chunk) + length).toBe(chunkOffset(chunked, chunk + 1));
      }
      expect(chunkOffset(chunked, count)).toBe(sizes.reduce((sum, size) => sum + size, 0));
    }),
  );
});

const path = (index: number): string => `lib/module${index}.js`;
const sizeOf = (index: number): number => (index * 7_919) % 400;

test("one file of 500 changed: all chunks without its bytes are those of the version before", () => {
  const key = testKey();
  /** Each file has bytes of its own, derived from its number. */
  const version = (changed: ReadonlyMap<number, number>) => {
    const files = Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [path(index), changed.get(index) ?? sizeOf(index)]),
    );
    const order = Object.keys(files).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const parts = order.map((each) => seededBytes(files[each]!, Number(/\d+/.exec(each)![0])));
    return testPackage(key, { files, chunkSizeBytes, stream: Buffer.concat(parts) });
  };
  const before = version(new Map());
  const known = new Set(
    Array.from({ length: chunkCount(before.manifest) }, (_, chunk) =>
      Buffer.from(chunkDigest(before.manifest, chunk)).toString("hex"),
    ),
  );
  for (const [file, sizeBytes] of [
    [250, 333],
    [0, 1],
    [499, 0],
    [77, 5_000],
  ] as const) {
    const { manifest } = version(new Map([[file, sizeBytes]]));
    const fresh = Array.from({ length: chunkCount(manifest) }, (_, chunk) => chunk).filter(
      (chunk) => !known.has(Buffer.from(chunkDigest(manifest, chunk)).toString("hex")),
    );
    // The changed file, and neighbours up to the next chunk that its path begins.
    expect(fresh.length).toBeLessThanOrEqual(Math.ceil(sizeBytes / chunkSizeBytes) + 4);
    const paths = fresh.flatMap((chunk) =>
      fileSpans(manifest, chunkOffset(manifest, chunk), chunkLength(manifest, chunk)).map(
        (span) => manifest.files[span.file]!.path,
      ),
    );
    if (sizeBytes > 0) expect(paths).toContain(path(file));
  }
});
