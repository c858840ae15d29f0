/**
 * Programs that die in the middle of a transfer and come back: what was verified is never fetched again, and the
 * package still crosses the WAN about once.
 */
import { afterEach, expect, test } from "bun:test";
import {
  openHarness,
  partOf,
  representativeOf,
  until,
  wanBytesFetched,
  type Harness,
  type Peer,
} from "./harness.ts";

const sizeBytes = 6_000_000;
/**
 * The download takes about three seconds. It is the reader that is slow, so what the source counts as sent runs ahead by
 * the kernel's buffers (megabytes on loopback): WAN bytes are those that devices read.
 */
const settings = ["wanRate=16mbit"];

type Midway = {
  readonly harness: Harness;
  readonly peers: Peer[];
  readonly original: string;
  readonly taskId: number;
  readonly representative: Peer;
  readonly others: Peer[];
};

let opened: Harness | null = null;
afterEach(async () => {
  await opened?.[Symbol.asyncDispose]();
  opened = null;
});

/** A session in which every device has verified a third of the package. */
async function openMidway(count: number): Promise<Midway> {
  const harness = await openHarness({ settings });
  opened = harness;
  const peers = await harness.startPeers(count);
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  const taskId = await harness.createTask(packageId);
  const task = await harness.waitForTask(
    taskId,
    (detail) =>
      representativeOf(detail, peers) !== null &&
      detail.deviceList.every(({ bytesVerified }) => bytesVerified > sizeBytes / 3),
  );
  const representative = representativeOf(task, peers)!;
  return {
    harness,
    peers,
    original,
    taskId,
    representative,
    others: peers.filter((peer) => peer !== representative),
  };
}

async function expectRightCopies({ harness, original }: Midway, peers: readonly Peer[]): Promise<void> {
  for (const peer of peers) {
    expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
    const [held] = peer.ledger();
    expect([peer.name, held?.state, held?.bytesVerified, held?.receiptsMax]).toEqual([
      peer.name,
      "complete",
      sizeBytes,
      1,
    ]);
  }
}

/** How many bytes the device's ledger lists. */
const listedBytes = (peer: Peer): number => peer.ledger()[0]?.bytesVerified ?? 0;

/** Exit status, and whether it came in time. */
async function ended(what: Promise<number>): Promise<[number, boolean]> {
  const sinceMs = performance.now();
  return [await what, performance.now() - sinceMs < 5_000];
}

test("a peer that was killed goes on from what its ledger lists", async () => {
  const midway = await openMidway(3);
  const { harness, peers, taskId } = midway;
  const victim = midway.others[0]!;
  await victim.kill();
  const before = listedBytes(victim);
  expect(before).toBeGreaterThan(0);
  victim.restart();
  const task = await harness.waitUntilComplete(taskId, peers);
  await expectRightCopies(midway, peers);
  expect(wanBytesFetched(task)).toBeLessThanOrEqual(1.05 * sizeBytes);
  expect(partOf(task, victim).from.wan).toBe(0);
}, 60_000);

test("when the representative dies the others finish, and the WAN is crossed about once", async () => {
  const midway = await openMidway(3);
  const { harness, others, taskId, representative } = midway;
  await representative.kill();
  const task = await harness.waitUntilComplete(taskId, others);
  await expectRightCopies(midway, others);
  expect(wanBytesFetched(task)).toBeLessThanOrEqual(1.2 * sizeBytes);
  // Also by the ledgers, the dead one's included: hardly a chunk was downloaded by two devices.
  const downloaded = midway.peers.reduce((sum, peer) => sum + peer.ledger()[0]!.originBytes.wan, 0);
  expect(downloaded).toBeLessThanOrEqual(1.2 * sizeBytes);
  expect(others.some((peer) => partOf(task, peer).term > 1)).toBe(true);
}, 60_000);

test("a representative that was killed and comes back at once fetches nothing twice", async () => {
  const midway = await openMidway(3);
  const { harness, peers, taskId, representative } = midway;
  await representative.kill();
  const before = listedBytes(representative);
  representative.restart();
  const task = await harness.waitUntilComplete(taskId, peers);
  await expectRightCopies(midway, peers);
  expect(before).toBeGreaterThan(0);
  expect(wanBytesFetched(task)).toBeLessThanOrEqual(1.2 * sizeBytes);
}, 60_000);

test("a source that was killed and comes back is waited for, and the download goes on", async () => {
  const midway = await openMidway(2);
  const { harness, peers, taskId } = midway;
  await harness.source.program.stop("SIGKILL");
  await Bun.sleep(1_500);
  await harness.source.restart();
  const task = await harness.waitUntilComplete(taskId, peers);
  await expectRightCopies(midway, peers);
  expect(wanBytesFetched(task)).toBeLessThanOrEqual(1.2 * sizeBytes);
}, 60_000);

test("source and agents end within 5 s of SIGTERM in the middle of a transfer, and go on afterwards", async () => {
  const midway = await openMidway(2);
  const { harness, peers, taskId, representative, others } = midway;
  expect(await ended(representative.stop())).toEqual([0, true]);
  expect(await ended(harness.source.program.stop())).toEqual([0, true]);
  expect(await ended(others[0]!.stop())).toEqual([0, true]);
  const before = peers.map(listedBytes);
  expect(Math.min(...before)).toBeGreaterThanOrEqual(sizeBytes / 3);
  await harness.source.restart();
  for (const peer of peers) peer.restart();
  const task = await harness.waitUntilComplete(taskId, peers);
  await expectRightCopies(midway, peers);
  // What it verified was in the ledger, so nothing of it crosses the WAN again.
  expect(partOf(task, representative).from.wan + partOf(task, others[0]!).from.wan).toBe(sizeBytes);
  expect(wanBytesFetched(task)).toBeLessThanOrEqual(1.2 * sizeBytes);
}, 60_000);

test("a program that was killed before it said anything starts again", async () => {
  const midway = await openMidway(2);
  const { peers, harness, taskId } = midway;
  for (const peer of peers) await peer.kill();
  for (const peer of peers) peer.restart();
  // In the middle of the start, too.
  await Bun.sleep(150);
  for (const peer of peers) await peer.kill();
  for (const peer of peers) peer.restart();
  await harness.waitUntilComplete(taskId, peers);
  await expectRightCopies(midway, peers);
  await until(
    () => "the killed agents left no status",
    10_000,
    async () => (await Promise.all(peers.map((peer) => peer.status()))) && true,
  );
}, 60_000);
