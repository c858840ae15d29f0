import { expect, test } from "bun:test";
import { chunkSizeBefore } from "./chunk-size-before.ts";

const published = (version: string, chunkSizeBytes: number, name = "tool") => ({
  name,
  version,
  chunkSizeBytes,
});

test("a version keeps the chunk size of the version before it, and its own when it is published again", () => {
  const packages = [published("1.9", 1), published("1.10", 2), published("3", 4), published("1.11", 8, "t")];
  const sizeOf = (version: string) => chunkSizeBefore(packages, { name: "Tool", version });
  expect(["1.0", "1.9.1", "2", "4"].map(sizeOf)).toEqual([null, 1, 2, 4]);
  // Between 1.9 and 3 another version was published since.
  expect(["1.10", "3"].map(sizeOf)).toEqual([2, 4]);
});
