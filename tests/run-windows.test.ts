/** Begin of commands with real programs: windows, other programs, deferrals, deadlines, clocks. */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import type { TaskDetail } from "../shared/api/schema/admin.ts";
import { dayNames } from "../shared/model/time-zone.ts";
import { platform } from "../shared/platform/index.ts";
import { openHarness, partOf, type Harness, type Peer } from "./harness.ts";

const sizeBytes = 300_000;
let harness: Harness;
let tokyo: Peer;
let newYork: Peer;
beforeAll(async () => {
  // The administrator's zone is UTC.
  harness = await openHarness({ env: { TZ: "UTC" } });
  tokyo = await harness.startPeer({ name: "tokyo", env: { TZ: "Asia/Tokyo" } });
  newYork = await harness.startPeer({ name: "newyork", env: { TZ: "America/New_York" } });
}, 60_000);
afterAll(() => harness[Symbol.asyncDispose]());

async function publish(name: string): Promise<string> {
  const file = await harness.makeFile(`${name}.bin`, sizeBytes);
  return harness.publish(file, { name, version: "1" });
}
const admin = async (...words: string[]): Promise<string> => {
  const { status, stdout, stderr } = await harness.tryAdmin(...words);
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
};
const createRun = async (packageId: string, ...words: string[]): Promise<number> =>
  Number(await admin("task", "create", packageId, "--action", "run", "--command", "echo done", ...words));

/** Waits until a complete package waits on the peer for this reason. */
const waitsFor = (taskId: number, peer: Peer, reason: string): Promise<TaskDetail> =>
  harness.waitForTask(taskId, (task) => {
    const part = partOf(task, peer);
    return (
      part.state === "ready" && reasonsText(part.reasons).includes(reason) && part.bytesVerified === sizeBytes
    );
  });
const startedAtMs = (task: TaskDetail, peer: Peer): number => partOf(task, peer).command!.startedAtMs!;

