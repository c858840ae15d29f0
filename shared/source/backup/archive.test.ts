import { describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backedUpNames, contentName } from "../data-files.ts";
import { ArchiveError, readArchive, writeArchive, type ArchiveEntry, type BackupFacts } from "./archive.ts";
import { blockBytes, readTarHeader, tarHeader } from "./tar.ts";

const facts: BackupFacts = {
  createdAtMs: 1_700_000_000_000,
  version: "0.1.0",
  deployment: 7,
  devices: 2,
  tasks: 3,
  packages: [],
  packagesLeftOut: [],
};
const content = contentName("ab".repeat(32));

const entry = (name: string, text: string): ArchiveEntry => {
  const bytes = new TextEncoder().encode(text);
  return { name, sizeBytes: bytes.length, bytes: [bytes.subarray(0, 3), bytes.subarray(3)] };
};
const entries = (): ArchiveEntry[] => [
  ...backedUpNames.map((name) => entry(name, `text of ${name}`)),
  entry(content, "c".repeat(1_024)),
];

async function collect(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Blob(await Array.fromAsync(parts)).arrayBuffer());
}

/** Yields the bytes in parts of a size that fits no block. */
async function* inParts(bytes: Uint8Array, partBytes = 700): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += partBytes) yield bytes.subarray(at, at + partBytes);
}

const archive = (all: ArchiveEntry[] = entries()): Promise<Uint8Array> => collect(writeArchive(facts, all));
const errorOf = (bytes: Uint8Array): Promise<unknown> =>
  readArchive(inParts(bytes)).then(
    () => null,
    (error: unknown) => error,
  );

describe("an archive", () => {
  test("gives back facts, names and bytes", async () => {
    const read = new Map<string, string>();
    const found = await readArchive(inParts(await archive()), async ({ name }) => ({
      write: async (bytes) => void read.set(name, (read.get(name) ?? "") + new TextDecoder().decode(bytes)),
      end: async () => {},
    }));
    expect(found.facts).toEqual(facts);
    expect(found.entries.map(({ name }) => name)).toEqual([...backedUpNames, content]);
    expect(read.get("catalog.db")).toBe("text of catalog.db");
    expect(read.get(content)).toBe("c".repeat(1_024));
  });

  test.skipIf(Bun.which("tar") === null)("is unpacked by tar", async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-tar-"));
    await writeFile(join(folder, "backup.tar"), await archive());
    const done = Bun.spawnSync(["tar", "-xf", "backup.tar"], { cwd: folder, stderr: "pipe" });
    expect([done.exitCode, done.stderr.toString()]).toEqual([0, ""]);
    expect(await readFile(join(folder, content), "utf8")).toBe("c".repeat(1_024));
    await rm(folder, { recursive: true });
  });

  test("is refused when any byte of a file differs, or of a header", async () => {
    const whole = await archive();
    // Padding and the end have no meaning: a change there is found by no digest, and needs none.
    for (let at = 0; at < whole.length - 2 * blockBytes; at += 37) {
      const bytes = whole.slice();
      bytes[at]! ^= 0x41;
      if (whole[at] === 0) continue;
      expect([at, await errorOf(bytes)]).toEqual([at, expect.any(ArchiveError)]);
    }
  });

  test("is refused when it ends early, at any block", async () => {
    const whole = await archive();
    for (let end = 0; end < whole.length - 2 * blockBytes; end += blockBytes)
      expect([end, await errorOf(whole.subarray(0, end))]).toEqual([end, expect.any(ArchiveError)]);
  });

  test("is refused without one of the files that every backup has", async () => {
    for (const name of backedUpNames) {
      const error = await errorOf(await archive(entries().filter((one) => one.name !== name)));
      expect(String(error)).toContain(`is damaged: "${name}" is missing`);
    }
  });

  test.each(["../catalog.db", "/etc/passwd", "packages/x/content", "other"])(
    "is refused with the file %s",
    async (name) => {
      const error = await errorOf(await archive([...entries(), entry(name, "text")]));
      expect(String(error)).toContain(`it has a file "${name}"`);
    },
  );

  test("of another program is no backup", async () => {
    const foreign = new Uint8Array(2_048);
    foreign.set(tarHeader({ name: "readme", sizeBytes: 5 }, 0));
    for (const bytes of [new Uint8Array(), new TextEncoder().encode("hello"), foreign])
      expect(String(await errorOf(bytes))).toContain("is not a backup of a flockcast source");
  });

  test("is not written when a file has other bytes than it stated", async () => {
    for (const sizeBytes of [1, 999])
      await expect(archive([{ ...entry("catalog.db", "text"), sizeBytes }])).rejects.toThrow(
        '"catalog.db" changed while it was backed up',
      );
  });
});

test.each([0, 511, 0o77777777777, 0o77777777777 + 1, 5e12])("a header carries the size %p", (sizeBytes) => {
  const block = tarHeader({ name: content, sizeBytes }, 0);
  expect(readTarHeader(block)).toEqual({ name: content, sizeBytes });
  block[0]! ^= 1;
  expect(readTarHeader(block)).toBeNull();
});
