/** Commands of several tasks on one device: one at a time, in order, and never a lower version. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import { openHarness, partOf, until, type Harness, type Peer } from "./harness.ts";

let harness: Harness;
let peers: Peer[];
beforeAll(async () => {
  harness = await openHarness();
  peers = await harness.startPeers(2);
}, 60_000);
afterAll(() => harness[Symbol.asyncDispose]());

async function publish(name: string, version: string): Promise<string> {
  const file = await harness.makeFile(`${name}-${version}.bin`, 100_000);
  return harness.publish(file, { name, version });
}
const createRun = async (packageId: string, command: string, ...words: string[]): Promise<number> => {
  const options = ["--action", "run", "--command", command, ...words];
  const created = await harness.tryAdmin("task", "create", packageId, ...options);
  expect(created.stderr).toBe("");
  return Number(created.stdout);
};
const processGroupOf = (pid: number): number =>
  Number(Bun.spawnSync(["ps", "-o", "pgid=", "-p", String(pid)]).stdout.toString());
/** Returns the task as the peer's status shows it; undefined also while the peer starts. */
const stateOf = async (peer: Peer, taskId: number) =>
  (await peer.status().catch(() => null))?.tasks.find((task) => task.taskId === taskId);
/** Waits until the task has this state on the peer, and returns its reason. */
const reasonIn = (peer: Peer, taskId: number, state: string): Promise<string> =>
  until(
    async () => `task ${taskId} is not ${state}: ${JSON.stringify(await stateOf(peer, taskId))}`,
    20_000,
    async () => {
      const task = await stateOf(peer, taskId);
      return task?.state === state ? reasonsText(task.reasons) : null;
    },
  );

/** Takes a lock of the device, and appends to a log of the device. */
const installer = (name: string): string =>
  `at=$(dirname "$(dirname "$(pwd)")"); mkdir "$at/lock" || exit 1; sleep 0.3; echo ${name} >> "$at/order"; rmdir "$at/lock"`;

test("three installers that take one lock succeed on both devices, one after the other", async () => {
  const ids = await Promise.all(["a", "b", "c"].map((name) => publish(name, "1")));
  const tasks: number[] = [];
  for (const [index, id] of ids.entries()) tasks.push(await createRun(id, installer("abc"[index]!)));
  for (const taskId of tasks) {
    const task = await harness.waitUntilComplete(taskId, peers);
    for (const peer of peers) expect(partOf(task, peer)).toMatchObject({ command: { runs: 1 } });
  }
  for (const peer of peers) {
    const order = await readFile(join(peer.copyOf("a", "1"), "..", "..", "order"), "utf8");
    expect(order.trim().split("\n").toSorted()).toEqual(["a", "b", "c"]);
  }
}, 60_000);

test("tasks of one package that become ready together run in the order of their ids", async () => {
  const [peer] = peers as [Peer, Peer];
  const id = await publish("together", "1");
  const gate = join(harness.folder, "gate");
  const order = join(harness.folder, "order");
  const command = `until test -e ${gate}; do sleep 0.05; done; echo $FLOCKCAST_TASK >> ${order}`;
  const target = ["--target", `device:${peer.id}`];
  const tasks: number[] = [];
  for (let count = 0; count < 3; count++) tasks.push(await createRun(id, command, ...target));
  const [first, second, third] = tasks as [number, number, number];
  await reasonIn(peer, first, "running");
  for (const taskId of [second, third])
    expect(await reasonIn(peer, taskId, "ready")).toBe(`waits for the command of task ${first}`);
  // The order is the same after a restart, and the running command keeps its turn.
  await peer.kill();
  peer.restart();
  for (const taskId of [second, third])
    expect(await reasonIn(peer, taskId, "ready")).toBe(`waits for the command of task ${first}`);
  await writeFile(gate, "");
  for (const taskId of tasks) await harness.waitUntilComplete(taskId, [peer]);
  expect(await readFile(order, "utf8")).toBe(`${tasks.join("\n")}\n`);
}, 60_000);

test("a task waits for the success of the one it comes after, and is blocked by its failure", async () => {
  const [peer] = peers as [Peer, Peer];
  const id = await publish("base", "1");
  const target = ["--target", `device:${peer.id}`];
  const gate = join(harness.folder, "base-gate");
  const base = await createRun(id, `test -e ${gate}`, ...target);
  const next = await createRun(id, "true", ...target, "--after", String(base));
  expect(await reasonIn(peer, base, "failed")).toContain("exit code 1");
  expect(await reasonIn(peer, next, "failed")).toContain(`waits for task ${base}, which has to succeed`);
  await writeFile(gate, "");
  await harness.source.admin("task", "retry", String(base));
  await harness.waitUntilComplete(base, [peer]);
  await harness.waitUntilComplete(next, [peer]);
}, 60_000);

