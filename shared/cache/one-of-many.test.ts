/** One package or file that fails among others: at a start, when room is made, in the trash. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { testKey, testPackage, type TestPackage } from "../model/testing.ts";
import { simulatedCache } from "../simulation/testing.ts";
import { DistributionCache } from "./distribution-cache.ts";

const key = testKey();
const sized = (name: string): TestPackage => testPackage(key, { name, files: { x: 4_000 } });
const [a, b, c] = [sized("a"), sized("b"), sized("c")];

/** A cache of at most two of the packages, whose files fail where `fails` holds. */
function newCache() {
  const parts = simulatedCache();
  const { files, ledger, clock, log } = parts;
  const fails = { at: (_doing: string, _path: string): boolean => false };
  const failing =
    <T extends unknown[], R>(doing: string, call: (path: string, ...rest: T) => Promise<R>) =>
    async (path: string, ...rest: T): Promise<R> => {
      if (fails.at(doing, path)) throw Object.assign(new Error(`EIO: ${doing} ${path}`), { code: "EIO" });
      return call(path, ...rest);
    };
  files.entryAt = failing("entryAt", files.entryAt);
  files.readFile = failing("readFile", files.readFile);
  files.rename = failing("rename", files.rename);
  files.remove = failing("remove", files.remove);
  const open = async (): Promise<DistributionCache> => {
    const cache = new DistributionCache(
      { dir: "/data", maxBytes: 8_000, maxAgeMs: null, clock, log },
      { files, ledger, unlock() {} },
    );
    await cache.reconcile();
    return cache;
  };
  return { ...parts, fails, open };
}

async function store(cache: DistributionCache, of: TestPackage, chunks = [0, 1, 2, 3]): Promise<void> {
  const opened = await cache.begin(of.signed, [key.publicKey]);
  for (const chunk of chunks) await opened.writeChunk(chunk, of.chunk(chunk), "wan");
  if (chunks.length === 4) await opened.complete();
  else await opened.flush();
}

const stateOf = (cache: DistributionCache, of: TestPackage) => cache.ledger.package(of.id)?.state ?? null;

test("a start continues when the files of one package cannot be looked up, and checks it when it is used", async () => {
  const { fails, open, events, disk, folder } = newCache();
  const before = await open();
  for (const each of [a, b]) await store(before, each, [0, 1]);
  fails.at = (doing, path) => doing === "entryAt" && path.startsWith(folder.partialPath(a.id));
  await before.ledger.close();
  const cache = await open();
  expect(events).toContain("check-failed");
  expect((await cache.find(b.id))!.verified.count).toBe(2);
  await expect(cache.find(a.id)).rejects.toThrow("EIO");
  fails.at = () => false;
  await disk
    .filesFor({ sleep: async () => {}, random: null as never })
    .remove(join(folder.partialPath(a.id), "x"));
  expect((await cache.find(a.id))!.verified.count).toBe(0);
});

test("a package stays when its manifest cannot be read, and leaves when it is damaged", async () => {
  const { fails, open, files, folder } = newCache();
  await store(await open(), a, [0, 1]);
  fails.at = (doing) => doing === "readFile";
  const cache = await open();
  await expect(cache.find(a.id)).rejects.toThrow("EIO");
  fails.at = () => false;
  expect((await cache.find(a.id))!.verified.count).toBe(2);
  await files.replaceFile(join(folder.root, ".manifests", a.id), new Uint8Array(3));
  expect(stateOf(await open(), a)).toBeNull();
});

test("a package begins although another version of it cannot be opened", async () => {
  const { fails, open } = newCache();
  await store(await open(), a, [0, 1]);
  const cache = await open();
  fails.at = (doing, path) => doing === "readFile" && path.endsWith(a.id);
  const next = testPackage(key, { name: "a", version: "2.0", files: { x: 4_000 } });
  const begun = await cache.begin(next.signed, [key.publicKey]);
  await cache.storeLocalChunks(begun, new AbortController().signal);
  expect(begun.verified.count).toBe(0);
});

test("an eviction that fails hinders no other, and room is made by the next package", async () => {
  const { fails, open, events } = newCache();
  const cache = await open();
  for (const each of [a, b]) await store(cache, each);
  fails.at = (doing, path) => doing === "rename" && path.endsWith(join("a", "1.0"));
  await store(cache, c);
  expect(events).toContain("eviction-failed");
  expect([a, b, c].map((each) => stateOf(cache, each))).toEqual(["complete", null, "complete"]);
  cache.setLimits({ maxBytes: 0, maxAgeMs: null, keepFree: { bytes: 0 } });
  expect((await cache.evict(1)).map(({ name }) => name)).toEqual(["c"]);
  fails.at = () => false;
  expect((await cache.evict(1)).map(({ name }) => name)).toEqual(["a"]);
});

test("what cannot be removed from the trash stops neither a start nor an eviction", async () => {
  const { fails, open } = newCache();
  const before = await open();
  await store(before, a);
  fails.at = (doing, path) => doing === "remove" && path.includes(".trash");
  await before.remove("a", "1.0");
  const cache = await open();
  await store(cache, b);
  await cache.remove("b", "1.0");
  expect([a, b].map((each) => stateOf(cache, each))).toEqual([null, null]);
});

test("the partial package of a cancelled task makes room for others", async () => {
  const { open } = newCache();
  const cache = await open();
  const begin = (of: TestPackage, id: number) =>
    cache.begin(of.signed, [key.publicKey], { id, packageId: of.id });
  await (await begin(a, 1)).writeChunk(0, a.chunk(0), "wan");
  await begin(b, 2);
  await expect(begin(c, 3)).rejects.toThrow();
  cache.unpin(a.id, 1);
  await begin(c, 3);
  expect([a, b, c].map((each) => stateOf(cache, each))).toEqual([null, "partial", "partial"]);
});
