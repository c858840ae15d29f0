/** Packages of a real cache, offered over the real LAN exchange on loopback. */
import { afterEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { unpackManifest } from "../api/packed-manifest.ts";
import { openCache } from "../cache/index.ts";
import { cacheOptions } from "../cache/testing.ts";
import { temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { createExchangeClient } from "../net/exchange/client.ts";
import type { OfferedPackage } from "../net/exchange/peers.ts";
import { ExchangeServer } from "../net/exchange/server.ts";
import { nodeCrypto } from "../net/seal/aead.ts";
import { systemClock } from "../platform/system-clock.ts";
import { batchOf, limits } from "../wire/index.ts";
import type { Group } from "./group.ts";
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

const newLan = () =>
  new LanSessions({
    deployment: 1,
    crypto: nodeCrypto,
    clock: systemClock,
    newSender: () => randomBytes(8).toString("hex"),
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
  const lan = newLan();
  const opened: string[] = [];
  const { find } = cache;
  cache.find = (id) => (opened.push(id), find.call(cache, id));
  const offered: OfferedPackage[] = [];
  const { offer } = peers;
  peers.offer = (name, one) => (offered.push(one), offer.call(peers, name, one));
  const ports = { cache, lan, peers, clock: systemClock, random: Math.random, onBytesPassed() {} };
  const offers = new Offers(ports as unknown as DevicePorts, () => {});
  offers.offerListed(cache.ledger.package(tool.id)!, [packageKey]);
  const session = lan.join(packageKey, { onControl() {} });
  const client = createExchangeClient({ keys: [{ session, key: packageKey }], device: "bb".repeat(8) });
  ends.push(() => client.close());
  const ask = (chunk: number) =>
    client.chunk(
      { device: "aa".repeat(8), address: "127.0.0.1", lanPort: peers.lanPort },
      chunk,
      tool.chunk(chunk).length,
    );
  return { dir, cache, opened, offered, ask };
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

test("a manifest is packed once for devices that ask at the same time", async () => {
  const { opened, offered } = await offeredAfterRestart();
  const packed = await Promise.all([1, 2, 3].map(() => offered[0]!.manifest()));
  expect((await unpackManifest(packed[0]!))?.manifest).toEqual(tool.signed.manifest);
  expect(packed.map((bytes) => bytes === packed[0])).toEqual([true, true, true]);
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

test("a holder of many gaps answers in several HAVEs that pass every link", async () => {
  const chunkSizeBytes = 1_024;
  const sparse = testPackage(key, { files: { "a.bin": 600 * chunkSizeBytes }, chunkSizeBytes });
  const { path: dir, remove } = temporaryFolder("offers");
  ends.push(remove);
  const cache = await openCache(cacheOptions(dir));
  ends.push(() => cache.close());
  const store = await cache.begin(sparse.signed, [key.publicKey]);
  const held = Array.from({ length: 128 }, (_, i) => 300 + 2 * i);
  for (const chunk of held) await store.writeChunk(chunk, sparse.chunk(chunk), "wan");
  const [holder, asker] = [newLan(), newLan()];
  const lengths: number[] = [];
  const groupOf = (to: LanSessions): Group => ({
    name: "",
    counters: { framesSent: 0, framesReceived: 0, receiveCalls: 0, messagesReceived: 0 },
    symbolMaxBytes: 1_400,
    kernelDrops: () => null,
    send(datagram) {
      lengths.push(datagram.length);
      to.onBatch(batchOf(datagram, "127.0.0.1"));
    },
    sendRun: () => 0,
  });
  holder.attach(groupOf(asker));
  asker.attach(groupOf(holder));
  const stated = new Set<number>();
  const { promise: isComplete, resolve } = Promise.withResolvers<void>();
  const session = asker.join(packageKey, {
    onControl(frame) {
      if (frame.type !== "have") return;
      for (let i = 0; i < frame.ranges.length; i += 2) stated.add(frame.ranges[i]!);
      if (stated.size === held.length) resolve();
    },
  });
  const peers = new ExchangeServer({ interfaceAddress: "127.0.0.1", device: "aa".repeat(8), onError() {} });
  ends.push(() => peers.close());
  const device = "aa".repeat(8);
  const ports = {
    device,
    cache,
    lan: holder,
    peers,
    clock: systemClock,
    random: () => 0,
    onBytesPassed() {},
  };
  const offers = new Offers(ports as unknown as DevicePorts, () => {});
  offers.offer(store, [packageKey]);
  ends.push(() => offers.close());
  asker.send(session, { type: "want", device: "bb".repeat(8), ranges: [0, 600], lanPort: 1 });
  await isComplete;
  expect([...stated]).toEqual(held);
  expect(lengths.length).toBeGreaterThan(2);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(limits.smallDatagramMaxBytes);
});
