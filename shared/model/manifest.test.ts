import { describe, expect, test } from "bun:test";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import {
  chunkCount,
  chunkDigest,
  chunkLength,
  chunkOffset,
  chunkSizeFor,
  fileSpans,
  type Manifest,
  type ManifestFile,
} from "./manifest.ts";
import { decodeManifest, encodeManifest, packageId } from "./manifest-codec.ts";
import { ManifestError } from "./manifest-error.ts";
import { manifestChecks } from "./manifest-rules.ts";
import { zerosDigest } from "./zeros-digest.ts";

const file = (path: string, sizeBytes = 1): ManifestFile => ({ path, sizeBytes, mode: 0o644 });

function manifestOf(files: readonly ManifestFile[], changes: Partial<Manifest> = {}): Manifest {
  const sizeBytes = files.reduce((sum, each) => sum + each.sizeBytes, 0);
  const chunkSizeBytes = changes.chunkSizeBytes ?? 1_024;
  const chunks = sizeBytes < 1e9 ? chunkCount({ files, chunkSizeBytes }) : 0;
  return {
    format: 2,
    name: "tool",
    version: "1.0",
    files,
    folders: [],
    links: [],
    commands: [],
    sizeBytes,
    chunkSizeBytes,
    chunkDigests: new Uint8Array(32 * chunks),
    encodings: [],
    ...changes,
  };
}

/** Encodes a manifest without any check, to hand invalid ones to the decoder. */
const raw = (m: Manifest): Uint8Array =>
  encode([
    m.format,
    m.name,
    m.version,
    m.chunkSizeBytes,
    m.files.map((each) => [each.path, each.sizeBytes, each.mode]),
    m.folders,
    m.links.map((each) => [each.path, each.target]),
    m.commands.map(({ name, lines }) => [name, lines.map(({ os, shell, line }) => [os, shell, line])]),
    m.chunkDigests,
    m.encodings.map(({ encoding, first, count }) => [encoding, first, count]),
  ]);

const refusal = (bytes: Uint8Array): string => {
  try {
    decodeManifest(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ManifestError);
    return (error as ManifestError).reason;
  }
  throw new Error("was not refused");
};

