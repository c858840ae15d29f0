import { describe, expect, test } from "bun:test";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import {
  chunkCount,
  chunkDigest,
  chunkLength,
  chunkOffset,
  chunkSizeFor,
  decodeManifest,
  encodeManifest,
  fileSpans,
  ManifestError,
  packageId,
  type Manifest,
  type ManifestFile,
} from "./manifest.ts";

const file = (path: string, sizeBytes = 1): ManifestFile => ({ path, sizeBytes, mode: 0o644 });

function manifestOf(files: readonly ManifestFile[], changes: Partial<Manifest> = {}): Manifest {
  const sizeBytes = files.reduce((sum, each) => sum + each.sizeBytes, 0);
  const chunkSizeBytes = changes.chunkSizeBytes ?? 1_024;
  return {
    format: 1,
    name: "tool",
    version: "1.0",
    files,
    sizeBytes,
    chunkSizeBytes,
    chunkDigests: new Uint8Array(32 * Math.ceil(sizeBytes / chunkSizeBytes)),
    origin: { kind: "source" },
    ...changes,
  };
}

/** Encodes a manifest without any check, to hand invalid ones to the decoder. */
const raw = (m: Manifest): Uint8Array =>
  encode([
    m.format,
    m.name,
    m.version,
    m.sizeBytes,
    m.chunkSizeBytes,
    m.files.map((each) => [each.path, each.sizeBytes, each.mode]),
    m.chunkDigests,
    m.origin.kind === "source" ? ["source"] : ["url", m.origin.url, m.origin.layout],
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
      origin: { kind: "url", url: "https://web.example/x%20y/", layout: "folder" },
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
    "y/".repeat(600) + "y",
    "d/".repeat(64) + "e",
  ])("is refused with the path %j", (path) => {
    expect(refusal(raw(manifestOf([file(path)])))).toContain("path");
    expect(() => encodeManifest(manifestOf([file(path)]))).toThrow(ManifestError);
  });

  test.each([
    [["a", "a"], "twice"],
    [["README", "readme"], "ignore case"],
    [["e\u0301", "\u00e9"], "ignore case"],
    // Letters with two lower-case forms, which APFS takes for one.
    [["s", "\u017f"], "ignore case"],
    [["\u03c2", "\u03c3"], "ignore case"],
    [["k", "\u212a"], "ignore case"],
    [["A", "a/b"], "is a file and also the folder"],
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
    [{ sizeBytes: 5 }, "add up"],
    [{ chunkDigests: new Uint8Array(31) }, "digests"],
    [{ chunkDigests: new Uint8Array(64) }, "digests"],
    [{ chunkSizeBytes: 3_000 }, "power of two"],
    [{ chunkSizeBytes: 512 }, "power of two"],
    [{ chunkSizeBytes: 8 * 1_048_576 }, "power of two"],
    [{ format: 2 as 1 }, "format 2"],
    [{ origin: { kind: "url", url: "ftp://h/x", layout: "file" } }, "neither http"],
    [{ origin: { kind: "url", url: "https://u:secret@h/x", layout: "file" } }, "credentials"],
    [{ origin: { kind: "url", url: "not a url", layout: "file" } }, "not a URL"],
    [{ origin: { kind: "url", url: "https://h/x#y", layout: "file" } }, "never sent"],
    [{ origin: { kind: "url", url: `https://h/${"x".repeat(2_048)}`, layout: "file" } }, "longer"],
    [{ origin: { kind: "url", url: "https://h/x", layout: "tree" as "file" } }, "layout"],
    [{ files: [{ path: "x", sizeBytes: 1, mode: 0o777 as 0o755 }], sizeBytes: 1 }, "mode"],
    [{ files: [{ path: "x", sizeBytes: -1, mode: 0o644 }], sizeBytes: -1 }, "whole number"],
    [{ files: [{ path: "x", sizeBytes: 1.5, mode: 0o644 }], sizeBytes: 1.5 }, "whole number"],
    [
      {
        files: [file("x"), file("y")],
        sizeBytes: 2,
        origin: { kind: "url", url: "https://h/x", layout: "file" },
      },
      "exactly one",
    ],
  ] as [Partial<Manifest>, string][])("is refused with wrong fields (case %#)", (changes, reason) => {
    const refused = refusal(raw(manifestOf([file("x")], changes)));
    expect(refused).toContain(reason);
    expect(refused).not.toContain("secret");
  });

  test("is refused in a non-canonical encoding, which would have a second id", () => {
    const bytes = encodeManifest(manifestOf([file("x")]));
    expect(refusal(Uint8Array.from([...bytes, 0]))).toContain("canonical");
    const long = Uint8Array.from([0xdc, 0, 8, ...bytes.subarray(1)]);
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

describe("chunks", () => {
  test("have the size that follows from the size of the package", () => {
    const KiB = 1_024;
    expect(chunkSizeFor(0)).toBe(256 * KiB);
    expect(chunkSizeFor(8_192 * 256 * KiB)).toBe(256 * KiB);
    expect(chunkSizeFor(8_192 * 256 * KiB + 1)).toBe(512 * KiB);
    expect(chunkSizeFor(1e12)).toBe(4_096 * KiB);
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
