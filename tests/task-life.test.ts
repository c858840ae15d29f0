/** Life of a task with real programs: end, supersession, pause, edit and repetition. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import type { TaskDetail } from "../shared/api/schema/admin.ts";
import { openHarness, partOf, until, wanBytesFetched, type Harness, type Peer } from "./harness.ts";

let harness: Harness;
const open = async (settings: readonly string[] = []): Promise<void> => {
  harness = await openHarness({ settings });
};
afterEach(() => harness[Symbol.asyncDispose]());

/** Publishes a version of the package and creates a task that appends the version to a file. */
async function createVersion(version: string, ...more: readonly string[]): Promise<number> {
  const published = (await harness.client.packages()).some((one) => one.version === version);
  const file = published ? "" : await harness.makeFile(`setup-${version}.bin`, 30_000);
  if (!published) await harness.publish(file, { name: "setup", version });
  return createRun(`setup@${version}`, `echo "$FLOCKCAST_VERSION" >> ${ranFile()}`, ...more);
}
const admin = (...words: readonly string[]): Promise<string> => harness.source.admin(...words);
const createRun = async (what: string, command: string, ...more: readonly string[]): Promise<number> =>
  Number(await admin("task", "create", what, "--action", "run", "--command", command, ...more));
const ranFile = (): string => join(harness.folder, "ran");
const ran = async (): Promise<string[]> =>
  (await readFile(ranFile(), "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
const verified = (task: TaskDetail): number[] => task.deviceList.map(({ bytesVerified }) => bytesVerified);
const waiting = (peer: Peer) => (task: TaskDetail) =>
  task.deviceList.some((part) => part.deviceId === peer.id && part.state === "waiting");
const ended = (taskId: number): Promise<TaskDetail> =>
  harness.waitForTask(taskId, ({ state }) => state === "done" || state === "ended", 30_000);

test("a device that enrols after twelve monthly versions runs exactly one command", async () => {
  await open();
  const tasks: number[] = [];
  for (let month = 1; month <= 12; month++) tasks.push(await createVersion(`2026.${month}`));
  const peer = await harness.startPeer();
  const last = await ended(tasks[11]!);
  expect([last.state, partOf(last, peer).state]).toEqual(["done", "complete"]);
  for (const taskId of tasks.slice(0, 11)) {
    const { state, endedWhy, devices } = await ended(taskId);
    expect([state, endedWhy, devices.superseded]).toEqual(["ended", "superseded", 1]);
  }
  expect(await ran()).toEqual(["2026.12"]);
}, 120_000);

test.each([[["1.0", "2.0"]], [["2.0", "1.0"]]])(
  "of tasks that were created in the order %j, 2.0 stays installed on a new and on an old device",
  async (order) => {
    await open();
    const old = await harness.startPeer();
    const tasks: number[] = [];
    for (const version of order) {
      tasks.push(await createVersion(version));
      await harness.waitForTask(tasks.at(-1)!, (task) => partOf(task, old).state !== "pending");
      await ended(tasks.at(-1)!);
    }
    expect((await ran()).at(-1)).toBe("2.0");
    const before = (await ran()).length;
    // A task that is done does not reach the new device: each is created again.
    for (const version of order) tasks.push(await createVersion(version, "--target", "all"));
    await harness.startPeer();
    for (const taskId of tasks) await ended(taskId);
    const after = (await ran()).slice(before);
    expect([after.at(-1), after.includes("1.0")]).toEqual(["2.0", false]);
    const wanted = await createVersion("1.0", "--allow-downgrade");
    expect((await ended(wanted)).state).toBe("done");
    expect((await ran()).slice(-2)).toEqual(["1.0", "1.0"]);
  },
  120_000,
);

test("repeats a failed command on the device where it failed, and prints the end of its output", async () => {
  await open();
  const peers = await harness.startPeers(2);
  const [good, bad] = peers as [Peer, Peer];
  const file = await harness.makeFile("setup.bin", 30_000);
  await harness.publish(file, { name: "setup", version: "1" });
  const flag = join(harness.folder, "licence");
  const command = `echo "$PWD" >> ${ranFile()}; case "$PWD" in *${bad.name}*) test -e ${flag} || { echo no licence; exit 7; };; esac`;
  const taskId = await createRun("setup", command);
  await harness.waitForTask(taskId, ({ devices }) => devices.complete === 1 && devices.failed === 1);
  const output = await harness.tryAdmin("task", "output", String(taskId), bad.id);
  expect([output.status, output.stdout]).toEqual([0, "no licence\n"]);
  expect(output.stderr).toContain("exit code 7");
  await Bun.write(flag, "");
  expect(await admin("task", "retry", String(taskId))).toBe(`task ${taskId}: repeated on 1 device`);
  const task = await ended(taskId);
  expect([task.state, partOf(task, good).attempt, partOf(task, bad).attempt]).toEqual(["done", 1, 2]);
  const places = (await ran()).map((path) => (path.includes(bad.name) ? bad.name : good.name));
  expect(places.toSorted()).toEqual([good.name, bad.name, bad.name].toSorted());
}, 60_000);

test("pauses a download and resumes it, and a watch with a time limit says so", async () => {
  await open(["wanRate=8mbit"]);
  const peers = await harness.startPeers(2);
  const file = await harness.makeFile("tool.bin", 6_000_000);
  const taskId = await harness.createTask(await harness.publish(file, { name: "tool", version: "1" }));
  await harness.waitForTask(taskId, ({ deviceList }) =>
    deviceList.every(({ bytesVerified }) => bytesVerified > 1_000_000),
  );
  expect(await admin("task", "pause", String(taskId))).toStartWith(`task ${taskId}: paused`);
  await harness.waitForTask(taskId, ({ deviceList }) =>
    deviceList.every(({ reasons }) => reasonsText(reasons) === "paused by the administrator"),
  );
  const before = verified(await harness.client.task(taskId));
  const watched = await harness.tryAdmin("task", "watch", String(taskId), "--timeout", "2s");
  expect([watched.status, watched.stderr]).toEqual([
    3,
    `error: Task ${taskId} is paused after 2s: 0 of 2 devices complete\n`,
  ]);
  expect(watched.stdout).toContain("paused by the administrator");
  expect(verified(await harness.client.task(taskId))).toEqual(before);
  await admin("task", "resume", String(taskId));
  const task = await harness.waitUntilComplete(taskId, peers);
  expect(wanBytesFetched(task)).toBeLessThanOrEqual(1.2 * 6_000_000);
  for (const peer of peers) expect(await harness.copyError(peer, file, "tool", "1")).toBeNull();
}, 90_000);

test("widens a done task, starts a scheduled one at once, and drops and takes up a device with its target", async () => {
  await open();
  const peers = await harness.startPeers(2);
  const [pilot, other] = peers as [Peer, Peer];
  const file = await harness.makeFile("tool.bin", 30_000);
  await harness.publish(file, { name: "tool", version: "1" });
  const command = `echo "$PWD" >> ${ranFile()}`;
  const taskId = await createRun("tool", command, "--target", `device:${pilot.id}`, "--start", "+1d");
  await harness.waitForTask(taskId, waiting(pilot));
  await admin("task", "edit", String(taskId), "--target", `device:${other.id}`);
  await harness.waitForTask(taskId, waiting(other));
  await until(
    async () => JSON.stringify((await pilot.status()).tasks),
    20_000,
    async () => (await pilot.status()).tasks[0]?.state === "cancelled" || null,
  );
  await admin("task", "edit", String(taskId), "--target", `device:${pilot.id}`);
  await harness.waitForTask(taskId, waiting(pilot));
  await admin("task", "start-now", String(taskId));
  expect((await ended(taskId)).state).toBe("done");
  expect(await ran()).toHaveLength(1);
  await admin("task", "edit", String(taskId), "--target", "all");
  const task = await harness.waitForTask(taskId, ({ devices }) => devices.complete === 2);
  expect(task.version).toBe(5);
  expect(await ran()).toHaveLength(2);
  const copy = Number(await admin("task", "create", "--from", String(taskId), "--target", "group:nobody"));
  const made = (await harness.client.tasks()).find(({ id }) => id === copy);
  expect(made).toMatchObject({ action: "run", command, target: "group:nobody", packageName: "tool" });
  const warned = await harness.tryAdmin("task", "edit", String(copy), "--target", "group:none", "--json");
  expect([JSON.parse(warned.stdout).devices, warned.stderr]).toEqual([
    0,
    expect.stringContaining("no device"),
  ]);
}, 90_000);
