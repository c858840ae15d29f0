/** Packages of a real cache, offered over the real LAN exchange on loopback. */
import { afterEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { openCache } from "../cache/index.ts";
import { cacheOptions } from "../cache/testing.ts";
import { temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { createExchangeClient } from "../net/exchange/client.ts";
import { ExchangeServer } from "../net/exchange/server.ts";
import { nodeCrypto } from "../net/seal/aead.ts";
import { systemClock } from "../platform/system-clock.ts";
import { LanSessions } from "./lan-sessions.ts";
import { Offers } from "./offers.ts";
import type { DevicePorts } from "./ports.ts";

const key = testKey();
const tool = testPackage(key, { files: { "a.bin": 2_000, "b.bin": 1_000 } });
const packageKey = randomBytes(16);

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** Opens a cache that holds the complete package, in a new process as it were, and offers it. */
async function offeredAfterRestart() {
  const { path: dir, remove } = temporaryFolder("offers");
  ends.push(remove);
  const first = await openCache(cacheOptions(dir));
  const store = await first.begin(tool.signed, [key.publicKey]);
  for (const chunk of [0, 1, 2]) await store.writeChunk(chunk, tool.chunk(chunk), "wan");
  await store.complete();
  await first.close();
  const cache = await openCache(cacheOptions(dir));
  ends.push(() => cache.close());
  const peers = new ExchangeServer({ interfaceAddress: "127.0.0.1", device: "aa".repeat(8), onError() {} });
  ends.push(() => peers.close());
  const lan = new LanSessions({
    deployment: 1,
    crypto: nodeCrypto,
    clock: systemClock,
    newSender: () => randomBytes(8).toString("hex"),
  });
  const opened: string[] = [];
  const { find } = cache;
  cache.find = (id) => (opened.push(id), find.call(cache, id));
  const ports = { cache, lan, peers, clock: systemClock, random: Math.random, onBytesPassed() {} };
  const offers = new Offers(ports as unknown as DevicePorts, () => {});
  offers.offerListed(cache.ledger.package(tool.id)!, packageKey);
  const session = lan.join(packageKey, { onControl() {} });
  const client = createExchangeClient(session, packageKey);
  ends.push(() => client.close());
  const ask = (chunk: number) =>
    client.chunk({ address: "127.0.0.1", lanPort: peers.lanPort }, chunk, tool.chunk(chunk).length);
  return { dir, cache, opened, ask };
}

test("a complete package is opened at the first request for a chunk, and then once", async () => {
  const { opened, ask } = await offeredAfterRestart();
  expect(opened).toEqual([]);
  for (const chunk of [0, 2]) {
    const answer = await ask(chunk);
    expect(answer.kind === "chunk" && Buffer.compare(answer.bytes, tool.chunk(chunk))).toBe(0);
  }
  expect(opened).toEqual([tool.id]);
});

test("a package that lost a file while the agent was stopped is offered without that file's chunks", async () => {
  const { dir, ask } = await offeredAfterRestart();
  rmSync(join(dir, "cache", "tool", "1.0", "b.bin"));
  expect((await ask(2)).kind).not.toBe("chunk");
  expect((await ask(2)).kind).toBe("not-found");
  expect((await ask(0)).kind).toBe("chunk");
});

test("a package that was evicted before any request is withdrawn", async () => {
  const { cache, ask } = await offeredAfterRestart();
  await cache.remove("tool", "1.0");
  expect((await ask(0)).kind).not.toBe("chunk");
  expect((await ask(0)).kind).toBe("not-found");
});
