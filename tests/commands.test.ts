/** Tasks with `--action run`: the command's folder, limits, exit code and reported output. */
import { Database } from "bun:sqlite";
import { existsSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import type { TaskDetail, TaskDevice } from "../shared/api/schema/admin.ts";
import { openHarness, partOf, until, type Harness, type Peer } from "./harness.ts";

let harness: Harness;
let peer: Peer;
let packageId = "";

beforeAll(async () => {
  harness = await openHarness();
  peer = await harness.startPeer();
  const file = await harness.makeFile("setup.bin", 300_001);
  packageId = await harness.publish(file, { name: "setup", version: "1.0" });
}, 60_000);
afterAll(() => harness[Symbol.asyncDispose]());

const isOver = (task: TaskDetail): boolean =>
  ["reboot-pending", "complete", "failed", "cancelled"].includes(partOf(task, peer).state);

async function runTask(command: string, setting?: string): Promise<{ taskId: number; part: TaskDevice }> {
  const taskId = await createRun(command, setting);
  return { taskId, part: partOf(await harness.waitForTask(taskId, isOver, 30_000), peer) };
}
const createRun = (command: string, setting?: string): Promise<number> =>
  harness.createTask(packageId, { action: "run", command, ...(setting ? { setting } : {}) });

const outputOfTask = (taskId: number): Promise<string> =>
  readFile(join(peer.data, "tasks", `${taskId}.log`), "utf8");
const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0) && !isZombie(pid);
  } catch {
    return false;
  }
};
/** Returns whether a process is a zombie: the first process of a container may reap none. */
const isZombie = (pid: number): boolean =>
  Bun.spawnSync(["ps", "-o", "stat=", "-p", String(pid)])
    .stdout.toString()
    .startsWith("Z");
const groupOf = (pid: number): number =>
  Number(Bun.spawnSync(["ps", "-o", "pgid=", "-p", String(pid)]).stdout.toString());
const pidIn = (file: string): Promise<number> =>
  until(
    () => `no pid in ${file}`,
    20_000,
    async () => Number((await readFile(file, "utf8").catch(() => "")).trim()) || null,
  );

test("runs a command in the package's folder with the package's names, and keeps its output", async () => {
  const { taskId, part } = await runTask(
    'pwd; echo "$FLOCKCAST_PACKAGE $FLOCKCAST_VERSION $FLOCKCAST_TASK"; ls; echo oops >&2',
  );
  expect([part.state, part.command?.exitCode, part.command?.timedOut]).toEqual(["complete", 0, false]);
  const expected = `${peer.copyOf("setup", "1.0")}\nsetup 1.0 ${taskId}\nsetup.bin\noops\n`;
  expect(await outputOfTask(taskId)).toBe(expected);
  expect(part.command?.outputTail).toBe(expected);
  const shown = await harness.tryAdmin("task", "show", String(taskId), "--json");
  expect(shown.stdout).toContain(`setup 1.0 ${taskId}`);
  // The status of the agent has the end of the command, and nothing that it wrote.
  const own = (await peer.status()).tasks.find((task) => task.taskId === taskId);
  expect(own?.command).toMatchObject({ exitCode: 0, outputTail: "" });
  const files = ["", `${taskId}.log`, `${taskId}.run`, `${taskId}.status`];
  const modes = files.map((name) => statSync(join(peer.data, "tasks", name)).mode & 0o777);
  expect(modes).toEqual([0o700, 0o600, 0o600, 0o600]);
});

test("reports the end of a long output and keeps all of it", async () => {
  const { taskId, part } = await runTask("seq 1 20000");
  expect(part.command?.outputTail.endsWith("\n19999\n20000\n")).toBe(true);
  expect(part.command!.outputTail.length).toBeLessThanOrEqual(4_096);
  expect((await outputOfTask(taskId)).split("\n")).toHaveLength(20_001);
});

test("fails the task with the exit code and the output's path when the code does not mean success", async () => {
  const { taskId, part } = await runTask("echo no licence; exit 7");
  expect([part.state, part.command?.exitCode, part.command?.outputTail]).toEqual([
    "failed",
    7,
    "no licence\n",
  ]);
  expect(reasonsText(part.reasons)).toContain("exit code 7");
  expect(reasonsText(part.reasons)).toContain(`tasks/${taskId}.log`);
  const watched = await harness.tryAdmin("task", "watch", String(taskId));
  expect(watched.status).toBe(1);
  expect(watched.stdout).toContain("exit code 7");
});

