import { afterEach, describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { temporaryFolder, testKey, testPackage, type TestPackage } from "../model/testing.ts";
import { CacheError, type CacheErrorCode, type CacheEvent } from "./cache-error.ts";
import { openLedgerReadOnly } from "./disk/ledger-sqlite.ts";
import { openCache } from "./disk/open-cache.ts";
import type { CacheOptions, DistributionCache } from "./distribution-cache.ts";
import type { ChunkOrigin } from "./ledger.ts";
import type { PackageStore } from "./package-store.ts";
import { cacheOptions, clockAt } from "./testing.ts";

const key = testKey();
const pins = [key.publicKey];
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function folder(): string {
  const { path, remove } = temporaryFolder("cache");
  cleanups.push(remove);
  return path;
}

async function open(dir: string, changes: Partial<CacheOptions> = {}): Promise<DistributionCache> {
  const cache = await openCache(cacheOptions(dir, changes));
  cleanups.push(() => cache.close().catch(() => {}));
  return cache;
}

const small = testPackage(key, { files: { "a/one.bin": 2_500, "a/two.bin": 700, empty: 0, "z.bin": 1_000 } });

async function fill(store: PackageStore, from: TestPackage, origin: ChunkOrigin = "wan"): Promise<void> {
  for (let chunk = 0; chunk < store.verified.size; chunk++) {
    await store.writeChunk(chunk, from.chunk(chunk), origin);
  }
}

async function completed(cache: DistributionCache, from: TestPackage): Promise<PackageStore> {
  const store = await cache.begin(from.signed, pins);
  await fill(store, from);
  expect((await store.complete()).ok).toBe(true);
  return store;
}

const codeOf = async (action: Promise<unknown>): Promise<CacheErrorCode> => {
  const error = await action.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CacheError);
  return (error as CacheError).code;
};

const namesBelow = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
const visible = (dir: string): string[] =>
  namesBelow(join(dir, "cache")).filter((name) => !name.startsWith("."));

