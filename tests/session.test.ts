/**
 * Distribution to the devices of a subnet, with real processes on loopback: one WAN transfer, with
 * and without latecomers, second tasks and multicast.
 */
import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import { sizeOfTree } from "../scripts/rig/verify.ts";
import { bytesFrom, openHarness, partOf, type Harness, type Peer } from "./harness.ts";

/** Creates a folder with nested files, an empty one and an executable. */
async function makeFolder(harness: Harness): Promise<string> {
  const folder = join(harness.folder, "files", "tree");
  await mkdir(join(folder, "a", "b c"), { recursive: true });
  await harness.makeFile("tree/large.bin", 4_000_003);
  await harness.makeFile("tree/a/b c/ünïcode.bin", 700_001);
  await writeFile(join(folder, "a", "empty"), "");
  await writeFile(join(folder, "install.sh"), "#!/bin/sh\necho done\n");
  await chmod(join(folder, "install.sh"), 0o755);
  return folder;
}

async function expectCopies(
  harness: Harness,
  peers: readonly Peer[],
  original: string,
  [name, version]: [string, string],
): Promise<void> {
  for (const peer of peers) {
    expect(await harness.copyError(peer, original, name, version)).toBeNull();
    const held = peer.ledger().find((each) => each.name === name && each.version === version);
    expect([peer.name, held?.state, held?.receiptsMax]).toEqual([peer.name, "complete", 1]);
  }
}

