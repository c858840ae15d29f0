/** Rules of paths that need tables of Unicode, and their cost in large trees. */
import { describe, expect, test } from "bun:test";
import { encodeManifest, decodeManifestInTurns } from "./manifest-codec.ts";
import type { Manifest, ManifestFile } from "./manifest.ts";
import { linkProblems } from "./package-link.ts";
import { foldPath, foldersMax, packageNameProblem, pathProblem, versionProblem } from "./package-path.ts";
import { toEnd } from "./steps.ts";

/** Full case folding (CaseFolding.txt, status F): a code point and its folded ones, in hex. */
const fullFoldings = `
  00df 73 73, 0130 69 307, 0149 2bc 6e, 01f0 6a 30c, 0390 3b9 308 301, 03b0 3c5 308 301,
  0587 565 582, 1e96 68 331, 1e97 74 308, 1e98 77 30a, 1e99 79 30a, 1e9a 61 2be, 1e9e 73 73,
  1f50 3c5 313, 1f52 3c5 313 300, 1f54 3c5 313 301, 1f56 3c5 313 342, 1f80 1f00 3b9, 1f81 1f01 3b9,
  1f82 1f02 3b9, 1f83 1f03 3b9, 1f84 1f04 3b9, 1f85 1f05 3b9, 1f86 1f06 3b9, 1f87 1f07 3b9,
  1f88 1f00 3b9, 1f89 1f01 3b9, 1f8a 1f02 3b9, 1f8b 1f03 3b9, 1f8c 1f04 3b9, 1f8d 1f05 3b9,
  1f8e 1f06 3b9, 1f8f 1f07 3b9, 1f90 1f20 3b9, 1f91 1f21 3b9, 1f92 1f22 3b9, 1f93 1f23 3b9,
  1f94 1f24 3b9, 1f95 1f25 3b9, 1f96 1f26 3b9, 1f97 1f27 3b9, 1f98 1f20 3b9, 1f99 1f21 3b9,
  1f9a 1f22 3b9, 1f9b 1f23 3b9, 1f9c 1f24 3b9, 1f9d 1f25 3b9, 1f9e 1f26 3b9, 1f9f 1f27 3b9,
  1fa0 1f60 3b9, 1fa1 1f61 3b9, 1fa2 1f62 3b9, 1fa3 1f63 3b9, 1fa4 1f64 3b9, 1fa5 1f65 3b9,
  1fa6 1f66 3b9, 1fa7 1f67 3b9, 1fa8 1f60 3b9, 1fa9 1f61 3b9, 1faa 1f62 3b9, 1fab 1f63 3b9,
  1fac 1f64 3b9, 1fad 1f65 3b9, 1fae 1f66 3b9, 1faf 1f67 3b9, 1fb2 1f70 3b9, 1fb3 3b1 3b9,
  1fb4 3ac 3b9, 1fb6 3b1 342, 1fb7 3b1 342 3b9, 1fbc 3b1 3b9, 1fc2 1f74 3b9, 1fc3 3b7 3b9,
  1fc4 3ae 3b9, 1fc6 3b7 342, 1fc7 3b7 342 3b9, 1fcc 3b7 3b9, 1fd2 3b9 308 300, 1fd3 3b9 308 301,
  1fd6 3b9 342, 1fd7 3b9 308 342, 1fe2 3c5 308 300, 1fe3 3c5 308 301, 1fe4 3c1 313, 1fe6 3c5 342,
  1fe7 3c5 308 342, 1ff2 1f7c 3b9, 1ff3 3c9 3b9, 1ff4 3ce 3b9, 1ff6 3c9 342, 1ff7 3c9 342 3b9,
  1ffc 3c9 3b9, fb00 66 66, fb01 66 69, fb02 66 6c, fb03 66 66 69, fb04 66 66 6c, fb05 73 74,
  fb06 73 74, fb13 574 576, fb14 574 565, fb15 574 56b, fb16 57e 576, fb17 574 56d`;

const letter = (hex: string): string => String.fromCodePoint(Number.parseInt(hex, 16));

/** A regular expression with the flags i and u compares by CaseFolding.txt, status C and S. */
const isEqual = (one: string, other: string): boolean => new RegExp(`^${one}$`, "iu").test(other);