describe("a package", () => {
  test("moves to its final path only when every chunk verifies from disk, with modes and empty files", async () => {
    const dir = folder();
    const cache = await open(dir);
    const store = await cache.begin(small.signed, pins);
    expect(store.verified.size).toBe(5);
    for (const chunk of [4, 2, 0, 3])
      expect(await store.writeChunk(chunk, small.chunk(chunk), "multicast")).toBe("stored");
    expect(store.path).toBeNull();
    expect(await store.complete()).toEqual({ ok: false, badChunks: [1], paths: expect.any(Array) });
    expect(visible(dir)).toEqual([]);
    await store.writeChunk(1, small.chunk(1), "peers");
    const done = await store.complete();
    const path = join(dir, "cache", "tool", "1.0");
    expect(done).toEqual({ ok: true, path });
    expect(store.state).toBe("complete");
    const bytes = small.manifest.files.map((file) => readFileSync(join(path, file.path)));
    expect(Buffer.concat(bytes).equals(small.stream)).toBe(true);
    expect(statSync(join(path, "empty")).mode & 0o777).toBe(0o644);
    expect(namesBelow(join(dir, "cache", ".partial"))).toEqual([]);
    expect(store.originBytes).toEqual({ wan: 0, multicast: 3_176, peers: 1_024, cache: 0 });
    expect(await store.readChunk(2)).toEqual(small.chunk(2));
    expect(await store.readRange(2, 100, 50)).toEqual(small.chunk(2).subarray(100, 150));
    expect(await store.complete()).toEqual(done);
  });

  test("may have no files, or empty ones only", async () => {
    const dir = folder();
    const cache = await open(dir);
    for (const [name, files] of [
      ["none", {}],
      ["hollow", { "d/e": 0 }],
    ] as const) {
      const store = await completed(cache, testPackage(key, { name, files }));
      expect(existsSync(store.path!)).toBe(true);
    }
    await cache.close();
    const again = await open(dir);
    expect(again.ledger.packages().map((row) => row.state)).toEqual(["complete", "complete"]);
  });

  test("refuses chunks with a wrong digest, length or number, and stores each chunk once", async () => {
    const cache = await open(folder());
    const store = await cache.begin(small.signed, pins);
    expect(await store.writeChunk(0, small.chunk(1), "wan")).toBe("wrong-digest");
    expect(await store.writeChunk(0, small.chunk(0).subarray(1), "wan")).toBe("wrong-digest");
    expect(await store.writeChunk(5, new Uint8Array(0), "wan")).toBe("wrong-digest");
    expect(await store.writeChunk(-1, small.chunk(0), "wan")).toBe("wrong-digest");
    const both = await Promise.all([1, 2].map(() => store.writeChunk(0, small.chunk(0), "wan")));
    expect(both.toSorted()).toEqual(["known", "stored"]);
    expect(await store.writeChunk(0, small.chunk(0), "peers")).toBe("known");
    await store.flush();
    const [row] = cache.ledger.packages();
    expect(row!.receiptsMax).toBe(1);
    expect(row!.originBytes).toEqual({ wan: 1_024, multicast: 0, peers: 0, cache: 0 });
  });

  test("stores unverified bytes in place, and never over verified ones", async () => {
    const cache = await open(folder());
    const store = await cache.begin(small.signed, pins);
    const half = small.chunk(1).subarray(512);
    expect(await store.writeUnverified(1, 512, half)).toBe(true);
    const into = new Uint8Array(1_024);
    expect(await store.readRaw(1, into)).toBe(1_024);
    expect(Buffer.from(into.subarray(512)).equals(half)).toBe(true);
    expect(into.subarray(0, 512)).toEqual(new Uint8Array(512));
    expect(store.verified.has(1)).toBe(false);
    expect(await codeOf(store.readChunk(1))).toBe("not-verified");
    // Both writes start at once: in either order the verified bytes remain.
    const garbage = new Uint8Array(1_024).fill(7);
    await Promise.all([store.writeChunk(1, small.chunk(1), "wan"), store.writeUnverified(1, 0, garbage)]);
    expect(await store.readChunk(1)).toEqual(small.chunk(1));
    expect(await store.writeUnverified(1, 0, garbage)).toBe(false);
    expect(store.writeUnverified(1, 1_000, garbage)).rejects.toThrow(RangeError);
  });

  test("with a damaged file reports its bad chunks and is not completed", async () => {
    const dir = folder();
    const cache = await open(dir);
    const store = await cache.begin(small.signed, pins);
    await fill(store, small);
    await store.flush();
    const file = join(dir, "cache", ".partial", small.id, "a", "one.bin");
    const bytes = readFileSync(file);
    bytes[1_500]! ^= 1;
    writeFileSync(file, bytes);
    expect(await store.complete()).toEqual({ ok: false, badChunks: [1], paths: expect.any(Array) });
    expect(store.verified.has(1)).toBe(false);
    expect(cache.ledger.packages()[0]!.chunksVerified).toBe(4);
    expect(visible(dir)).toEqual([]);
    await store.writeChunk(1, small.chunk(1), "wan");
    expect((await store.complete()).ok).toBe(true);
  });

  test("with many files keeps only few of them open", async () => {
    const dir = folder();
    const files = Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`d${index % 7}/f${index}`, 50]),
    );
    const many = testPackage(key, { files, chunkSizeBytes: 4_096 });
    const cache = await open(dir);
    const store = await cache.begin(many.signed, pins);
    await fill(store, many);
    expect(readdirSync("/proc/self/fd").length).toBeLessThan(200);
    expect((await store.complete()).ok).toBe(true);
    expect(await store.check()).toEqual([]);
  });

  test("from an unknown publisher, or with the name of another package, is refused", async () => {
    const cache = await open(folder());
    expect(cache.begin(small.signed, [testKey().publicKey])).rejects.toThrow("Unknown publisher");
    await cache.begin(small.signed, pins);
    const other = testPackage(key, { name: "TOOL", files: { x: 10 } });
    expect(await codeOf(cache.begin(other.signed, pins))).toBe("conflict");
  });

  test("does not replace files of the user at its final path", async () => {
    const dir = folder();
    const cache = await open(dir);
    const store = await cache.begin(small.signed, pins);
    await fill(store, small);
    await Bun.write(join(dir, "cache", "tool", "1.0", "mine.txt"), "precious");
    expect(await codeOf(store.complete())).toBe("path-taken");
    await cache.close();
    await open(dir);
    expect(readFileSync(join(dir, "cache", "tool", "1.0", "mine.txt"), "utf8")).toBe("precious");
  });
});