describe("a manifest", () => {
  test("decodes to the encoded manifest, with the same id", () => {
    const manifest = manifestOf([file("a/b.bin", 70_000), file("c.txt", 0), file("é", 5)], {
      folders: ["logs", "tmp/x"],
      links: [{ path: "current", target: "a/../a" }],
      commands: [
        {
          name: "install",
          lines: [
            { os: "linux", shell: "sh", line: "./install" },
            { os: "windows", shell: "powershell", line: "./install.ps1" },
          ],
        },
      ],
    });
    const bytes = encodeManifest(manifest);
    expect(decodeManifest(bytes)).toEqual(manifest);
    expect(packageId(encodeManifest({ ...manifest }))).toBe(packageId(bytes));
    expect(packageId(bytes)).toMatch(/^[0-9a-f]{64}$/);
  });

  test("may have no files, or only empty ones", () => {
    for (const files of [[], [file("empty", 0)]]) {
      const manifest = decodeManifest(encodeManifest(manifestOf(files)));
      expect(chunkCount(manifest)).toBe(0);
      expect(fileSpans(manifest, 0, 10)).toEqual([]);
    }
  });

  test.each([
    "/etc/passwd",
    "../x",
    "a/../b",
    "./a",
    "a//b",
    "a/",
    "a\\b",
    "C:/x",
    "a:b",
    "CON",
    "aux.txt",
    "x/Com1.log",
    "nul .txt",
    "lpt\u00b9",
    "dot.",
    "space ",
    "a/b. /c",
    "tab\t",
    "nul\0",
    "what?",
    "s*",
    "<x>",
    'q"q',
    "p|p",
    "",
    "x".repeat(256),
    "e\u0301",
    "\u202etxt.exe",
    "zero\u200bwidth",
    "line\u2028",
    "\ufffd",
    "y/".repeat(600) + "y",
    "d/".repeat(64) + "e",
  ])("is refused with the path %j", (path) => {
    expect(refusal(raw(manifestOf([file(path)])))).toContain("path");
    expect(() => encodeManifest(manifestOf([file(path)]))).toThrow(ManifestError);
  });

  test.each([
    [["a", "a"], "twice"],
    [["README", "readme"], "ignore case"],
    [["Data/a", "data/b"], '"Data" and "data" are one name'],
    [["A/B/d", "A/b/c"], '"A/B" and "A/b" are one name'],
    // Letters with two lower-case forms, which APFS takes for one.
    [["s", "\u017f"], "ignore case"],
    [["\u03c2", "\u03c3"], "ignore case"],
    [["A", "a/b"], '"A" and "a" are one name'],
    [["a", "a/b"], '"a" is a file and also the folder of "a/b"'],
    [["b", "a"], "byte order"],
    [["\u{10000}", "\uffee"], "byte order"],
  ])("is refused with the paths %j", (paths, reason) => {
    expect(refusal(raw(manifestOf(paths.map((path) => file(path)))))).toContain(reason);
  });

  test.each([
    [{ name: ".hidden" }, "dot"],
    [{ name: "a b" }, "A-Z"],
    [{ name: "x".repeat(129) }, "128"],
    [{ name: "nul" }, "reserved"],
    [{ version: "" }, "1 to 64"],
    [{ version: "v/1" }, "A-Z"],
    [{ version: "1." }, "dot"],
    [{ version: "é" }, "A-Z"],
    [{ chunkDigests: new Uint8Array(31) }, "digests"],
    [{ chunkDigests: new Uint8Array(64) }, "digests"],
    [{ chunkSizeBytes: 3_000 }, "power of two"],
    [{ chunkSizeBytes: 512 }, "power of two"],
    [{ chunkSizeBytes: 8 * 1_048_576 }, "power of two"],
    [{ format: 1 as 2 }, "format 1"],
    [{ folders: ["x"] }, '"x" is listed twice'],
    [{ folders: ["d", "d/e"] }, '"d" is listed twice'],
    [{ folders: ["e", "d"] }, "byte order"],
    [{ folders: ["X"] }, '"x" and "X" are one name'],
    [{ links: [{ path: "x", target: "y" }] }, "listed twice"],
    [{ links: [{ path: "x/y", target: "z" }] }, '"x" is a file and also the folder'],
    [{ links: [{ path: "y", target: "/etc/passwd" }] }, "absolute"],
    [{ encodings: [{ encoding: "zeros", first: 0, count: 1 }] }, "its digest is of other bytes"],
    [{ encodings: [{ encoding: "zeros", first: 1, count: 1 }] }, "cannot be used"],
    [{ encodings: [{ encoding: "zeros", first: 0, count: 0 }] }, "cannot be used"],
    [{ encodings: [{ encoding: "zstd" as "zeros", first: 0, count: 1 }] }, 'encoding "zstd"'],
    [{ commands: [{ name: "Install", lines: [] }] }, "must begin with a-z"],
    [{ commands: [{ name: "install", lines: [] }] }, "no command line"],
    [
      { commands: [{ name: "install", lines: [{ os: "linux", shell: "cmd", line: "x" }] }] },
      "does not run on linux",
    ],
    [{ commands: [{ name: "install", lines: [{ os: "linux", shell: "sh", line: " " }] }] }, "is empty"],
    [
      { commands: [{ name: "install", lines: [{ os: "plan9" as "linux", shell: "sh", line: "x" }] }] },
      "unknown",
    ],
    [{ files: [{ path: "x", sizeBytes: 1, mode: 0o777 as 0o755 }], sizeBytes: 1 }, "mode"],
    [{ files: [{ path: "x", sizeBytes: -1, mode: 0o644 }], sizeBytes: -1 }, "whole number"],
    [{ files: [{ path: "x", sizeBytes: 1.5, mode: 0o644 }], sizeBytes: 1.5 }, "whole number"],
  ] as [Partial<Manifest>, string][])("is refused with wrong fields (case %#)", (changes, reason) => {
    const refused = refusal(raw(manifestOf([file("x")], changes)));
    expect(refused).toContain(reason);
    expect(refused).not.toContain("secret");
  });

  test("is refused in a non-canonical encoding, which would have a second id", () => {
    const bytes = encodeManifest(manifestOf([file("x")]));
    expect(refusal(Uint8Array.from([...bytes, 0]))).toContain("canonical");
    const long = Uint8Array.from([0xdc, 0, 10, ...bytes.subarray(1)]);
    expect(refusal(long)).toContain("canonical");
  });

  test("is refused with a ManifestError when its bytes are random, cut short or changed", () => {
    const whole = encodeManifest(manifestOf([file("a", 3_000), file("b/c", 10)]));
    for (let length = 0; length < whole.length; length++) refusal(whole.subarray(0, length));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void refusal(bytes)));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = whole.slice();
        bytes[at]! ^= flip;
        try {
          decodeManifest(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ManifestError);
        }
      }),
    );
  });

  test("is refused without allocating memory when it announces huge arrays or nests deeply", () => {
    refusal(new Uint8Array(1_000_000).fill(0x91));
    refusal(Uint8Array.from([0xdd, 0xff, 0xff, 0xff, 0xff]));
    expect(refusal(new Uint8Array(16 * 1_048_576 + 1))).toContain("more than");
  });
});