/** A program of this name that runs until it is disposed. */
async function runningProgram(name: string): Promise<AsyncDisposable> {
  const path = join(harness.folder, name);
  await copyFile("/bin/sleep", path);
  const child = Bun.spawn([path, "600"]);
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

/** Whole day of the week that is three days away in every time zone. */
const otherDay = (): string => dayNames[(new Date().getUTCDay() + 3) % 7]!;

test("a complete package waits while a program runs, and its command begins when the program has ended", async () => {
  await harness.setSetting("polite", "runDeferral=2s");
  const id = await publish("polite");
  const program = await runningProgram("fc-long-editor.bin");
  try {
    const words = ["--setting", "polite", "--not-while", "absent,fc-long-editor.bin"];
    const taskId = await createRun(id, ...words);
    for (const peer of [tokyo, newYork]) await waitsFor(taskId, peer, "waits while fc-long-editor.bin runs");
    expect((await admin("task", "show", String(taskId))).split("\n")).toContain(
      "not while absent, fc-long-editor.bin",
    );
    const other = await createRun(id);
    await harness.waitUntilComplete(other, [tokyo, newYork]);
    expect(partOf(await harness.client.task(taskId), tokyo).state).toBe("ready");
    const endedAtMs = Date.now();
    await program[Symbol.asyncDispose]();
    const done = await harness.waitUntilComplete(taskId, [tokyo, newYork]);
    expect(startedAtMs(done, tokyo)).toBeGreaterThanOrEqual(endedAtMs);
  } finally {
    await program[Symbol.asyncDispose]();
  }
}, 120_000);

test("a command outside its window waits in ready, and begins at its deadline", async () => {
  await harness.setSetting("weekly", `runSchedule=${otherDay()}`);
  const id = await publish("weekly");
  const deadlineMs = Date.now() + 15_000;
  const taskId = await createRun(id, "--setting", "weekly", "--deadline", new Date(deadlineMs).toISOString());
  await waitsFor(taskId, tokyo, `waits for its window: ${otherDay()}; begins at its deadline`);
  const done = await harness.waitUntilComplete(taskId, [tokyo, newYork]);
  for (const peer of [tokyo, newYork]) expect(startedAtMs(done, peer)).toBeGreaterThanOrEqual(deadlineMs);
}, 120_000);

test("a changed deadline, and a changed setting, take effect on a command that waits", async () => {
  await harness.setSetting("edited", `runSchedule=${otherDay()}`);
  const id = await publish("edited");
  const program = await runningProgram("fc-edited.bin");
  try {
    const words = ["--setting", "edited", "--not-while", "fc-edited.bin"];
    const first = await createRun(id, "--target", `device:${tokyo.id}`, ...words);
    const second = await createRun(id, "--target", `device:${newYork.id}`, ...words);
    await waitsFor(first, tokyo, `waits for its window: ${otherDay()}; the next one begins at`);
    await waitsFor(second, newYork, "the next one begins at");
    await admin("task", "edit", String(first), "--deadline", "+1h");
    await waitsFor(first, tokyo, "begins at its deadline");
    expect(await admin("task", "show", String(first))).toMatch(/^deadline +\d{4}-/m);
    await admin("task", "edit", String(first), "--deadline", "+1s");
    await harness.waitUntilComplete(first, [tokyo]);
    await harness.setSetting("edited", "runSchedule=none");
    await waitsFor(second, newYork, "waits while fc-edited.bin runs");
    await admin("task", "edit", String(second), "--not-while", "none");
    await harness.waitUntilComplete(second, [newYork]);
  } finally {
    await program[Symbol.asyncDispose]();
  }
}, 120_000);

test("a deferral survives a restart of the agent, and the command begins after the last one", async () => {
  await harness.setSetting("deferred", "runDeferrals=1", "runDeferral=1h");
  const id = await publish("deferred");
  await using _ = await runningProgram("fc-deferred.bin");
  const words = ["--setting", "deferred", "--not-while", "fc-deferred.bin"];
  const taskId = await createRun(id, "--target", `device:${tokyo.id}`, ...words);
  const text = "deferral 1 of 1, asks again at";
  const { reasons, updatedAtMs } = partOf(await waitsFor(taskId, tokyo, text), tokyo);
  expect(reasonsText(reasons)).toEndWith("; fc-deferred.bin runs");
  await tokyo.kill();
  tokyo.restart();
  const again = await harness.waitForTask(taskId, (task) => {
    const part = partOf(task, tokyo);
    return (
      part.updatedAtMs > updatedAtMs && part.state === "ready" && reasonsText(part.reasons).includes(text)
    );
  });
  expect(partOf(again, tokyo).reasons).toEqual(reasons);
  await harness.setSetting("deferred", "runDeferrals=2", "runDeferral=2s");
  await waitsFor(taskId, tokyo, "deferral 2 of 2");
  await harness.waitUntilComplete(taskId, [tokyo]);
}, 120_000);

const isNobodyLoggedOn = (await platform.userIdleMs()) === null;
test.skipIf(!isNobodyLoggedOn)(
  "a command that waits for users begins where nobody is logged on",
  async () => {
    await harness.setSetting("considerate", "runWhileUserActive=false", "userIdle=1d");
    const taskId = await createRun(await publish("considerate"), "--setting", "considerate");
    await harness.waitUntilComplete(taskId, [tokyo, newYork]);
  },
  60_000,
);

test("a start on each device's clock begins where the clock has reached it, and waits elsewhere", async () => {
  const id = await publish("local");
  // In Tokyo the clock is nine hours ahead of the administrator's, in New York four or five behind.
  const atMs = Date.now() + 120_000;
  const clock = new Date(atMs).toISOString().slice(11, 16);
  const taskId = await createRun(id, "--start", clock);
  const nominal = new Date(atMs).toISOString().slice(0, 16).replace("T", " ");
  expect(await admin("task", "list")).toContain(`${nominal} at each device`);
  expect(await admin("task", "show", String(taskId))).toMatch(
    new RegExp(`^start +${nominal} at each device$`, "m"),
  );
  const done = await harness.waitUntilComplete(taskId, [tokyo]);
  expect(done.state).toBe("running");
  const { state, reasons } = partOf(done, newYork);
  expect(state).toBe("waiting");
  const startsAtMs = Number(reasons[0]!["atMs"]);
  const aheadHours = (startsAtMs - Date.parse(`${nominal.replace(" ", "T")}Z`)) / 3_600_000;
  expect(aheadHours).toBeWithin(4, 5.02);
  await admin("task", "start-now", String(taskId));
  await harness.waitUntilComplete(taskId, [newYork]);
}, 120_000);

test("a start that has passed is a warning, and a copy takes the programs but not the times", async () => {
  const id = await publish("copied");
  const words = ["--action", "run", "--command", "true", "--target", "group:nobody", "--not-while", "a,b"];
  const yesterday = new Date(Date.now() - 86_400_000).toISOString();
  const past = await harness.tryAdmin("task", "create", id, ...words, "--start", yesterday);
  const day = yesterday.slice(0, 10);
  expect([past.status, past.stderr]).toEqual([0, expect.stringContaining(`warning: the start ${day}`)]);
  const local = await harness.tryAdmin("task", "create", id, ...words, "--start", `${day}T12:00 local`);
  expect(local.stderr).toContain(`warning: the start ${day} 12:00 at each device has passed`);
  const copied = await harness.tryAdmin("task", "create", "--from", past.stdout.trim(), "--json");
  const { taskId } = JSON.parse(copied.stdout) as { taskId: number };
  expect(await harness.client.task(taskId)).toMatchObject({ notWhile: ["a", "b"], deadlineAtMs: null });
}, 60_000);