describe("after a restart", () => {
  test("begin resumes with the chunks in the ledger", async () => {
    const dir = folder();
    const first = await open(dir);
    const store = await first.begin(small.signed, pins, { id: 7, packageId: small.id });
    await store.writeChunk(0, small.chunk(0), "wan");
    await store.writeChunk(3, small.chunk(3), "peers");
    await first.close();
    expect(await codeOf(store.readChunk(0))).toBe("closed");
    const again = await open(dir);
    const resumed = await again.begin(small.signed, pins);
    expect([...resumed.verified]).toEqual([0, 3]);
    expect(resumed.originBytes).toEqual({ wan: 1_024, multicast: 0, peers: 700, cache: 0 });
    expect(again.ledger.packages()[0]!.pinnedBy).toEqual([7]);
  });

  test("chunks whose files are missing or too short are dropped from the ledger", async () => {
    const dir = folder();
    const first = await open(dir);
    await fill(await first.begin(small.signed, pins), small);
    await first.close();
    const partial = join(dir, "cache", ".partial", small.id);
    truncateSync(join(partial, "a", "one.bin"), 2_000);
    unlinkSync(join(partial, "z.bin"));
    const again = await open(dir);
    const store = (await again.find(small.id))!;
    expect([...store.verified]).toEqual([0, 3]);
  });

  test("a complete package with a missing file becomes partial, and leaves its final path", async () => {
    const dir = folder();
    const first = await open(dir);
    const { path } = await completed(first, small);
    await first.close();
    unlinkSync(join(path!, "z.bin"));
    const again = await open(dir);
    const store = await again.begin(small.signed, pins);
    expect(visible(dir).flatMap((name) => namesBelow(join(dir, "cache", name)))).toEqual([]);
    expect(store.state).toBe("partial");
    await fill(store, small);
    expect((await store.complete()).ok).toBe(true);
  });

  test("of damaged ledgers three are kept, the last one among them", async () => {
    const dir = folder();
    for (let round = 1; round <= 5; round++) {
      writeFileSync(join(dir, "ledger.db"), `damaged ${round} `.repeat(500));
      await (await open(dir)).close();
    }
    const kept = readdirSync(dir).filter((name) => name.includes("damaged"));
    expect(kept.toSorted()).toEqual([1, 2, 3].map((number) => `ledger.db.damaged-${number}`));
    expect(readFileSync(join(dir, "ledger.db.damaged-3"), "utf8")).toStartWith("damaged 5 ");
  });

  test("a package that was moved but not marked complete is complete", async () => {
    const dir = folder();
    const first = await open(dir);
    await completed(first, small);
    await first.close();
    const raw = new Database(join(dir, "ledger.db"));
    raw.run("UPDATE packages SET state = 'partial'");
    raw.close();
    expect((await open(dir)).ledger.packages()[0]!.state).toBe("complete");
  });

  test("a damaged ledger is renamed and rebuilt from the chunks that verify; an unreadable identity is lost", async () => {
    const dir = folder();
    const first = await open(dir);
    await completed(first, small);
    const half = testPackage(key, { name: "half", files: { h: 5_000 }, seed: 2 });
    const store = await first.begin(half.signed, pins);
    await store.writeChunk(1, half.chunk(1), "wan");
    await first.close();
    writeFileSync(
      join(dir, "ledger.db"),
      "this is no database, and long enough to be taken for one".repeat(100),
    );
    const events: CacheEvent[] = [];
    const again = await open(dir, { log: (event) => events.push(event) });
    expect(again.ledger.packages()).toEqual([]);
    await again.adoptFound(pins);
    expect(readdirSync(dir)).toContain("ledger.db.damaged-1");
    expect(events.find((event) => event.event === "ledger-damaged")?.message).toContain(
      "ledger.db.damaged-1",
    );
    expect(again.ledger.packages().map((row) => [row.name, row.state, row.chunksVerified])).toEqual([
      ["half", "partial", 1],
      ["tool", "complete", 5],
    ]);
    expect(again.ledger.packages()[1]!.originBytes.cache).toBe(4_200);
    expect(again.ledger.identity()).toBeNull();
  });

  test("a partly damaged ledger keeps identity and tasks", async () => {
    const dir = folder();
    const first = await open(dir);
    const big = testPackage(key, { files: { big: 600_000 } });
    await completed(first, big);
    const identity = {
      sourceUrl: "http://s",
      deviceId: "d",
      credential: "c",
      deployment: 1,
      trustRoot: null,
      sourceIdentity: "5".repeat(64),
      tlsSpki: null,
      announcedUrl: null,
      formerUrls: [],
    };
    first.ledger.saveIdentity(identity);
    first.ledger.saveTask(4, { state: "ran" });
    await first.close();
    const file = join(dir, "ledger.db");
    const raw = new Database(file);
    raw.run("PRAGMA wal_checkpoint(TRUNCATE)");
    const page = raw
      .query<{ rootpage: number }, []>("SELECT rootpage FROM sqlite_schema WHERE name = 'chunks'")
      .get()!.rootpage;
    raw.close();
    const bytes = readFileSync(file);
    bytes.fill(0xff, (page - 1) * 4_096, page * 4_096);
    writeFileSync(file, bytes);
    const again = await open(dir);
    expect(readdirSync(dir)).toContain("ledger.db.damaged-1");
    expect(again.ledger.identity()).toEqual(identity);
    expect(again.ledger.tasks().map((task) => task.taskId)).toEqual([4]);
    await again.adoptFound(pins);
    expect(again.ledger.packages()[0]!.state).toBe("complete");
  });

  test("a ledger of a newer version is refused and not changed", async () => {
    const dir = folder();
    await (await open(dir)).close();
    const raw = new Database(join(dir, "ledger.db"));
    raw.run("PRAGMA user_version = 99");
    raw.close();
    expect(await codeOf(openCache(cacheOptions(dir)))).toBe("newer-version");
    expect(() => openLedgerReadOnly(dir)).toThrow("99");
    expect(readdirSync(dir).some((name) => name.includes("damaged"))).toBe(false);
  });

  test.each([
    ["name", "../../outside"],
    ["name", ".trash"],
    ["version", "../../../outside/1.0"],
    ["id", "../../outside"],
  ])("a row whose %s is %s is removed, and no file outside the cache", async (column, value) => {
    const dir = folder();
    const data = join(dir, "data");
    const mine = join(dir, "outside", "1.0", "mine");
    mkdirSync(join(mine, ".."), { recursive: true });
    writeFileSync(mine, "");
    const first = await open(data);
    await completed(first, small);
    await first.close();
    const database = new Database(join(data, "ledger.db"));
    database.run(`UPDATE packages SET ${column} = ?`, [value]);
    database.close();
    const events: CacheEvent[] = [];
    const cache = await open(data, { log: (event) => void events.push(event) });
    expect(events.map(({ event }) => event)).toContain("package-dropped");
    expect(cache.ledger.packages().map(({ name, version }) => [name, version])).not.toContainEqual([
      value,
      "1.0",
    ]);
    expect(existsSync(mine)).toBe(true);
  });

  test("a package whose manifest is unreadable is removed from the cache", async () => {
    const dir = folder();
    const first = await open(dir);
    await completed(first, small);
    await first.close();
    writeFileSync(join(dir, "cache", ".manifests", small.id), "garbage");
    const again = await open(dir);
    expect(await again.find(small.id)).toBeNull();
    expect(again.ledger.packages()).toEqual([]);
    expect(visible(dir)).toEqual([]);
    expect(await again.begin(small.signed, pins)).toBeDefined();
  });
});

