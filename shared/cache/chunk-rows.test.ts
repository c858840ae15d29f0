/** Rows of chunks in the ledger, while the disk takes time to sync. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { openLedger } from "./disk/ledger-sqlite.ts";
import { systemFiles } from "./disk/system-files.ts";
import { DistributionCache } from "./distribution-cache.ts";
import type { Files, OpenFile } from "./files.ts";
import { cacheOptions } from "./testing.ts";

test("a chunk that is stored again while the drop of the wrong one waits for the disk stays listed", async () => {
  const { path: dir, remove } = temporaryFolder("rows");
  const { promise: canSync, resolve: endSyncs } = Promise.withResolvers<void>();
  let isSlow = false;
  const system = systemFiles();
  const files: Files = {
    ...system,
    open: async (...args) => {
      const file = await system.open(...args);
      const sync: OpenFile["sync"] = async (what) => {
        if (isSlow) await canSync;
        await file.sync(what);
      };
      return new Proxy(file, {
        get: (target, name) => {
          if (name === "sync") return sync;
          const value: unknown = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
  const ledger = openLedger(dir, Date.now, () => {});
  const cache = new DistributionCache(cacheOptions(dir), { files, ledger, unlock: () => {} });
  await cache.reconcile();
  const key = testKey();
  const published = testPackage(key, { files: { "one.bin": 5_000 } });
  const store = await cache.begin(published.signed, [key.publicKey]);
  const write = (chunk: number) => store.writeChunk(chunk, published.chunk(chunk), "multicast");
  for (const chunk of [0, 1, 2, 3]) await write(chunk);
  await store.flush();
  const file = join(dir, "cache", ".partial", published.id, "one.bin");
  writeFileSync(file, readFileSync(file).fill(0, 1_100, 1_200));
  isSlow = true;
  await write(4);
  const flushed = store.flush();
  const dropped = store.check();
  while (store.verified.has(1)) await Bun.sleep(0);
  await write(1);
  endSyncs();
  await flushed;
  expect(await dropped).toEqual([1]);
  await store.flush();
  expect(ledger.chunks(published.id).map(({ chunk }) => chunk)).toEqual([0, 1, 2, 3, 4]);
  await cache.close();
  remove();
});