describe("two names are one", () => {
  test("when full case folding makes them equal", () => {
    const rows = fullFoldings.split(",").map((row) => row.trim().split(" ").map(letter));
    expect(rows.length).toBe(104);
    const differing = rows.filter(
      ([one, ...folded]) => foldPath(`a${one}z`) !== foldPath(`a${folded.join("")}z`),
    );
    expect(differing).toEqual([]);
  });

  test("when simple case folding makes them equal", () => {
    let count = 0;
    for (let code = 0x80; code < 0x2_0000; code++) {
      const one = String.fromCodePoint(code);
      if (!/\p{Changes_When_Casefolded}/u.test(one)) continue;
      const forms = [one.toLowerCase(), one.toUpperCase(), one.toUpperCase().toLowerCase()];
      for (const other of forms.filter((form) => [...form].length === 1 && isEqual(one, form))) {
        expect([code, foldPath(one)]).toEqual([code, foldPath(other)]);
        count++;
      }
    }
    expect(count).toBeGreaterThan(2_000);
  });

  test("but not for other letters", () => {
    for (const [one, other] of ["aä", "oø", "lł", "nñ", "αa", "еe"])
      expect(foldPath(one!)).not.toBe(foldPath(other!));
  });
});

test.each([
  "PROGRA~1",
  "a/SETUP~12.EXE",
  "x~1",
  "abcdef~9.t/b",
  "CLOCK$",
  "clock$.txt",
  "a/Conin$",
  "lpt\u00b2.x",
])("the path %s is refused, because Windows may open something else", (path) => {
  expect(pathProblem(path)).toMatch(/short name|reserved name/);
});

test.each([
  "a\u202etxt.exe",
  "zero\u200bwidth",
  "\u2028",
  "soft\u00adhyphen",
  "\ufeffa",
  "a\u3164",
  "tag\u{e0041}",
])("a path with an invisible character is refused (case %#)", (path) => {
  expect(pathProblem(path)).toMatch(/invisible character U\+/);
});

test.each([
  ".git/config",
  "autorun.inf",
  "notes.txt~1~",
  "a~b.txt",
  "longer-name~1.txt",
  "~1/x",
  "clock",
  "❤️.png",
  "-readme",
])("the path %s is allowed", (path) => {
  expect(pathProblem(path)).toBeNull();
});

test("a name and a version begin with no dash, which would make them an option of a command", () => {
  expect([packageNameProblem("-rf"), versionProblem("--help")]).toEqual([
    expect.stringContaining("dash"),
    expect.stringContaining("dash"),
  ]);
  expect([packageNameProblem("a-b"), versionProblem("1-rc")]).toEqual([null, null]);
});

const manifestOf = (files: ManifestFile[], more: Partial<Manifest> = {}): Manifest => ({
  format: 2,
  name: "tree",
  version: "1",
  files,
  folders: [],
  links: [],
  commands: [],
  sizeBytes: 0,
  chunkSizeBytes: 65_536,
  chunkDigests: new Uint8Array(0),
  encodings: [],
  ...more,
});

const emptyFiles = (paths: string[]): ManifestFile[] =>
  paths.toSorted().map((path) => ({ path, sizeBytes: 0, mode: 0o644 }));

/** Returns the number of turns in which other work ran meanwhile. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  const state = { isOver: false, turns: 0 };
  const over = work.finally(() => (state.isOver = true));
  for (; !state.isOver; state.turns++) await new Promise((resolve) => setImmediate(resolve));
  await over;
  return state.turns;
}

describe("a manifest of 100,000 empty files", () => {
  test("in nearly as many deep folders as a package may have is decoded in many turns", async () => {
    const below = "a/".repeat(60);
    const paths = Array.from({ length: 100_000 }, (_, index) => `${index % 1_600}/${below}${index}`);
    const bytes = encodeManifest(manifestOf(emptyFiles(paths)));
    expect(bytes.length).toBeGreaterThan(12_000_000);
    // On one processor of 2020 a turn takes less than 50 ms.
    expect(await turnsDuring(decodeManifestInTurns(bytes))).toBeGreaterThan(200);
  });

  test("with more folders than a package may have is refused", () => {
    const files = emptyFiles(Array.from({ length: 60_000 }, (_, index) => `${index}/a/x`));
    expect(() => encodeManifest(manifestOf(files))).toThrow(`more than ${foldersMax} folders`);
    const folders = Array.from({ length: 60_000 }, (_, index) => `${index}/a`).toSorted();
    expect(() => encodeManifest(manifestOf([], { folders }))).toThrow(`more than ${foldersMax} folders`);
  });
});

test("links that lead through each other in many steps are refused after bounded work", () => {
  const steps = "../a/".repeat(60);
  const links = Array.from({ length: 10_000 }, (_, index) => ({ path: `a/${index}`, target: `${steps}x` }));
  const problems = toEnd(linkProblems(links));
  expect(problems[0]).toContain("too many parts to follow");
});
