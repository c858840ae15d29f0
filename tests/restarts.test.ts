/**
 * Programs that are killed in the middle of a transfer and start again. No verified chunk is
 * fetched again, and the package still crosses the WAN about once.
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
 * Settings for a download of about three seconds. The receiving side limits the rate, so the bytes
 * sent by the source are ahead by the kernel's buffers (megabytes on loopback). WAN bytes are
 * therefore those that devices read.
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

/** Opens a session in which every device has verified a third of the package, and listed some. */
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
  // Chunks are listed in batches, half a second after they were verified.
  await until(
    () => "some chunks are not listed",
    5_000,
    () => peers.every((peer) => listedBytes(peer) > 0) || null,
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

/** Returns the verified bytes in the device's ledger. */
const listedBytes = (peer: Peer): number => peer.ledger()[0]?.bytesVerified ?? 0;

/** Returns the exit status, and whether the process exited within 5 s. */
async function ended(what: Promise<number>): Promise<[number, boolean]> {
  const sinceMs = performance.now();
  return [await what, performance.now() - sinceMs < 5_000];
}

test("resumes from the ledger when a peer is killed", async () => {
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

test("completes the other devices with about one WAN transfer when the representative is killed", async () => {
  const midway = await openMidway(3);
  const { harness, others, taskId, representative } = midway;
  await representative.kill();
  const task = await harness.waitUntilComplete(taskId, others);
  await expectRightCopies(midway, others);
  expect(wanBytesFetched(task)).toBeLessThanOrEqual(1.2 * sizeBytes);
  // According to all ledgers, that of the killed one included, few chunks were downloaded twice.
  const downloaded = midway.peers.reduce((sum, peer) => sum + peer.ledger()[0]!.originBytes.wan, 0);
  expect(downloaded).toBeLessThanOrEqual(1.2 * sizeBytes);
  expect(others.some((peer) => partOf(task, peer).term > 1)).toBe(true);
}, 60_000);

test("fetches no verified chunk twice when the representative is killed and restarted at once", async () => {
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

test("waits for a killed source, and resumes the download when it is back", async () => {
  const midway = await openMidway(2);
  const { harness, peers, taskId } = midway;
  await harness.source.program.stop("SIGKILL");
  await Bun.sleep(1_500);
  await harness.source.restart();
  const task = await harness.waitUntilComplete(taskId, peers);
  await expectRightCopies(midway, peers);
  expect(wanBytesFetched(task)).toBeLessThanOrEqual(1.2 * sizeBytes);
}, 60_000);

test("exits within 5 s of SIGTERM in the middle of a transfer, and resumes after a restart", async () => {
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
  // Verified chunks are in the ledgers, so none of them crosses the WAN again.
  expect(partOf(task, representative).from.wan + partOf(task, others[0]!).from.wan).toBe(sizeBytes);
  expect(wanBytesFetched(task)).toBeLessThanOrEqual(1.2 * sizeBytes);
}, 60_000);

test("starts again when a program was killed during its start", async () => {
  const midway = await openMidway(2);
  const { peers, harness, taskId } = midway;
  for (const peer of peers) await peer.kill();
  for (const peer of peers) peer.restart();
  // The second kill hits the agents while they start.
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