describe("verify", () => {
  test("does not serve a chunk that changed on the disk, and leaves the package in place", async () => {
    const events: CacheEvent[] = [];
    const cache = await open(folder(), { log: (event) => void events.push(event) });
    const store = await completed(cache, small);
    writeFileSync(join(store.path!, "a/one.bin"), new Uint8Array(2_500));
    await expect(store.readVerified(0)).rejects.toThrow(/not served to other devices/);
    expect(await store.readVerified(3)).toEqual(small.chunk(3));
    expect(store.offered.toRanges()).toEqual([1, 4]);
    expect(store.verified.isFull).toBe(true);
    expect([store.state, existsSync(store.path!)]).toEqual(["complete", true]);
    expect(events.map(({ event }) => event)).toContain("chunk-spoiled");
    await store.check();
    expect(store.offered).toBe(store.verified);
  });

  test("serves a chunk again that was found changed and is right when it is checked", async () => {
    const cache = await open(folder());
    const store = await completed(cache, small);
    const path = join(store.path!, "a/one.bin");
    const bytes = readFileSync(path);
    writeFileSync(path, new Uint8Array(2_500));
    await expect(store.readVerified(0)).rejects.toThrow(/not served to other devices/);
    writeFileSync(path, bytes);
    expect(await store.check()).toEqual([]);
    expect(store.offered).toBe(store.verified);
  });

  test("reads a chunk again that was found changed after its read-back, before the package is completed", async () => {
    const dir = folder();
    const cache = await open(dir);
    const store = await cache.begin(small.signed, pins);
    await fill(store, small);
    await store.flush();
    writeFileSync(join(dir, "cache", ".partial", small.id, "a", "one.bin"), new Uint8Array(2_500));
    await expect(store.readVerified(0)).rejects.toThrow(/it is fetched again/);
    expect(await store.complete()).toEqual({ ok: false, badChunks: [0, 1, 2], paths: expect.any(Array) });
    expect(store.offered.toRanges()).toEqual([3, 2]);
  });

  test("finds changed bytes in a complete package, which then leaves its final path", async () => {
    const dir = folder();
    const cache = await open(dir);
    const { path } = await completed(cache, small);
    await completed(cache, testPackage(key, { name: "fine", files: { x: 3_000 } }));
    const file = join(path!, "z.bin");
    const bytes = readFileSync(file);
    bytes[0]! ^= 1;
    writeFileSync(file, bytes);
    const checks = await cache.verify();
    expect(checks.map((check) => [check.name, check.ok, check.badChunks])).toEqual([
      ["fine", true, []],
      ["tool", false, [4]],
    ]);
    expect(existsSync(path!)).toBe(false);
    expect((await cache.verify("tool", "1.0"))[0]!.ok).toBe(true);
    const store = (await cache.find(small.id))!;
    expect(store.state).toBe("partial");
    expect(store.verified.count).toBe(4);
  });
});

