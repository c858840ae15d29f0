import { expect, test } from "bun:test";
import { uploadLimits, Uploads } from "./uploads.ts";

test("one address has at most eight uploads at a time, and all together 32", () => {
  const uploads = new Uploads(uploadLimits);
  const begun = Array.from({ length: 9 }, () => uploads.begin("10.0.0.9", 1_000));
  expect(begun.map((upload) => upload !== null)).toEqual([...Array(8).fill(true), false]);
  for (let address = 0; address < 30; address++) uploads.begin(`10.0.1.${address}`, 1_000);
  expect(uploads.load).toBe(100);
  expect(uploads.begin("10.0.2.1", 1)).toBeNull();
  uploads.end(begun[0]!);
  uploads.end(begun[0]!);
  expect(uploads.begin("10.0.2.1", 1)).not.toBeNull();
  expect(uploads.begin("10.0.2.2", 1)).toBeNull();
});

test("uploads take no more than 32 MiB at a time", () => {
  const uploads = new Uploads(uploadLimits);
  const chunkBytes = 4_194_304;
  const begun = Array.from({ length: 9 }, (_, address) => uploads.begin(`10.0.0.${address}`, chunkBytes));
  expect(begun.filter((upload) => upload !== null)).toHaveLength(8);
  uploads.end(begun[0]!);
  expect(uploads.begin("10.0.0.99", chunkBytes)).not.toBeNull();
});
