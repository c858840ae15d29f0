/** Ledger and disk as a crash or a person may leave them, and what a start makes of both. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { testKey, testPackage, type TestPackage } from "../model/testing.ts";
import type { Random } from "../simulation/random.ts";
import { simulatedCache } from "../simulation/testing.ts";
import type { CacheEvent } from "./cache-error.ts";
import type { PackageState } from "./ledger.ts";
import { PackageFiles } from "./package-files.ts";
import { PackageStore } from "./package-store.ts";
import { adoptUnlisted, packageRow, reconcile, reconcileListed } from "./reconcile.ts";

const key = testKey();
/** Chunks 0 and 1 are in a.bin, chunk 2 is in b.bin. */
const tool = testPackage(key, { files: { "a.bin": 2_000, "b.bin": 1_000 } });
const all = [0, 1, 2];

/** A simulated cache with what the tests put into it and read of it. */
function newCache() {
  const { files, clock, ledger, folder, log, events } = simulatedCache();
  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    await files.remove(path);
    const file = await files.open(path, "write", 0o644);
    await file.write(bytes, 0, bytes.length, 0, "cached");
  };
  const pathOf = ({ id, manifest }: TestPackage, place: "partial" | "final"): string =>
    place === "partial" ? folder.partialPath(id) : folder.finalPath(manifest.name, manifest.version);
  /** Writes the files of a package, by default whole and right. */
  const writeFiles = async (
    of: TestPackage,
    place: "partial" | "final",
    changed: Files = {},
  ): Promise<void> => {
    let at = 0;
    for (const { path, sizeBytes } of of.manifest.files) {
      const change = changed[path];
      const bytes = of.stream.slice(at, at + sizeBytes);
      if (change !== null) await write(join(pathOf(of, place), path), change?.(bytes) ?? bytes);
      at += sizeBytes;
    }
  };
  const openStore = async (id: string): Promise<PackageStore | null> => {
    const row = ledger.packages().find((each) => each.id === id);
    const loaded = await folder.loadManifest(id);
    if (!row || !loaded) return null;
    const { name, version, state } = row;
    const paths = { partialPath: folder.partialPath(id), finalPath: folder.finalPath(name, version) };
    return new PackageStore({ ...loaded, ...paths, id, ledger, state, files, clock, log });
  };
  const listChunks = (of: TestPackage, chunks: readonly number[]): void =>
    ledger.addChunks(
      of.id,
      chunks.map((chunk) => ({ chunk, bytes: of.chunk(chunk).length, origin: "wan", verifiedAtMs: 0 })),
    );
  return {
    files,
    ledger,
    folder,
    write,
    writeFiles,
    listChunks,
    openStore,
    exists: async (path: string) => (await files.entryAt(path)) !== null,
    /** Starts the cache, opens its complete packages, and returns the events of that. */
    start: async (): Promise<CacheEvent["event"][]> => {
      await reconcile({ folder, ledger, log });
      await adoptUnlisted({ folder, ledger, log, openStore }, [key.publicKey]);
      for (const row of ledger.uses())
        if (row.state === "complete") await reconcileListed({ folder, ledger, log }, row);
      return events.splice(0);
    },
    /** Starts the cache, and returns the paths that were looked up or read. */
    pathsOfStart: async (): Promise<string[]> => {
      const paths: string[] = [];
      const { readFile, entryAt } = files;
      files.readFile = (path) => (paths.push(path), readFile(path));
      files.entryAt = (path) => (paths.push(path), entryAt(path));
      await reconcile({ folder, ledger, log });
      return paths;
    },
    /** State of a package in the ledger, its listed chunks and the place of its files. */
    found: async (of: TestPackage): Promise<Found> => {
      const row = ledger.packages().find(({ id }) => id === of.id);
      const places = [];
      for (const place of ["partial", "final"] as const)
        if (await files.entryAt(pathOf(of, place))) places.push(place);
      const listed = ledger.chunks(of.id).map(({ chunk }) => chunk);
      return { state: row?.state ?? null, listed, at: places.join("+") || "nowhere" };
    },
  };
}