const sized = (name: string, sizeBytes: number): TestPackage =>
  testPackage(key, { name, files: { x: sizeBytes } });

describe("room", () => {
  test("is made by evicting the least recently used of the unused packages", async () => {
    let now = 1_000;
    const dir = folder();
    const cache = await open(dir, { maxBytes: 10_000, clock: clockAt(() => now++) });
    const a = sized("a", 4_000);
    const b = sized("b", 4_000);
    await completed(cache, a);
    await completed(cache, b);
    await cache.begin(a.signed, pins);
    await completed(cache, sized("c", 4_000));
    expect(cache.ledger.packages().map((row) => row.name)).toEqual(["a", "c"]);
    expect(visible(dir).toSorted()).toEqual(["a", "c"]);
  });

  test("is never made by evicting a package that a task, a reader or a download uses", async () => {
    const cache = await open(folder(), { maxBytes: 9_000 });
    const pinned = sized("pinned", 2_000);
    await completed(cache, pinned);
    cache.pin(pinned.id, 3);
    const read = await completed(cache, sized("read", 2_000));
    const release = read.addReader();
    const fetching = await cache.begin(sized("fetching", 2_000).signed, pins);
    const wanted = sized("wanted", 4_000);
    expect(await codeOf(cache.begin(wanted.signed, pins))).toBe("cache-cap");
    for (const name of ["pinned", "read", "fetching"])
      expect(await codeOf(cache.remove(name, "1.0"))).toBe("in-use");
    expect(cache.ledger.packages().length).toBe(3);
    release();
    await cache.begin(wanted.signed, pins);
    expect(cache.ledger.packages().map((row) => row.name)).toEqual(["fetching", "pinned", "wanted"]);
    await fetching.close();
    cache.unpin(pinned.id, 3);
    await cache.remove("pinned", "1.0");
    await cache.remove("fetching", "1.0");
    expect(await codeOf(cache.remove("fetching", "1.0"))).toBe("not-found");
  });

  test("is refused before a byte is stored if the package exceeds the cap", async () => {
    const cache = await open(folder(), { maxBytes: 5_000 });
    expect(await codeOf(cache.begin(sized("big", 5_001).signed, pins))).toBe("cache-cap");
    cache.setLimits({ maxBytes: null, maxAgeMs: null, keepFree: { bytes: 0 } });
    expect(await cache.begin(sized("big", 5_001).signed, pins)).toBeDefined();
  });

  test("is freed by age, and by a lower cap", async () => {
    const cache = await open(folder(), { maxAgeMs: 1_000 });
    await completed(cache, sized("old", 10));
    expect(await cache.evict(1)).toEqual([]);
    await completed(cache, sized("new", 10));
    expect(await cache.evict(900)).toEqual([]);
    expect((await cache.evict(1_500)).map((each) => each.name)).toEqual(["old"]);
    cache.setLimits({ maxBytes: 5, maxAgeMs: null, keepFree: { bytes: 0 } });
    expect((await cache.evict(1_500)).map((each) => each.name)).toEqual(["new"]);
  });

  test.each([
    ["begins in 1970", 0, 2e12],
    ["is set forward by ten years", 2e12 + 3.2e11, 2e12],
  ])("is freed by the source's time when the device's clock %s", async (_, deviceMs, sourceMs) => {
    let wallMs = deviceMs;
    const dir = folder();
    const clock = clockAt(() => wallMs);
    const before = await open(dir, { maxAgeMs: 86_400_000, clock });
    await completed(before, small);
    await before.close();
    wallMs = sourceMs;
    const cache = await open(dir, { maxAgeMs: 86_400_000, clock });
    expect(await cache.evict(sourceMs)).toEqual([]);
    wallMs = deviceMs;
    expect(await cache.evict(sourceMs + 86_400_000)).toEqual([]);
    expect((await cache.evict(sourceMs + 86_400_001)).length).toBe(1);
  });

  test("is not freed by age after the source's clock was years ahead", async () => {
    const cache = await open(folder(), { maxAgeMs: 86_400_000 });
    await completed(cache, small);
    expect(await cache.evict(3e12)).toEqual([]);
    expect(await cache.evict(2e12)).toEqual([]);
    expect(await cache.evict(2e12 + 86_400_000)).toEqual([]);
    expect((await cache.evict(2e12 + 86_400_001)).length).toBe(1);
  });
});

