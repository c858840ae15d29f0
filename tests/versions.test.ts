/**
 * Chunks that need no network, with real processes on loopback: zeros, and those that another
 * version of the package in the cache has. The kernel's counters are in lab.test.ts.
 */
import { randomBytes } from "node:crypto";
import { open, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import type { TaskDetail } from "../shared/api/schema/admin.ts";
import { diskBytesOf, sizeOfTree } from "../scripts/rig/verify.ts";
import { bytesFrom, openHarness, wanBytesFetched, type Peer } from "./harness.ts";

const mebibyte = 1_048_576;

/** Bytes that the devices received, as they report them: over the WAN, and over the LAN. */
const received = (task: TaskDetail) => ({
  wan: wanBytesFetched(task),
  lan: bytesFrom(task, "multicast") + bytesFrom(task, "peers"),
});

async function expectCopies(
  peers: readonly Peer[],
  copyError: (peer: Peer) => Promise<string | null>,
): Promise<void> {
  for (const peer of peers) expect([peer.name, await copyError(peer)]).toEqual([peer.name, null]);
}

test("a new version of which only a script changed costs one chunk", async () => {
  await using harness = await openHarness();
  const peers = await harness.startPeers(3);
  await harness.makeFile("tool/program.bin", 8 * mebibyte + 5);
  for (let at = 0; at < 20; at++) await harness.makeFile(`tool/notes/${at}.txt`, 5_000);
  const folder = join(harness.folder, "files", "tool");
  const publish = async (version: string): Promise<TaskDetail> => {
    await writeFile(join(folder, "notes/install.sh"), `#!/bin/sh\necho ${version}\n`.padEnd(300, "#"));
    const id = await harness.publish(folder, { name: "tool", version });
    const task = await harness.waitUntilComplete(await harness.createTask(id), peers);
    await expectCopies(peers, (peer) => harness.copyError(peer, folder, "tool", version));
    return task;
  };
  await publish("1");
  const sizeBytes = await sizeOfTree(folder);
  const second = await publish("2");
  expect(received(second).wan).toBeGreaterThanOrEqual(300);
  expect(received(second).wan).toBeLessThan(0.02 * sizeBytes);
  // Every peer but the representative receives the chunk once.
  expect(received(second).lan).toBe((peers.length - 1) * received(second).wan);
  expect(bytesFrom(second, "cache")).toBe(3 * (sizeBytes - received(second).wan));
}, 90_000);

test("zeros of a disk image are neither fetched nor sent, and are holes on every device", async () => {
  await using harness = await openHarness();
  const peers = await harness.startPeers(3);
  const image = await harness.makeFile("disk.img", 0);
  await truncate(image, 64 * mebibyte);
  const file = await open(image, "r+");
  for (const at of [0, 20, 63]) await file.write(randomBytes(mebibyte), 0, mebibyte, at * mebibyte);
  await file.close();
  const id = await harness.publish(image, { name: "disk", version: "1" });
  const task = await harness.waitUntilComplete(await harness.createTask(id), peers);
  await expectCopies(peers, (peer) => harness.copyError(peer, image, "disk", "1"));
  expect(received(task)).toEqual({ wan: 3 * mebibyte, lan: 2 * 3 * mebibyte });
  for (const peer of peers) {
    expect(await diskBytesOf(peer.copyOf("disk", "1"))).toBeLessThan(3.2 * mebibyte);
    expect((await peer.status()).exchange.bytesSent).toBeLessThanOrEqual(2 * 3 * mebibyte);
  }
}, 90_000);
