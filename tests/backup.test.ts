/**
 * Backup and restore of a source with real devices: nothing runs twice, and no new task is taken
 * for a lost one that had its id.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { startSource, type Source } from "../scripts/rig/deployment.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { openHarness, partOf, until, type Harness, type Peer } from "./harness.ts";

let harness: Harness;
let restored: Source | null;
/** File to which each run of a command appends a line. */
let ran: string;
let backup: string;

beforeEach(async () => {
  harness = await openHarness();
  restored = null;
  ran = join(harness.folder, "ran");
  backup = join(harness.folder, "backup.tar");
});
afterEach(async () => {
  await restored?.program.stop("SIGKILL");
  await harness[Symbol.asyncDispose]();
});

const createRun = (packageId: string, label: string, rest = "true"): Promise<number> =>
  harness.createTask(packageId, {
    action: "run",
    command: `echo "${label} $FLOCKCAST_PACKAGE $PWD" >> ${ran}; ${rest}`,
  });
const linesOf = (label: string): string[] =>
  existsSync(ran)
    ? readFileSync(ran, "utf8")
        .split("\n")
        .filter((line) => line.startsWith(`${label} `))
    : [];
const expectedLines = (label: string, name: string, peers: readonly Peer[]): string[] =>
  peers.map((peer) => `${label} ${name} ${peer.copyOf(name, "1")}`).toSorted();
const publish = async (name: string): Promise<string> =>
  harness.publish(await harness.makeFile(`${name}.bin`, 300_000), { name, version: "1" });
const complete = (taskId: number, count: number) =>
  harness.waitForTask(taskId, ({ devices }) => devices.complete === count, 120_000);
/** Waits until the task has ended at the source: a device that enrols then does not get it. */
const done = (taskId: number) => harness.waitForTask(taskId, ({ state }) => state === "done", 120_000);
const begun = (label: string, count: number): Promise<true> =>
  until(
    () => `"${label}" was not begun ${count} times`,
    60_000,
    () => linesOf(label).length === count || null,
  );

/** Stops the source, restores the backup to another folder and starts a source there. */
async function restoreElsewhere(): Promise<string> {
  await harness.source.program.stop();
  const data = join(harness.folder, "restored");
  const { status, stdout, stderr } = await harness.run("source", "source", "restore", backup, "--data", data);
  expect([status, stderr]).toEqual([0, ""]);
  const listen = new URL(harness.source.url).host;
  restored = await startSource({ programs: programsFromSource, data, listen });
  return stdout;
}

test("after a restore new tasks with the ids of lost ones run once on every device, and no old one again", async () => {
  const peers = await harness.startPeers(2);
  const tool = await publish("tool");
  const other = await publish("other");
  await complete(await createRun(tool, "first"), 2);
  // The backup is made while both devices run a command and report.
  const during = await createRun(tool, "during", "sleep 3");
  await begun("during", 2);
  const made = await harness.tryAdmin("source", "backup", backup);
  expect([made.status, made.stderr]).toEqual([0, ""]);
  for (const words of [/catalog\.db .* 2 devices, 2 tasks/, /the bytes of .*tool@1/, /publisher\.key/])
    expect(made.stdout).toMatch(words);
  expect((await stat(backup)).mode & 0o777).toBe(0o600);
  await done(during);

  const late = await harness.startPeer({ name: "late" });
  const all = [...peers, late];
  const lost = [await createRun(tool, "lost1"), await createRun(tool, "lost2")];
  for (const id of lost) await complete(id, 3);

  const printed = await restoreElsewhere();
  expect(printed).toContain("one that was enrolled later says so");
  expect(printed).toContain("the bytes of tool 1 are missing: publish them again");
  for (const name of ["tool", "other"])
    await harness.publish(join(harness.folder, "files", `${name}.bin`), { name, version: "1" });
  // The devices report again how the task of the backup ended.
  await done(during);
  await until(
    async () => `the late device does not say that it is unknown: ${JSON.stringify(await late.status())}`,
    60_000,
    async () =>
      /does not know this device.*--enroll-file FILE/.test((await late.status()).lostContact?.text ?? "") ||
      null,
  );

  // The harness starts every agent with --enroll-file.
  await late.stop();
  late.restart();
  await until(
    () => "the late device did not enrol again",
    60_000,
    async () => (await harness.client.devices()).length === 3 || null,
  );

  const given = [await createRun(other, "new1"), await createRun(other, "new2")];
  expect(given).toEqual(lost);
  for (const id of given) {
    const task = await complete(id, 3);
    expect(task.deviceList.map(({ command }) => command?.exitCode)).toEqual([0, 0, 0]);
  }
  for (const label of ["new1", "new2"])
    expect(linesOf(label).toSorted()).toEqual(expectedLines(label, "other", all));
  expect(linesOf("lost1").toSorted()).toEqual(expectedLines("lost1", "tool", all));
  expect(linesOf("first").toSorted()).toEqual(expectedLines("first", "tool", peers));
  expect(linesOf("during").toSorted()).toEqual(expectedLines("during", "tool", peers));
}, 300_000);

test("a command that runs during a restore ends before the new task with its id begins", async () => {
  const peer = await harness.startPeer();
  const tool = await publish("tool");
  const made = await harness.tryAdmin("source", "backup", backup, "--with-packages");
  expect(made.status).toBe(0);
  const lost = await createRun(tool, "lost", `sleep 15; echo "ended $PWD" >> ${ran}; exit 3`);
  await begun("lost", 1);
  await restoreElsewhere();
  const given = await createRun(tool, "new");
  expect(given).toBe(lost);
  const task = await complete(given, 1);
  expect(partOf(task, peer).command?.exitCode).toBe(0);
  const order = readFileSync(ran, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[0]);
  expect(order).toEqual(["lost", "ended", "new"]);
}, 240_000);

test("a damaged backup is refused, and the folder stays as it is", async () => {
  await harness.startPeer();
  expect((await harness.tryAdmin("source", "backup", backup)).status).toBe(0);
  const bytes = readFileSync(backup);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(backup, bytes);
  await harness.source.program.stop();
  const { data } = harness.source;
  const before = readFileSync(join(data, "catalog.db"));
  const refused = await harness.run("source", "source", "restore", backup, "--data", data, "--replace");
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("is damaged")]);
  expect(readFileSync(join(data, "catalog.db")).equals(before)).toBe(true);
  await harness.source.restart();
  expect(await harness.client.devices()).toHaveLength(1);
}, 120_000);