describe("one agent per folder", () => {
  test("a second agent is refused with the pid of the first; reading the ledger works meanwhile", async () => {
    const dir = folder();
    const cache = await open(dir);
    await completed(cache, small);
    expect(await codeOf(openCache(cacheOptions(dir)))).toBe("locked");
    const child = Bun.spawn(
      [
        process.execPath,
        "-e",
        `const at = (file) => import(${JSON.stringify(import.meta.dir)} + "/" + file);
         const { openCache } = await at("index.ts");
         const { cacheOptions } = await at("testing.ts");
         await openCache(cacheOptions(${JSON.stringify(dir)}))`,
      ],
      { stdout: "ignore", stderr: "pipe" },
    );
    const refused = await new Response(child.stderr).text();
    expect(await child.exited).not.toBe(0);
    expect(refused).toContain(`pid ${process.pid}`);
    const reader = openLedgerReadOnly(dir);
    expect(reader.packages().map((row) => [row.name, row.state, row.bytesVerified])).toEqual([
      ["tool", "complete", 4_200],
    ]);
    reader.close();
    await cache.close();
    const afterwards = openLedgerReadOnly(dir);
    expect(afterwards.packages().length).toBe(1);
    afterwards.close();
    await open(dir);
  });

  test("reading a folder without a ledger fails with a message", () => {
    expect(() => openLedgerReadOnly(folder())).toThrow("There is no ledger");
  });
});

