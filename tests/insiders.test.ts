/**
 * A hostile device of the task, and one with a corrupted disk: their cost, and that they are named.
 */
import { open as openFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { createCleanups } from "./cleanups.ts";
import { askPage } from "../shared/agent/status/status-server.ts";
import { bytesFrom, partOf, representativeOf, type Peer } from "./harness.ts";
import { allAttacks, openInsider } from "./insider.ts";

const sizeBytes = 6_000_000;
const chunkBytes = 262_144;
const chunkCount = Math.ceil(sizeBytes / chunkBytes);
const memoryBytesMax = 260 * 1_048_576;
const { addCleanup, open } = createCleanups();

const metricsOf = (peer: Peer): Promise<string> => askPage(peer.data, "/metrics");

async function memoryOf(peer: Peer): Promise<number> {
  const status = await readFile(`/proc/${peer.program.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1_024;
}

/**
 * Distributes to three devices next to a hostile one. The hostile device serves wrong chunks and
 * symbols, forges CLAIM, END, NEED and REPORT frames, and invents a thousand devices a second.
 */
async function distributeUnderAttack(): Promise<void> {
  const harness = await open({ settings: ["wanRate=24mbit"] });
  const peers = await harness.startPeers(3);
  const insider = await openInsider(harness);
  addCleanup(() => insider[Symbol.asyncDispose]());
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const taskId = await harness.createTask(await harness.publish(original, { name: "tool", version: "1" }));
  await insider.attack({ chunkCount, chunkBytes, attacks: allAttacks });
  const task = await harness.waitUntilComplete(taskId, peers, 80_000);
  for (const peer of peers) {
    expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
    expect(peer.ledger().map(({ state, receiptsMax }) => [state, receiptsMax])).toEqual([["complete", 1]]);
    if (process.platform === "linux") expect(await memoryOf(peer)).toBeLessThan(memoryBytesMax);
  }
  // The first wrong chunk bans the insider; the package comes from the source.
  expect(bytesFrom(task, "wan")).toBe(sizeBytes);
  const reporters = task.deviceList.filter(({ wrongFrom }) => wrongFrom.length > 0);
  const names = reporters.flatMap(({ wrongFrom }) => wrongFrom.map(({ deviceId }) => deviceId));
  expect(new Set(names)).toEqual(new Set([insider.deviceId]));
  const shown = await harness.tryAdmin("task", "show", String(taskId));
  expect(shown.stdout).toMatch(
    new RegExp(
      `WRONG CHUNKS FROM[^]*127\\.0\\.0\\.1 +${insider.deviceId} +\\d+ .* ${reporters.length} of 3 devices`,
    ),
  );
  const seenBy = peers.find(({ id }) => reporters.some(({ deviceId }) => deviceId === id))!;
  const status = await harness.run("peer", "status", "--data", seenBy.data);
  expect(status.stdout).toMatch(
    new RegExp(`wrong chunks? from 127\\.0\\.0\\.1 \\(device ${insider.deviceId}\\)`),
  );
  expect(await metricsOf(seenBy)).toMatch(/flockcast_wrong_chunks_total\{way="(peers|multicast)"\} [1-9]/);
}

/**
 * Distributes from a representative whose copy is corrupted between its download and the multicast.
 */
async function distributeFromCorruptDisk(): Promise<void> {
  const harness = await open({ settings: ["sessionStartDelay=6s", "useDeputy=false"] });
  const peers = await harness.startPeers(3);
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const taskId = await harness.createTask(await harness.publish(original, { name: "tool", version: "1" }));
  const begun = await harness.waitForTask(taskId, ({ deviceList }) =>
    deviceList.some((one) => one.role === "representative" && one.state === "complete"),
  );
  const leader = representativeOf(begun, peers)!;
  const file = await openFile(join(leader.copyOf("tool", "1"), "tool.bin"), "r+");
  await file.write(new Uint8Array(64), 0, 64, 3 * chunkBytes + 1_000);
  await file.close();
  const others = peers.filter((peer) => peer !== leader);
  const task = await harness.waitUntilComplete(taskId, others, 80_000);
  for (const peer of others) {
    expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
    expect(partOf(task, peer).wrongFrom).toEqual([{ address: "127.0.0.1", deviceId: leader.id, chunks: 1 }]);
  }
  // The representative detected the corrupted chunk and resigned; another device downloaded this
  // chunk.
  expect(await readFile(leader.program.logFile, "utf8")).toContain(
    "Chunk 3 of tool 1 changed on the disk after it was verified",
  );
  expect(bytesFrom(task, "wan")).toBe(sizeBytes + chunkBytes);
  // The corrupted copy stays listed: a command may be using its folder.
  expect(leader.ledger().map(({ state }) => state)).toEqual(["complete"]);
}

test("gives every device a right copy, and names a hostile device and a representative with a corrupted disk", async () => {
  await Promise.all([distributeUnderAttack(), distributeFromCorruptDisk()]);
}, 120_000);