test("a lower version than the one that ran does not run, unless it is allowed to", async () => {
  const [peer] = peers as [Peer, Peer];
  const [high, low] = [await publish("editor", "2.0"), await publish("editor", "1.10")];
  const target = ["--target", `device:${peer.id}`];
  const log = join(harness.folder, "editor-log");
  const command = `echo $FLOCKCAST_VERSION >> ${log}`;
  await harness.waitUntilComplete(await createRun(high, command, ...target), [peer]);
  const lower = await createRun(low, command, ...target);
  const other = await createRun(low, `${command} # other`, ...target);
  await harness.waitUntilComplete(other, [peer]);
  expect((await stateOf(peer, lower))?.state ?? "superseded").toBe("superseded");
  const allowed = await createRun(low, command, ...target, "--allow-downgrade");
  await harness.waitUntilComplete(allowed, [peer]);
  expect(await readFile(log, "utf8")).toBe("2.0\n1.10\n1.10\n");
}, 60_000);

test("a failed command's reason stays on the representative that serves others", async () => {
  const id = await publish("reason", "1");
  const taskId = await createRun(id, "echo no licence; exit 9");
  for (const peer of peers) {
    const reason = await reasonIn(peer, taskId, "failed");
    expect(reason).toContain('exit code 9: "no licence"');
  }
  // Sessions end within seconds; the reason is the same afterwards, also at the source.
  await until(
    () => "a session goes on",
    30_000,
    async () => {
      const roles = await Promise.all(peers.map(async (peer) => (await stateOf(peer, taskId))?.role));
      return roles.every((role) => role === "none") || null;
    },
  );
  for (const peer of peers)
    expect(reasonsText((await stateOf(peer, taskId))?.reasons ?? [])).toContain("exit code 9");
  const task = await harness.waitForTask(
    taskId,
    (detail) => detail.deviceList.every(({ role }) => role === "none"),
    20_000,
  );
  for (const peer of peers) expect(reasonsText(partOf(task, peer).reasons)).toContain("exit code 9");
}, 60_000);

test("install does not run where detect finds the package, and uninstall always runs", async () => {
  const [peer] = peers as [Peer, Peer];
  const tree = join(harness.folder, "detected");
  const mark = join(harness.folder, "installed");
  const log = join(harness.folder, "detect-log");
  await mkdir(tree);
  const lines = {
    detect: `test -e ${mark}`,
    install: `echo install >> ${log}; touch ${mark}`,
    uninstall: `echo uninstall >> ${log}; rm ${mark}`,
  };
  const commands = Object.entries(lines).map(([name, line]) => `[${name}]\nlinux = "${line}"\n`);
  await writeFile(join(tree, "flockcast.toml"), commands.join(""));
  const id = await harness.publish(tree, { name: "detected", version: "1" });
  const run = async (name: string) => {
    const created = await harness.tryAdmin(
      ...(["task", "create", id, "--action", "run", "--run", name, "--target", `device:${peer.id}`] as const),
    );
    const taskId = Number(created.stdout);
    return partOf(await harness.waitUntilComplete(taskId, [peer]), peer);
  };
  expect(await run("install")).toMatchObject({ command: { meaning: "success", runs: 1 } });
  const again = await run("install");
  expect(again).toMatchObject({ command: { meaning: "already-there", runs: 0 } });
  expect(reasonsText(again.reasons)).toContain("already there");
  await run("uninstall");
  await run("install");
  expect(await readFile(log, "utf8")).toBe("install\nuninstall\ninstall\n");
}, 60_000);

test("detect decides about an install whose outcome is unknown", async () => {
  const [peer] = peers as [Peer, Peer];
  for (const hasInstalled of [true, false]) {
    const name = `lost-${hasInstalled}`;
    const tree = join(harness.folder, name);
    const mark = join(tree, "installed");
    const pid = join(tree, "pid");
    await mkdir(tree);
    const install = `echo $$ > ${pid}; ${hasInstalled ? `touch ${mark}` : "true"}; exec sleep 100`;
    const commands = `[detect]\nlinux = "test -e ${mark}"\n[install]\nlinux = "${install}"\n`;
    const path = join(harness.folder, `${name}.toml`);
    await writeFile(path, commands);
    const file = await harness.makeFile(`${name}.bin`, 50_000);
    await harness.source.admin("publish", file, "--name", name, "--version", "1", "--commands", path);
    const options = ["--action", "run", "--run", "install", "--target", `device:${peer.id}`];
    const taskId = Number((await harness.tryAdmin("task", "create", name, ...options)).stdout);
    await reasonIn(peer, taskId, "running");
    const group = await until(
      () => `no ${pid}`,
      10_000,
      async () => Number(await readFile(pid, "utf8").catch(() => "")) || null,
    );
    await peer.kill();
    // As after a restart of the machine: the command and its shell are gone.
    process.kill(-processGroupOf(group), "SIGKILL");
    peer.restart();
    const task = await harness.waitForTask(
      taskId,
      (detail) => ["complete", "failed"].includes(partOf(detail, peer).state),
      30_000,
    );
    expect(partOf(task, peer)).toMatchObject(
      hasInstalled
        ? { state: "complete", command: { meaning: "already-there" } }
        : { state: "failed", command: { meaning: "unknown" } },
    );
  }
}, 90_000);
