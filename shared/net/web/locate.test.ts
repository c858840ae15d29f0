import { describe, expect, test } from "bun:test";
import { testKey, testPackage } from "../../model/testing.ts";
import { locateContent, urlsOfChunk } from "./locate.ts";

const key = testKey();
const manifestOf = (files: Record<string, number>) => testPackage(key, { files }).manifest;
const source = { url: "https://source.example/packages/1/content", layout: "file" } as const;
const site = { url: "https://web.example/pub/tool", layout: "folder" } as const;

/** Four files of 1,000, 0, 500 and 600 bytes: each with bytes is a chunk. */
const files = { "a.bin": 1_000, "b.empty": 0, "c/d.bin": 500, "e.bin": 600 };
const folder = manifestOf(files);
const inFolder = (path: string): string => `https://web.example/pub/tool/${path}`;

test("bytes at the URL of the whole stream are at the same offset of it", () => {
  expect(locateContent(folder, source, 900, 1_100)).toEqual({
    url: source.url,
    start: 900,
    end: 1_100,
    sizeBytes: 2_100,
  });
  expect(urlsOfChunk(folder, source, 2)).toEqual([source.url]);
});

describe("bytes of a package that is a folder of a web site", () => {
  test.each([
    ["inside one file", 10, 20, "a.bin", 10, 20, 1_000],
    ["that reach into the next file", 900, 1_100, "a.bin", 900, 1_000, 1_000],
    ["from the first of a file behind an empty one", 1_000, 1_100, "c/d.bin", 0, 100, 500],
    ["up to the last of a file", 1_400, 1_500, "c/d.bin", 400, 500, 500],
    ["over several files", 0, 2_100, "a.bin", 0, 1_000, 1_000],
    ["at the end of the package", 2_099, 2_100, "e.bin", 599, 600, 600],
  ])("%s are a range of the first file", (_, offset, until, path, start, end, sizeBytes) => {
    expect(locateContent(folder, site, offset, until)).toEqual({
      url: inFolder(path),
      start,
      end,
      sizeBytes,
    });
  });

  test.each([
    [0, ["a.bin"]],
    [1, ["c/d.bin"]],
    [2, ["e.bin"]],
    [3, []],
  ])("in chunk %d are in these files: %j", (chunk, paths) => {
    expect(urlsOfChunk(folder, site, chunk)).toEqual(paths.map(inFolder));
  });

  test("in a chunk of several files are in all of them", () => {
    expect(urlsOfChunk(manifestOf({ "a.bin": 10, "b.bin": 0, "c.bin": 20 }), site, 0)).toEqual(
      ["a.bin", "c.bin"].map(inFolder),
    );
  });

  test("of an empty package have no location", () => {
    const empty = manifestOf({ "b.empty": 0 });
    expect(locateContent(empty, site, 0, 0)).toBeNull();
    expect(urlsOfChunk(empty, site, 0)).toEqual([]);
  });
});

describe("the URL of a file in a folder", () => {
  test.each([
    ["https://web.example/pub", "a/b.bin", "https://web.example/pub/a/b.bin"],
    ["https://web.example/pub/", "a.bin", "https://web.example/pub/a.bin"],
    ["https://web.example/pub//", "a.bin", "https://web.example/pub/a.bin"],
    ["https://web.example", "a.bin", "https://web.example/a.bin"],
    ["https://web.example/pub?sig=x%2Fy", "a.bin", "https://web.example/pub/a.bin?sig=x%2Fy"],
    ["https://web.example/my%20pub", "a.bin", "https://web.example/my%20pub/a.bin"],
    ["https://web.example/pub", "a b#1.bin", "https://web.example/pub/a%20b%231.bin"],
    ["https://web.example/pub", "50%.bin", "https://web.example/pub/50%25.bin"],
    ["https://web.example/pub", "ü.bin", "https://web.example/pub/%C3%BC.bin"],
  ])("%s and %p is %s", (url, path, expected) => {
    expect(locateContent(manifestOf({ [path]: 10 }), { url, layout: "folder" }, 0, 10)?.url).toBe(expected);
  });
});