describe("the ledger", () => {
  test("finds a package by its id, and by its name in any case", async () => {
    const cache = await open(folder());
    const store = await completed(cache, small);
    const { name, version, sizeBytes } = small.manifest;
    const head = cache.ledger.package(store.id);
    expect(head).toMatchObject({ id: store.id, name, version, sizeBytes, state: "complete", chunkCount: 5 });
    expect(cache.ledger.packageNamed(name.toUpperCase(), version)).toEqual(head);
    expect(cache.ledger.package("00".repeat(32))).toBeNull();
    expect(cache.ledger.packageNamed(name, "9.9")).toBeNull();
  });

  test("keeps tasks and identity, unreadable for other users", async () => {
    const dir = folder();
    const cache = await open(dir);
    expect(cache.ledger.identity()).toBeNull();
    cache.ledger.saveTask(2, { state: "waiting" });
    cache.ledger.saveTask(1, { state: "complete", code: 0 });
    cache.ledger.saveTask(2, { state: "running" });
    cache.ledger.deleteTask(1);
    const identity = {
      sourceUrl: "https://source.example",
      deviceId: "0123456789abcdef",
      credential: "secret",
      deployment: 5,
      trustRoot: "7".repeat(64),
      sourceIdentity: "5".repeat(64),
      tlsSpki: "6".repeat(64),
      announcedUrl: null,
      formerUrls: [],
    };
    cache.ledger.saveIdentity(identity);
    if (process.platform !== "win32") {
      for (const name of ["ledger.db", "ledger.db-wal"])
        expect(statSync(join(dir, name)).mode & 0o077).toBe(0);
    }
    await cache.close();
    const again = await open(dir);
    expect(again.ledger.identity()).toEqual(identity);
    expect(again.ledger.tasks().map((task) => [task.taskId, task.state])).toEqual([
      [2, { state: "running" }],
    ]);
    await again.close();
    const raw = new Database(join(dir, "ledger.db"));
    // As an earlier version wrote it, and as nobody wrote it.
    const { sourceIdentity: _, ...earlier } = identity;
    for (const value of [JSON.stringify(earlier), "{", JSON.stringify({ ...identity, sourceIdentity: 7 })]) {
      raw.query("UPDATE facts SET value = ? WHERE name = 'identity'").run(value);
      const third = await open(dir);
      expect(third.ledger.identity()).toBeNull();
      await third.close();
    }
    raw.close();
  });
});