test("downloads a folder once over the WAN, and serves devices that come later from holders", async () => {
  await using harness = await openHarness({ settings: ["useDeputy=false"] });
  const peers = await harness.startPeers(4);
  const original = await makeFolder(harness);
  const sizeBytes = await sizeOfTree(original);
  const packageId = await harness.publish(original, { name: "tree", version: "1" });
  const first = await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  await expectCopies(harness, peers, original, ["tree", "1"]);
  expect(bytesFrom(first, "wan")).toBe(sizeBytes);
  expect(bytesFrom(first, "multicast")).toBeGreaterThan(0.9 * 3 * sizeBytes);
  expect(bytesFrom(first, "multicast") + bytesFrom(first, "peers")).toBe(3 * sizeBytes);
  expect(first.subnets).toHaveLength(1);
  expect(first.subnets[0]!.wanBytes).toBeLessThanOrEqual(1.02 * sizeBytes);
  for (const peer of peers) {
    expect((await stat(join(peer.copyOf("tree", "1"), "install.sh"))).mode & 0o111).not.toBe(0);
    expect((await stat(join(peer.copyOf("tree", "1"), "a", "empty"))).size).toBe(0);
  }

  // A second task for what the subnet caches, with a device that has nothing yet.
  const newcomer = await harness.startPeer({ name: "newcomer" });
  const second = await harness.waitUntilComplete(await harness.createTask(packageId), [...peers, newcomer]);
  await expectCopies(harness, [newcomer], original, ["tree", "1"]);
  // The first session may still run when the newcomer starts, and its multicast counts too.
  const { from } = partOf(second, newcomer);
  expect([from.wan, from.multicast + from.peers]).toEqual([0, sizeBytes]);
  expect(second.deviceList.map((device) => device.wanBytesFetched)).toEqual([0, 0, 0, 0, 0]);

  // A task that targets none of the holders.
  const solo = await harness.makeFile("solo.bin", 1_000_001);
  const soloId = await harness.publish(solo, { name: "solo", version: "1" });
  const [holder, stranger] = [peers[0]!, peers[1]!];
  const targeting = ({ id }: Peer) => harness.createTask(soloId, { target: `device:${id}` });
  await harness.waitUntilComplete(await targeting(holder), [holder]);
  const third = await harness.waitUntilComplete(await targeting(stranger), [stranger]);
  await expectCopies(harness, [stranger], solo, ["solo", "1"]);
  expect(third.deviceList).toHaveLength(1);
  expect(partOf(third, stranger).from).toEqual({ wan: 0, multicast: 0, peers: 1_000_001, cache: 0 });
  expect(reasonsText(partOf(third, stranger).reasons)).toMatch(/^complete(: 100 % from peers \(|; still)/);
}, 90_000);

test("downloads the package once over the WAN without multicast", async () => {
  await using harness = await openHarness({ settings: ["useMulticast=false", "wanRate=20mbit"] });
  const peers = await harness.startPeers(3);
  const original = await harness.makeFile("tool.bin", 5_000_000);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  const task = await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  await expectCopies(harness, peers, original, ["tool", "1"]);
  expect(bytesFrom(task, "wan")).toBe(5_000_000);
  expect(bytesFrom(task, "multicast")).toBe(0);
  expect(bytesFrom(task, "peers")).toBe(10_000_000);
  expect(task.subnets[0]!.wanBytes).toBeLessThanOrEqual(5_100_000);
}, 90_000);

test("delivers the rest by multicast and the beginning by unicast to a device that joins midway", async () => {
  await using harness = await openHarness({ settings: ["wanRate=16mbit"] });
  const peers = await harness.startPeers(2);
  const original = await harness.makeFile("tool.bin", 8_000_000);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  const taskId = await harness.createTask(packageId);
  await harness.waitForTask(taskId, ({ deviceList }) =>
    deviceList.every(({ bytesVerified }) => bytesVerified > 3_000_000),
  );
  const latecomer = await harness.startPeer({ name: "latecomer" });
  const task = await harness.waitUntilComplete(taskId, [...peers, latecomer]);
  await expectCopies(harness, [...peers, latecomer], original, ["tool", "1"]);
  expect(bytesFrom(task, "wan")).toBe(8_000_000);
  const { from, reasons } = partOf(task, latecomer);
  expect(reasonsText(reasons)).toMatch(
    /^complete: \d+ % multicast, \d+ % from peers \(joined late, \d+ % had been multicast\)$/,
  );
  expect(from.wan).toBe(0);
  expect(from.multicast).toBeGreaterThan(0);
  expect(from.peers).toBeGreaterThan(2_000_000);
}, 90_000);

test("downloads a package once for two tasks at the same time", async () => {
  await using harness = await openHarness({ settings: ["wanRate=20mbit"] });
  const peers = await harness.startPeers(3);
  const original = await harness.makeFile("both.bin", 5_000_000);
  const packageId = await harness.publish(original, { name: "both", version: "1" });
  const everybody = await harness.createTask(packageId);
  const oneAlone = await harness.createTask(packageId, { target: `device:${peers[2]!.id}` });
  await harness.waitUntilComplete(everybody, peers);
  await harness.waitUntilComplete(oneAlone, [peers[2]!]);
  const [first, second] = [await harness.client.task(everybody), await harness.client.task(oneAlone)];
  const fetched = [first, second].flatMap((task) => task.deviceList.map((device) => device.wanBytesFetched));
  expect(fetched.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(1.1 * 5_000_000);
  await expectCopies(harness, peers, original, ["both", "1"]);
}, 90_000);

test("shares one download between two tasks for one package with different devices", async () => {
  await using harness = await openHarness({ settings: ["wanRate=20mbit"] });
  const peers = await harness.startPeers(2);
  const original = await harness.makeFile("apart.bin", 5_000_000);
  const packageId = await harness.publish(original, { name: "apart", version: "1" });
  const tasks = await Promise.all(
    peers.map(({ id }) => harness.createTask(packageId, { target: `device:${id}` })),
  );
  let fetched = 0;
  for (const [index, taskId] of tasks.entries()) {
    const task = await harness.waitUntilComplete(taskId, [peers[index]!]);
    fetched += task.deviceList[0]!.wanBytesFetched;
  }
  expect(fetched).toBeLessThan(1.1 * 5_000_000);
  await expectCopies(harness, peers, original, ["apart", "1"]);
}, 90_000);