test("a package above the largest size is refused with its size", () => {
  const files = [file("disk.img", 524_288 * 4_194_304 + 1)];
  const refused = refusal(raw(manifestOf(files, { chunkSizeBytes: 4_194_304 })));
  expect(refused).toContain("at most 2.1 TB: divide it");
});

describe("chunks", () => {
  test("have the size that follows from the size of the package", () => {
    const KiB = 1_024;
    expect(chunkSizeFor(0)).toBe(256 * KiB);
    expect(chunkSizeFor(8_192 * 256 * KiB)).toBe(256 * KiB);
    expect(chunkSizeFor(8_192 * 256 * KiB + 1)).toBe(512 * KiB);
    expect(chunkSizeFor(1e12)).toBe(4_096 * KiB);
    expect(() => chunkSizeFor(3e12)).toThrow(/has 3 TB.* at most 2.1 TB: divide it/);
    // The size of the version before, up to a factor of four.
    expect([256, 1_024, 2_048].map((size) => chunkSizeFor(1_000, size * KiB) / KiB)).toEqual([
      256, 1_024, 256,
    ]);
    expect(() => chunkSizeFor(3e12)).toThrow(/has 3 TB.* at most 2.1 TB: divide it/);
  });

  test("are adjacent, and the last one is shorter", () => {
    const manifest = manifestOf([file("a", 2_500)]);
    expect(chunkCount(manifest)).toBe(3);
    expect([0, 1, 2, 3, -1].map((chunk) => chunkLength(manifest, chunk))).toEqual([1_024, 1_024, 452, 0, 0]);
    expect(chunkOffset(manifest, 2)).toBe(2_048);
    expect(chunkDigest(manifest, 2).length).toBe(32);
  });

  test("map to file spans that cover the stream once, for any file sizes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(3_000), { maxLength: 20 }),
        fc.nat(),
        fc.nat(9_000),
        (sizes, from, length) => {
          const manifest = manifestOf(
            sizes.map((size, index) => file(`f${String(index).padStart(3, "0")}`, size)),
          );
          const offset = manifest.sizeBytes === 0 ? 0 : from % manifest.sizeBytes;
          const stream = sizes.flatMap((size, index) =>
            Array.from({ length: size }, (_, at) => `${index}:${at}`),
          );
          const got = fileSpans(manifest, offset, length).flatMap((span) => {
            expect(span.length).toBeGreaterThan(0);
            return Array.from({ length: span.length }, (_, at) => `${span.file}:${span.fileOffset + at}`);
          });
          expect(got).toEqual(stream.slice(offset, offset + length));
        },
      ),
      { numRuns: 60 },
    );
  });
});

test("other work runs while chunks of zeros of many lengths are checked", () => {
  const files = Array.from({ length: 40 }, (_, at) => file(`f${at + 10}`, 1_000_000 + at));
  const manifest = manifestOf(files, {
    chunkSizeBytes: 1_048_576,
    chunkDigests: Uint8Array.from(files.flatMap(({ sizeBytes }) => [...zerosDigest(sizeBytes)])),
    encodings: [{ encoding: "zeros", first: 0, count: files.length }],
  });
  // 40 MB of zeros are digested, with a pause after each 16 MiB.
  expect([...manifestChecks(manifest)]).toHaveLength(2);
});