test("fails the task when the command is not found", async () => {
  const { part } = await runTask("no-such-program-at-all");
  expect([part.state, part.command?.exitCode]).toEqual(["failed", 127]);
});

test("accepts the exit codes that the setting lists as success", async () => {
  await harness.setSetting("reboots", "commandSuccessExitCodes=0,3010");
  const { part } = await runTask("exit 250", "reboots");
  expect(part.state).toBe("failed");
  await harness.setSetting("reboots", "commandSuccessExitCodes=0,250");
  const again = await runTask("exit 250", "reboots");
  expect([again.part.state, again.part.command?.exitCode]).toEqual(["complete", 250]);
});

test("kills a command at its time limit with all its processes, also one that ignores SIGTERM", async () => {
  await harness.setSetting("quick", "commandTimeout=1s");
  const stubborn = join(harness.folder, "stubborn.pid");
  const child = join(harness.folder, "child.pid");
  const { part } = await runTask(
    `sh -c 'trap "" TERM; echo $$ > ${stubborn}; while :; do sleep 0.2; done' & sleep 100 & echo $! > ${child}; wait`,
    "quick",
  );
  expect([part.state, part.command?.timedOut]).toEqual(["failed", true]);
  expect(reasonsText(part.reasons)).toContain("longer than 1 s");
  const pids = [await pidIn(stubborn), await pidIn(child)];
  await until(
    () => `still running: ${pids.filter(isRunning).join(", ")}`,
    10_000,
    () => (pids.some(isRunning) ? null : true),
  );
}, 30_000);

test("lets a running command finish when the task is cancelled, and reports its result", async () => {
  const file = join(harness.folder, "cancelled.pid");
  const gate = join(harness.folder, "cancelled.gate");
  const taskId = await createRun(`echo $$ > ${file}; until test -e ${gate}; do sleep 0.1; done; exit 4`);
  await pidIn(file);
  await harness.waitForTask(taskId, (task) => partOf(task, peer).state === "running", 20_000);
  await harness.source.admin("task", "cancel", String(taskId));
  await Bun.sleep(1_000);
  expect((await peer.status()).tasks.find((task) => task.taskId === taskId)?.state).toBe("running");
  await writeFile(gate, "");
  const part = partOf(await harness.waitForTask(taskId, isOver, 20_000), peer);
  expect(part).toMatchObject({ state: "failed", command: { exitCode: 4 } });
}, 30_000);

test("cancel --kill ends a running command with its processes, also after the agent was restarted", async () => {
  for (const restarts of [false, true]) {
    const file = join(harness.folder, `killed-${restarts}.pid`);
    const taskId = await createRun(`sleep 100 & echo $! > ${file}; wait`);
    const pid = await pidIn(file);
    await harness.waitForTask(taskId, (task) => partOf(task, peer).state === "running", 20_000);
    if (restarts) {
      await peer.kill();
      peer.restart();
    }
    await harness.source.admin("task", "cancel", "--kill", String(taskId));
    const part = partOf(await harness.waitForTask(taskId, isOver, 20_000), peer);
    expect([part.state, isRunning(pid)]).toEqual(["cancelled", false]);
    expect(reasonsText(part.reasons)).toContain("had the command ended");
  }
}, 60_000);

test("runs no command for pre-cache", async () => {
  const refused = await harness.tryAdmin(
    "task",
    "create",
    packageId,
    "--action",
    "pre-cache",
    "--command",
    "true",
  );
  expect([refused.status, refused.stdout]).toEqual([2, ""]);
  const taskId = await harness.createTask(packageId);
  const part = partOf(await harness.waitForTask(taskId, isOver, 20_000), peer);
  expect([part.state, part.command]).toEqual(["complete", null]);
  expect(existsSync(join(peer.data, "tasks", `${taskId}.log`))).toBe(false);
});

test.each(["SIGKILL", "SIGTERM"] as const)(
  "a command that runs while the agent ends by %s runs once and ends with its true result",
  async (signal) => {
    const file = join(harness.folder, `once-${signal}.pid`);
    const gate = join(harness.folder, `gate-${signal}`);
    const taskId = await createRun(
      `echo $$ >> ${file}; until test -e ${gate}; do sleep 0.1; done; echo installed; exit 3`,
    );
    await pidIn(file);
    if (signal === "SIGKILL") await peer.kill();
    else expect(await peer.stop()).toBe(0);
    peer.restart();
    await harness.waitForTask(taskId, (task) => partOf(task, peer).state === "running", 20_000);
    await writeFile(gate, "");
    const part = partOf(await harness.waitForTask(taskId, isOver, 30_000), peer);
    expect(part).toMatchObject({ state: "failed", command: { exitCode: 3, meaning: "failed", runs: 1 } });
    expect(reasonsText(part.reasons)).toContain('"installed"');
    expect((await readFile(file, "utf8")).trim().split("\n")).toHaveLength(1);
  },
  60_000,
);

