import { describe, expect, test } from "bun:test";
import type { ManifestOrigin } from "../../model/manifest.ts";
import { testKey, testPackage } from "../../model/testing.ts";
import { locateContent, urlsOfChunk } from "./locate.ts";

const key = testKey();
const manifestOf = (files: Record<string, number>, origin: ManifestOrigin = { kind: "source" }) =>
  testPackage(key, { files, origin }).manifest;
const folderAt = (url: string): ManifestOrigin => ({ kind: "url", url, layout: "folder" });

const sourceUrl = "https://source.example/packages/1/content";
/** Four files of 1,000, 0, 500 and 600 bytes: chunks of 1,024, 1,024 and 52 bytes. */
const files = { "a.bin": 1_000, "b.empty": 0, "c/d.bin": 500, "e.bin": 600 };
const folder = manifestOf(files, folderAt("https://web.example/pub/tool"));
const inFolder = (path: string): string => `https://web.example/pub/tool/${path}`;

describe("bytes of a package on the source", () => {
  test("are at the same offset of its content", () => {
    const manifest = manifestOf(files);
    expect(locateContent(manifest, sourceUrl, 900, 1_100)).toEqual({
      url: sourceUrl,
      start: 900,
      end: 1_100,
      sizeBytes: 2_100,
    });
  });

  test("have no location without the source's URL", () => {
    expect(locateContent(manifestOf(files), null, 900, 1_100)).toBeNull();
    expect(urlsOfChunk(manifestOf(files), null, 0)).toEqual([]);
  });
});

test("bytes of a package that is one file of a web site are in that file", () => {
  const url = "https://web.example/setup.exe?v=2";
  const manifest = manifestOf({ "setup.exe": 3_000 }, { kind: "url", url, layout: "file" });
  expect(locateContent(manifest, null, 1_024, 2_048)).toEqual({
    url,
    start: 1_024,
    end: 2_048,
    sizeBytes: 3_000,
  });
  expect(urlsOfChunk(manifest, null, 2)).toEqual([url]);
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
    expect(locateContent(folder, null, offset, until)).toEqual({
      url: inFolder(path),
      start,
      end,
      sizeBytes,
    });
  });

  test("do not use the source's URL", () => {
    expect(locateContent(folder, sourceUrl, 0, 10)?.url).toBe(inFolder("a.bin"));
  });

  test.each([
    [0, ["a.bin", "c/d.bin"]],
    [1, ["c/d.bin", "e.bin"]],
    [2, ["e.bin"]],
    [3, []],
  ])("in chunk %d are in these files: %j", (chunk, paths) => {
    expect(urlsOfChunk(folder, null, chunk)).toEqual(paths.map(inFolder));
  });

  test("of an empty package have no location", () => {
    const empty = manifestOf({ "b.empty": 0 }, folderAt("https://web.example/pub"));
    expect(locateContent(empty, null, 0, 0)).toBeNull();
    expect(urlsOfChunk(empty, null, 0)).toEqual([]);
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
    expect(locateContent(manifestOf({ [path]: 10 }, folderAt(url)), null, 0, 10)?.url).toBe(expected);
  });
});