/** Mounts a small disk; returns the reason if that is not possible. */
function smallDisk(sizeBytes: number): { path: string } | { reason: string } {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return { reason: "needs root on Linux to mount a tmpfs" };
  const { path, remove } = temporaryFolder("disk");
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", path]);
  if (mounted.exitCode !== 0) {
    remove();
    return { reason: `mount: ${mounted.stderr.toString().trim()}` };
  }
  cleanups.push(() => {
    Bun.spawnSync(["umount", "-l", path]);
    rmSync(path, { recursive: true, force: true });
  });
  return { path };
}

describe("a full disk", () => {
  test("causes a clear error and leaves the cache valid; the package completes once there is room", async () => {
    const disk = smallDisk(6_000_000);
    if ("reason" in disk) return console.warn(`skipped: ${disk.reason}`);
    const cache = await open(disk.path);
    const wanted = testPackage(key, { files: { x: 3_000_000 }, chunkSizeBytes: 65_536 });
    const tooBig = testPackage(key, { name: "big", files: { x: 5_900_000 }, chunkSizeBytes: 65_536 });
    expect(await codeOf(cache.begin(tooBig.signed, pins))).toBe("disk-full");
    const store = await cache.begin(wanted.signed, pins);
    const rival = testPackage(key, { name: "rival", files: { x: 2_800_000 }, chunkSizeBytes: 65_536 });
    // 3 MB are reserved for the first package, although none of them is written yet.
    expect(await codeOf(cache.begin(rival.signed, pins))).toBe("disk-full");
    const ballast = join(disk.path, "ballast");
    Bun.spawnSync(["sh", "-c", `head -c 4000000 /dev/zero > ${ballast}`]);
    const failed = await fill(store, wanted).then(
      () => null,
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(CacheError);
    expect((failed as CacheError).code).toBe("disk-full");
    expect((failed as CacheError).message).toContain("free space");
    expect(store.verified.count).toBeGreaterThan(5);
    expect(store.verified.isFull).toBe(false);
    expect((await cache.verify()).every((check) => check.ok)).toBe(true);
    unlinkSync(ballast);
    await fill(store, wanted);
    expect((await store.complete()).ok).toBe(true);
    expect(cache.ledger.packages()[0]!.receiptsMax).toBe(1);
  });
});

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

test("a process killed at any moment leaves a ledger that lists only chunks on the disk", async () => {
  const dir = folder();
  const seed = 11;
  const wanted = testPackage(key, {
    files: { "a.bin": 4_000_000, "b/c.bin": 3_000_000 },
    chunkSizeBytes: 32_768,
    seed,
  });
  const envelope = JSON.stringify({
    manifest: base64(wanted.signed.manifest),
    signature: base64(wanted.signed.signature),
    publisherKey: base64(wanted.signed.publisherKey),
  });
  let before = 0;
  let state = "partial";
  for (let round = 0; round < 12 && state === "partial"; round++) {
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, "testing-writer.ts"), dir, envelope, String(seed)],
      {
        stdout: "pipe",
        stderr: "inherit",
      },
    );
    const reader = child.stdout.getReader();
    await reader.read();
    // The last rounds may run to the end, so that kills hit completion too and the test ends.
    await Promise.race([Bun.sleep(round < 8 ? Math.random() * 300 : 8_000), child.exited]);
    child.kill("SIGKILL");
    await child.exited;
    const cache = await openCache(cacheOptions(dir));
    const [row] = cache.ledger.packages();
    expect((await cache.verify()).flatMap((check) => check.badChunks)).toEqual([]);
    expect(row!.receiptsMax).toBeLessThanOrEqual(1);
    expect(row!.chunksVerified).toBeGreaterThanOrEqual(before);
    before = row!.chunksVerified;
    state = row!.state;
    expect(visible(dir).length).toBe(state === "complete" ? 1 : 0);
    await cache.close();
  }
  expect(state).toBe("complete");
}, 60_000);