/** Changes of a package's files by path; null: the file is missing. */
type Files = Readonly<Record<string, null | ((bytes: Uint8Array) => Uint8Array)>>;
type Found = { state: PackageState | null; listed: number[]; at: string };
type Before = {
  /** State of the package's row; null: the ledger has none. */
  row: PackageState | null;
  listed?: readonly number[];
  at: "partial" | "final" | "nowhere";
  changed?: Files;
  hasManifest?: boolean;
};

const cutTo = (sizeBytes: number) => (bytes: Uint8Array) => bytes.slice(0, sizeBytes);
const flipFirst = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
const lengthen = (bytes: Uint8Array): Uint8Array => Uint8Array.of(...bytes, 0);

async function cacheWith(before: Before) {
  const cache = newCache();
  const { row, listed = [], at, changed = {}, hasManifest = true } = before;
  if (hasManifest) await cache.folder.saveManifest(tool.id, tool.signed);
  if (at !== "nowhere") await cache.writeFiles(tool, at, changed);
  if (row !== null) cache.ledger.addPackage(packageRow(tool.id, tool.manifest));
  cache.listChunks(tool, listed);
  if (row === "complete") cache.ledger.setState(tool.id, "complete");
  return cache;
}

type Row = [what: string, before: Before, after: Found, events: CacheEvent["event"][]];

test("a start neither reads nor looks up the files of a complete package", async () => {
  const complete = await cacheWith({ row: "complete", listed: all, at: "final" });
  expect(await complete.pathsOfStart()).toEqual([]);
  const partial = await cacheWith({ row: "partial", listed: all, at: "partial" });
  expect(await partial.pathsOfStart()).toContain(join(partial.folder.partialPath(tool.id), "a.bin"));
});

test("looks up each file of a package once", async () => {
  const cache = await cacheWith({ row: "partial", listed: all, at: "partial" });
  const paths = (await cache.pathsOfStart()).filter((path) => path.endsWith(".bin"));
  expect(paths.length).toBe(2);
});

describe("a listed package at a start, or opened after it", () => {
  test.each<Row>([
    [
      "with its files is left as it is",
      { row: "partial", listed: [0, 2], at: "partial" },
      { state: "partial", listed: [0, 2], at: "partial" },
      [],
    ],
    [
      "whose file is missing loses the chunks in it",
      { row: "partial", listed: all, at: "partial", changed: { "b.bin": null } },
      { state: "partial", listed: [0, 1], at: "partial" },
      ["chunks-dropped"],
    ],
    [
      "whose file is short loses the chunks beyond its end",
      { row: "partial", listed: all, at: "partial", changed: { "a.bin": cutTo(1_999) } },
      { state: "partial", listed: [0, 2], at: "partial" },
      ["chunks-dropped"],
    ],
    [
      "without files loses all chunks",
      { row: "partial", listed: all, at: "nowhere" },
      { state: "partial", listed: [], at: "nowhere" },
      ["chunks-dropped"],
    ],
    [
      "that is complete is left as it is",
      { row: "complete", listed: all, at: "final" },
      { state: "complete", listed: all, at: "final" },
      [],
    ],
    [
      "that was moved but not marked becomes complete",
      { row: "partial", listed: all, at: "final" },
      { state: "complete", listed: all, at: "final" },
      [],
    ],
    [
      "that was moved back but not marked becomes partial",
      { row: "complete", listed: all, at: "partial" },
      { state: "partial", listed: all, at: "partial" },
      [],
    ],
    [
      "that is complete without its folder becomes partial without chunks",
      { row: "complete", listed: all, at: "nowhere" },
      { state: "partial", listed: [], at: "nowhere" },
      ["chunks-dropped"],
    ],
    [
      "that is complete with a short file is moved back without the chunks beyond its end",
      { row: "complete", listed: all, at: "final", changed: { "b.bin": cutTo(900) } },
      { state: "partial", listed: [0, 1], at: "partial" },
      ["chunks-dropped"],
    ],
    [
      "that is complete with a file that is too long is moved back with its chunks",
      { row: "complete", listed: all, at: "final", changed: { "b.bin": lengthen } },
      { state: "partial", listed: all, at: "partial" },
      [],
    ],
    [
      "that is partial without a manifest leaves the cache with its files",
      { row: "partial", listed: [0], at: "partial", hasManifest: false },
      { state: null, listed: [], at: "nowhere" },
      ["package-dropped"],
    ],
    [
      "that is complete without a manifest leaves the cache with its files",
      { row: "complete", listed: all, at: "final", hasManifest: false },
      { state: null, listed: [], at: "nowhere" },
      ["package-dropped"],
    ],
  ])("%s", async (_, before, after, events) => {
    const cache = await cacheWith(before);
    expect(await cache.start()).toEqual(events);
    expect(await cache.found(tool)).toEqual(after);
    // Nothing is left to correct at the next start.
    expect(await cache.start()).toEqual([]);
    expect(await cache.found(tool)).toEqual(after);
  });
});