test("a command that ended while the agent was away ends with its true result", async () => {
  const file = join(harness.folder, "away.pid");
  const taskId = await createRun(`echo $$ > ${file}; sleep 1; echo done`);
  const pid = await pidIn(file);
  await peer.kill();
  await until(
    () => "the command still runs",
    10_000,
    () => (isRunning(pid) ? null : true),
  );
  peer.restart();
  const part = partOf(await harness.waitForTask(taskId, isOver, 30_000), peer);
  expect(part).toMatchObject({ state: "complete", command: { exitCode: 0, outputTail: "done\n" } });
}, 60_000);

test("the outcome is unknown when the command was killed with its shell while the agent was away", async () => {
  const file = join(harness.folder, "lost.pid");
  const taskId = await createRun(`echo $$ >> ${file}; exec sleep 100`);
  const pid = await pidIn(file);
  await peer.kill();
  process.kill(-groupOf(pid), "SIGKILL");
  peer.restart();
  const part = partOf(await harness.waitForTask(taskId, isOver, 30_000), peer);
  expect(part).toMatchObject({ state: "failed", command: { exitCode: null, meaning: "unknown" } });
  expect(reasonsText(part.reasons)).toContain("outcome of the command is unknown");
  expect((await readFile(file, "utf8")).trim().split("\n")).toHaveLength(1);
}, 60_000);

test("a time limit that passes while the agent is away ends the command after its restart", async () => {
  await harness.setSetting("short", "commandTimeout=2s");
  const file = join(harness.folder, "late.pid");
  const taskId = await createRun(`echo $$ > ${file}; exec sleep 100`, "short");
  const pid = await pidIn(file);
  await peer.kill();
  await Bun.sleep(2_000);
  peer.restart();
  const part = partOf(await harness.waitForTask(taskId, isOver, 30_000), peer);
  expect(part).toMatchObject({ state: "failed", command: { timedOut: true, meaning: "timed-out" } });
  expect(isRunning(pid)).toBe(false);
}, 60_000);

test("a command has a fixed environment without that of the agent", async () => {
  const { taskId } = await runTask("env | cut -d= -f1 | sort");
  const names = (await outputOfTask(taskId)).trim().split("\n");
  // The shell adds PWD, and bash _, OLDPWD and SHLVL.
  expect(names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name))).toEqual([
    "FLOCKCAST_PACKAGE",
    "FLOCKCAST_TASK",
    "FLOCKCAST_VERSION",
    "HOME",
    "LANG",
    "PATH",
    "TMPDIR",
  ]);
});

test("a task whose command needs a reboot is complete once the machine was restarted", async () => {
  await harness.setSetting("codes", "commandRebootExitCodes=194");
  const { part, taskId } = await runTask("exit 194", "codes");
  expect(part).toMatchObject({ state: "reboot-pending", command: { meaning: "reboot-needed" } });
  expect(reasonsText(part.reasons)).toContain("reboot needed: the command ended with exit code 194");
  const { devices, state } = await harness.client.task(taskId);
  expect([devices.complete, devices.rebootPending, state]).toEqual([0, 1, "running"]);
  const watched = await harness.tryAdmin("task", "watch", String(taskId));
  expect([watched.status, watched.stdout]).toEqual([
    0,
    expect.stringContaining(`task ${taskId}: all 1 devices complete, 1 of them to be restarted`),
  ]);
  await peer.stop();
  peer.restart();
  await until(
    () => "the agent does not run again",
    30_000,
    async () => ((await peer.status().catch(() => null))?.connected ? true : null),
  );
  expect(partOf(await harness.client.task(taskId), peer).state).toBe("reboot-pending");
  await peer.stop();
  // The command ran before the last start of the machine.
  const ledger = new Database(join(peer.data, "ledger.db"));
  ledger.run("UPDATE tasks SET state = json_set(state, '$.bootId', 'an earlier one') WHERE task_id = ?", [
    taskId,
  ]);
  ledger.close();
  peer.restart();
  const after = partOf(
    await harness.waitForTask(taskId, (task) => task.devices.complete === 1, 30_000),
    peer,
  );
  expect(reasonsText(after.reasons)).toContain("the machine was restarted after the command");
}, 120_000);