describe("a package that the ledger does not list", () => {
  test.each<Row>([
    [
      "is complete when all chunks of its partial files verify",
      { row: null, at: "partial" },
      { state: "complete", listed: all, at: "final" },
      ["package-completed", "ledger-rebuilt"],
    ],
    [
      "is complete when all chunks of its final files verify",
      { row: null, at: "final" },
      { state: "complete", listed: all, at: "final" },
      ["package-completed", "ledger-rebuilt"],
    ],
    [
      "is listed with the chunks that verify",
      { row: null, at: "partial", changed: { "b.bin": flipFirst } },
      { state: "partial", listed: [0, 1], at: "partial" },
      ["ledger-rebuilt"],
    ],
    [
      "is moved back when not all chunks of its final files verify",
      { row: null, at: "final", changed: { "b.bin": null } },
      { state: "partial", listed: [0, 1], at: "partial" },
      ["ledger-rebuilt"],
    ],
    [
      "leaves the cache when it has no manifest",
      { row: null, at: "partial", hasManifest: false },
      { state: null, listed: [], at: "nowhere" },
      [],
    ],
    [
      "leaves the cache when it has no files",
      { row: null, at: "nowhere" },
      { state: null, listed: [], at: "nowhere" },
      [],
    ],
  ])("%s", async (_, before, after, events) => {
    const cache = await cacheWith(before);
    expect(await cache.start()).toEqual(events);
    expect(await cache.found(tool)).toEqual(after);
    expect(await cache.folder.manifestIds()).toEqual(after.state === null ? [] : [tool.id]);
    expect(await cache.start()).toEqual([]);
    expect(await cache.found(tool)).toEqual(after);
  });

  test('lists its verified chunks with the origin "cache"', async () => {
    const cache = await cacheWith({ row: null, at: "partial" });
    await cache.start();
    expect(cache.ledger.packages()[0]!.originBytes).toEqual({ wan: 0, multicast: 0, peers: 0, cache: 3_000 });
  });

  test("is not listed when its signature is wrong", async () => {
    const cache = newCache();
    const signature = flipFirst(tool.signed.signature);
    await cache.folder.saveManifest(tool.id, { ...tool.signed, signature });
    await cache.writeFiles(tool, "partial");
    await cache.start();
    expect(await cache.found(tool)).toMatchObject({ state: null });
    expect(await cache.folder.manifestIds()).toEqual([]);
  });

  test("is not listed when a key signed it that is not one of the publishers'", async () => {
    const cache = newCache();
    const foreign = testPackage(testKey(), { name: "tool", files: { "install.sh": 500 }, seed: 3 });
    await cache.folder.saveManifest(foreign.id, foreign.signed);
    await cache.writeFiles(foreign, "partial");
    await cache.start();
    expect(await cache.found(foreign)).toEqual({ state: null, listed: [], at: "nowhere" });
    expect(await cache.folder.manifestIds()).toEqual([]);
  });

  test("stays unlisted and untouched until the device knows its publishers", async () => {
    const cache = await cacheWith({ row: null, at: "partial" });
    const { folder, ledger, openStore } = cache;
    await reconcile({ folder, ledger, log: () => {} });
    expect(await cache.found(tool)).toEqual({ state: null, listed: [], at: "partial" });
    await adoptUnlisted({ folder, ledger, openStore, log: () => {} }, [key.publicKey]);
    expect((await cache.found(tool)).state).toBe("complete");
  });

  test("is not listed when the ledger lists another package of its name, in other letters", async () => {
    const cache = await cacheWith({ row: "partial", listed: [0], at: "partial" });
    const other = testPackage(key, { name: "TOOL", files: { "a.bin": 500 }, seed: 2 });
    await cache.folder.saveManifest(other.id, other.signed);
    await cache.writeFiles(other, "partial");
    await cache.start();
    expect(await cache.found(other)).toEqual({ state: null, listed: [], at: "nowhere" });
    expect(await cache.found(tool)).toEqual({ state: "partial", listed: [0], at: "partial" });
  });
});

describe("files of a person", () => {
  test("at the place of a partial package stay there", async () => {
    const cache = await cacheWith({ row: "partial", listed: [0, 2], at: "partial" });
    const mine = join(cache.folder.finalPath("tool", "1.0"), "mine.txt");
    await cache.write(mine, Uint8Array.of(1));
    expect(await cache.start()).toEqual([]);
    expect(await cache.exists(mine)).toBe(true);
    expect(await cache.found(tool)).toEqual({ state: "partial", listed: [0, 2], at: "partial+final" });
  });

  test("at the place of a package with every chunk stay there when it was not moved yet", async () => {
    const cache = await cacheWith({ row: "partial", listed: all, at: "partial" });
    const mine = join(cache.folder.finalPath("tool", "1.0"), "mine.txt");
    await cache.write(mine, Uint8Array.of(1));
    expect(await cache.start()).toEqual([]);
    expect(await cache.exists(mine)).toBe(true);
    expect(await cache.found(tool)).toEqual({ state: "partial", listed: all, at: "partial+final" });
  });

  test("at the place of a partial package stay there when its manifest is lost", async () => {
    const cache = await cacheWith({ row: "partial", listed: [0, 2], at: "partial", hasManifest: false });
    const mine = join(cache.folder.finalPath("tool", "1.0"), "mine.txt");
    await cache.write(mine, Uint8Array.of(1));
    expect(await cache.start()).toEqual(["package-dropped"]);
    expect(await cache.exists(mine)).toBe(true);
    expect(await cache.found(tool)).toEqual({ state: null, listed: [], at: "final" });
  });

  test.each([
    ["name", { name: "../../outside" }],
    ["version", { version: "../../../outside/1.0" }],
    ["id", { id: "../../outside" }],
  ])("outside the cache are not touched by a row whose %s leads there", async (_, change) => {
    const cache = newCache();
    const mine = "/outside/1.0/mine.txt";
    await cache.write(mine, Uint8Array.of(1));
    const row = { ...packageRow(tool.id, tool.manifest), ...change };
    cache.ledger.addPackage(row);
    cache.ledger.setState(row.id, "complete");
    expect(await cache.start()).toEqual(["package-dropped"]);
    expect(cache.ledger.packages()).toEqual([]);
    expect(await cache.exists(mine)).toBe(true);
  });
});

test("a power cut between the move of a package and its mark loses nothing that the ledger lists", async () => {
  const cache = newCache();
  await cache.folder.saveManifest(tool.id, tool.signed);
  cache.ledger.addPackage(packageRow(tool.id, tool.manifest));
  const store = (await cache.openStore(tool.id))!;
  for (const chunk of all) await store.writeChunk(chunk, tool.chunk(chunk), "wan");
  const { relocate } = PackageFiles.prototype;
  let moves = 0;
  PackageFiles.prototype.relocate = async function (...place) {
    // Without power the package is not moved back.
    if (++moves === 1) await relocate.apply(this, place);
    // The last transactions that are not durable are lost.
    cache.ledger.cutPower({ whole: (_least: number, most: number) => most } as unknown as Random);
    throw new Error("no power");
  };
  try {
    await expect(store.complete()).rejects.toThrow("no power");
  } finally {
    PackageFiles.prototype.relocate = relocate;
  }
  expect(await cache.found(tool)).toEqual({ state: "partial", listed: all, at: "final" });
  await cache.start();
  expect(await cache.found(tool)).toEqual({ state: "complete", listed: all, at: "final" });
});
