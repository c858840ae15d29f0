/**
 * Upgrades of the agent by a task: real executables of several versions. A version that does not
 * check in, and a kill in the middle, leave the old or the new one running.
 */
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import * as v from "valibot";
import { build } from "../scripts/build/build.ts";
import { executableName } from "../scripts/build/executable.ts";
import { buildTargets, nativeTargetName, parseTargets } from "../scripts/build/targets.ts";
import { digestFile } from "../scripts/rig/verify.ts";
import { reasonsText } from "../shared/model/reason.ts";
import { pathsBeside } from "../shared/agent/upgrade/executable.ts";
import { readUpgrade, type UpgradeStep } from "../shared/agent/upgrade/upgrade-state.ts";
import { deviceListSchema } from "../shared/api/schema/device.ts";
import { createCleanups } from "./cleanups.ts";
import { bytesFrom, partOf, until, wanBytesFetched, type Harness, type Peer } from "./harness.ts";

const fileName = executableName(
  "peer",
  buildTargets.find(({ name }) => name === nativeTargetName())!,
);
const versions = ["0.1.0", "0.2.0", "0.3.0"] as const;
const waitMs = 120_000;
const testMs = 240_000;

let folder = "";
const builtOf = (version: string): string => join(folder, version, fileName);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-self-upgrade-"));
  for (const version of versions) await build(parseTargets([]), ["peer"], join(folder, version), { version });
}, waitMs);
afterAll(() => rm(folder, { recursive: true, force: true }));

const { open } = createCleanups();

const settings = ["upgradeConfirm=60s", "checkInInterval=1s"];

/** Starts a peer with an executable of its own, as version 0.1.0. */
async function startUpgradable(harness: Harness): Promise<{ peer: Peer; executable: string }> {
  const own = await mkdtemp(join(harness.folder, "program-"));
  const executable = join(own, "agent");
  await copyFile(builtOf("0.1.0"), executable);
  await chmod(executable, 0o750);
  const peer = await harness.startPeer({ programs: { commandOf: () => [executable] } });
  return { peer, executable };
}

/** Publishes a package with one executable of the given text or file. */
async function publishAgent(harness: Harness, version: string, content: { text: string } | { file: string }) {
  const path = join(harness.folder, "agents", version);
  await mkdir(path, { recursive: true });
  if ("file" in content) await copyFile(content.file, join(path, fileName));
  else await writeFile(join(path, fileName), content.text, { mode: 0o755 });
  return harness.publish(path, { name: "agent", version });
}

const upgradeTo = async (harness: Harness, version: string, content?: string): Promise<number> =>
  harness.createTask(
    await publishAgent(
      harness,
      version,
      content === undefined ? { file: builtOf(version) } : { text: content },
    ),
    { action: "upgrade" },
  );

/** An executable that prints a version and then does as the lines say. */
const scriptOf = (version: string, ...lines: string[]): string =>
  ["#!/bin/sh", `[ "$1" = --version ] && echo ${version} && exit 0`, ...lines, ""].join("\n");

async function endOf(harness: Harness, taskId: number, peer: Peer) {
  const states = new Set(["complete", "failed", "superseded", "cancelled"]);
  const task = await harness.waitForTask(taskId, (seen) => states.has(partOf(seen, peer).state), waitMs);
  return partOf(task, peer);
}

const listedVersion = async (harness: Harness, peer: Peer): Promise<string | undefined> => {
  const { stdout } = await harness.tryAdmin("device", "list", "--json");
  const devices = v.parse(deviceListSchema.entries.devices, JSON.parse(stdout));
  return devices.find(({ id }) => id === peer.id)?.inventory?.agentVersion;
};

const untilListed = (harness: Harness, peer: Peer, version: string) =>
  until(
    async () => `the source lists version ${await listedVersion(harness, peer)}, not ${version}`,
    waitMs,
    async () => ((await listedVersion(harness, peer)) === version ? true : null),
  );

/** Checks that a command still runs on the device. */
async function runCommand(harness: Harness, peer: Peer, name: string): Promise<void> {
  const file = await harness.makeFile(`${name}.bin`, 10_000);
  const packageId = await harness.publish(file, { name, version: "1" });
  const command = `printf x >> "${join(harness.folder, name)}.ran"`;
  const taskId = await harness.createTask(packageId, { action: "run", command });
  expect((await endOf(harness, taskId, peer)).state).toBe("complete");
  expect(await readFile(`${join(harness.folder, name)}.ran`, "utf8")).toBe("x");
}

test(
  "an agent becomes the version of the package twice, keeps its process, and runs commands after it",
  async () => {
    const harness = await open({ settings });
    const { peer, executable } = await startUpgradable(harness);
    const first = await endOf(harness, await upgradeTo(harness, "0.2.0"), peer);
    expect(first).toMatchObject({ state: "complete" });
    expect(reasonsText(first.reasons)).toContain("version 0.2.0 runs (before: 0.1.0)");
    expect(first.command).toMatchObject({ meaning: "success", runs: 1 });
    await untilListed(harness, peer, "0.2.0");
    expect(await digestFile(executable)).toBe(await digestFile(builtOf("0.2.0")));
    expect(await digestFile(pathsBeside(executable).previous)).toBe(await digestFile(builtOf("0.1.0")));
    expect(existsSync(pathsBeside(executable).next)).toBe(false);
    expect((await peer.status()).version).toBe("0.2.0");

    const second = await endOf(harness, await upgradeTo(harness, "0.3.0"), peer);
    expect(reasonsText(second.reasons)).toContain("version 0.3.0 runs (before: 0.2.0)");
    await untilListed(harness, peer, "0.3.0");
    expect(peer.program.exitStatus()).toBeNull();
    await runCommand(harness, peer, "after");

    const again = await harness.createTask(
      await harness.publish(builtOf("0.3.0"), { name: "same", version: "1" }),
      { action: "upgrade" },
    );
    expect(reasonsText((await endOf(harness, again, peer)).reasons)).toContain(
      "already there: the agent is version 0.3.0",
    );
    const lower = await harness.createTask(
      await harness.publish(builtOf("0.2.0"), { name: "lower", version: "1" }),
      { action: "upgrade" },
    );
    expect(await endOf(harness, lower, peer)).toMatchObject({ state: "superseded" });
    const words = ["--action", "upgrade", "--allow-downgrade"];
    const wanted = Number(await harness.source.admin("task", "create", "lower", ...words));
    expect(reasonsText((await endOf(harness, wanted, peer)).reasons)).toContain(
      "version 0.2.0 runs (before: 0.3.0)",
    );
    expect(await peer.stop()).toBe(0);
    expect(existsSync(join(peer.data, "ledger.db.before-upgrade"))).toBe(false);
  },
  testMs,
);

test(
  "three agents of a subnet get the new version by multicast, before the one that leads restarts",
  async () => {
    const harness = await open({ settings: [...settings, "useDeputy=false"] });
    const devices = [];
    for (let count = 0; count < 3; count++) devices.push((await startUpgradable(harness)).peer);
    const taskId = await upgradeTo(harness, "0.2.0");
    const task = await harness.waitUntilComplete(taskId, devices, waitMs);
    expect(wanBytesFetched(task) / task.packageBytes).toBeLessThan(1.05);
    expect(bytesFrom(task, "multicast") / task.packageBytes).toBeGreaterThan(1.8);
    for (const peer of devices) await untilListed(harness, peer, "0.2.0");
  },
  testMs,
);

test.each([
  [
    "exits",
    ["echo first >&2; echo 'cannot load a library' >&2; exit 3"],
    /exited with status 3 before it checked in: "cannot load a library": version 0.1.0 runs again/,
  ],
  ["stays silent", ["exec sleep 1000"], /did not check in within 3s: version 0.1.0 runs again/],
])(
  "the old agent runs again when the new one %s",
  async (_, lines, reason) => {
    const harness = await open({ settings: [...settings, "upgradeConfirm=3s"] });
    const { peer, executable } = await startUpgradable(harness);
    const end = await endOf(harness, await upgradeTo(harness, "0.1.5", scriptOf("0.1.5", ...lines)), peer);
    expect([end.state, reasonsText(end.reasons)]).toEqual(["failed", expect.stringMatching(reason)]);
    expect((await peer.status()).version).toBe("0.1.0");
    expect(await digestFile(executable)).toBe(await digestFile(builtOf("0.1.0")));
    expect(existsSync(pathsBeside(executable).next)).toBe(false);
    await runCommand(harness, peer, "after");
    // The next version is not affected.
    expect((await endOf(harness, await upgradeTo(harness, "0.2.0"), peer)).state).toBe("complete");
    await untilListed(harness, peer, "0.2.0");
  },
  testMs,
);

test(
  "the ledger is as before when a new version has migrated it and then fails",
  async () => {
    const harness = await open({ settings });
    const { peer } = await startUpgradable(harness);
    const migrating = `${process.execPath} -e '
      const { Database } = require("bun:sqlite");
      new Database("${join(peer.data, "ledger.db")}").run("PRAGMA user_version = 99");
    '; exit 1`;
    const taskId = await upgradeTo(harness, "0.9.0", scriptOf("0.9.0", migrating));
    expect(await endOf(harness, taskId, peer)).toMatchObject({ state: "failed" });
    expect((await peer.status()).deviceId).toBe(peer.id);
    await runCommand(harness, peer, "after");
  },
  testMs,
);

test(
  "nothing is tried when the package has no usable executable, and the reason says why",
  async () => {
    const harness = await open({ settings });
    const { peer, executable } = await startUpgradable(harness);
    const other = await harness.makeFile("flockcast-peer-solaris-sparc", 1_000);
    const missing = await harness.publish(other, { name: "other", version: "1" });
    const noFile = await endOf(harness, await harness.createTask(missing, { action: "upgrade" }), peer);
    expect(reasonsText(noFile.reasons)).toStartWith(
      `the package has no file ${fileName}, which this device needs: publish a version that has it, or target other devices`,
    );
    const silent = await endOf(harness, await upgradeTo(harness, "0.8.0", "#!/bin/sh\necho hello\n"), peer);
    expect(reasonsText(silent.reasons)).toStartWith(
      `${fileName} --version has printed no version (exit code 0): "hello"`,
    );
    const garbage = await endOf(harness, await upgradeTo(harness, "0.8.1", "\u0001\u0002"), peer);
    expect(reasonsText(garbage.reasons)).toContain(`${fileName} --version`);
    expect(readUpgrade(peer.data)).toBeNull();
    expect(existsSync(pathsBeside(executable).next)).toBe(false);
    await mkdir(join(pathsBeside(executable).next, "in the way"), { recursive: true });
    const blocked = await endOf(harness, await upgradeTo(harness, "0.9.0", scriptOf("0.9.0")), peer);
    expect(reasonsText(blocked.reasons)).toContain(
      `${fileName} cannot be copied to ${dirname(executable)}, the folder of`,
    );
    const script = await harness.startPeer();
    const fromSource = await harness.createTask(missing, {
      action: "upgrade",
      target: `device:${script.id}`,
    });
    expect(reasonsText((await endOf(harness, fromSource, script)).reasons)).toContain(
      "the agent is run by bun",
    );
  },
  testMs,
);

test.each([
  ["killed", (peer: Peer) => peer.kill()],
  ["asked to stop", async (peer: Peer) => expect(await peer.stop()).toBe(0)],
])(
  "supervisor and new agent %s during the trial: the next start ends with the new version",
  async (_, end) => {
    const harness = await open({ settings });
    const { peer, executable } = await startUpgradable(harness);
    // The source does not answer, so that the new agent cannot check in.
    const taskId = await upgradeTo(harness, "0.2.0");
    await untilTried(peer, () => void harness.source.program.stop("SIGKILL"));
    await end(peer);
    expect(readUpgrade(peer.data)?.step).toEqual({ kind: "trial", starts: 1 });
    expect(await digestFile(executable)).toBe(await digestFile(builtOf("0.1.0")));
    await harness.source.restart();
    peer.restart();
    const part = await endOf(harness, taskId, peer);
    expect(reasonsText(part.reasons)).toContain("version 0.2.0 runs (before: 0.1.0)");
    expect(part.command?.runs).toBe(1);
    await untilListed(harness, peer, "0.2.0");
    await peer.kill();
    peer.restart();
    await runCommand(harness, peer, "after");
  },
  testMs,
);

test(
  "a new agent that is killed with its supervisor at each start is given up",
  async () => {
    const harness = await open({ settings });
    const { peer } = await startUpgradable(harness);
    const taskId = await upgradeTo(harness, "0.9.0", scriptOf("0.9.0", "exec sleep 1000"));
    for (let starts = 1; starts <= 3; starts++) {
      await untilTried(peer, () => {}, starts);
      await peer.kill();
      peer.restart();
    }
    const end = await endOf(harness, taskId, peer);
    expect(reasonsText(end.reasons)).toMatch(/was started 3 times .*: version 0.1.0 runs again/);
    await runCommand(harness, peer, "after");
  },
  testMs,
);

test(
  "supervisor and agent killed at each step of an upgrade: the new version runs in the end, begun once",
  async () => {
    const harness = await open({ settings });
    const { peer, executable } = await startUpgradable(harness);
    const taskId = await upgradeTo(harness, "0.2.0");
    const kills: string[] = [];
    await until(
      () => `the upgrade does not end: ${JSON.stringify(readUpgrade(peer.data))}`,
      waitMs,
      async () => {
        const kind = await stepOf(peer, (step) => !kills.includes(step.kind));
        if (kind === null) return null;
        kills.push(kind);
        await peer.kill();
        peer.restart();
        return kind === "placed" ? true : null;
      },
    );
    const end = await endOf(harness, taskId, peer);
    expect(reasonsText(end.reasons), kills.join()).toContain("version 0.2.0 runs (before: 0.1.0)");
    expect(end.command?.runs).toBe(1);
    expect(kills).toContain("trial");
    expect(await digestFile(executable)).toBe(await digestFile(builtOf("0.2.0")));
    await untilListed(harness, peer, "0.2.0");
    await runCommand(harness, peer, "after");
  },
  testMs,
);

test(
  "an upgrade waits for a running command and for the end of a pause, and is repeated by retry",
  async () => {
    const harness = await open({ settings });
    const { peer } = await startUpgradable(harness);
    const file = await harness.makeFile("slow.bin", 10_000);
    const packageId = await harness.publish(file, { name: "slow", version: "1" });
    const ran = join(harness.folder, "slow.ran");
    const gate = join(harness.folder, "slow.gate");
    const command = `until test -e "${gate}"; do sleep 0.1; done; echo done > "${ran}"`;
    const commandTask = await harness.createTask(packageId, { action: "run", command });
    await harness.waitForTask(commandTask, (task) => partOf(task, peer).state === "running", waitMs);
    const taskId = await upgradeTo(harness, "0.1.5", scriptOf("0.1.5", "exit 1"));
    const waiting = await harness.waitForTask(taskId, (task) => partOf(task, peer).state === "ready", waitMs);
    expect(reasonsText(partOf(waiting, peer).reasons)).toContain(
      `waits for the command of task ${commandTask}`,
    );
    await harness.source.admin("task", "pause", String(taskId));
    await harness.waitForTask(taskId, (task) => partOf(task, peer).state === "waiting", waitMs);
    await writeFile(gate, "");
    expect((await endOf(harness, commandTask, peer)).state).toBe("complete");
    expect(await readFile(ran, "utf8")).toBe("done\n");
    expect(readUpgrade(peer.data)).toBeNull();
    await harness.source.admin("task", "resume", String(taskId));
    expect((await endOf(harness, taskId, peer)).state).toBe("failed");
    const first = readUpgrade(peer.data);
    await harness.source.admin("task", "retry", String(taskId));
    await until(
      () => `the upgrade is not repeated: ${JSON.stringify(readUpgrade(peer.data))}`,
      waitMs,
      () => (readUpgrade(peer.data)?.key === first?.key ? null : true),
    );
    expect((await endOf(harness, taskId, peer)).state).toBe("failed");
  },
  testMs,
);

const stepPollMs = 3;

/** Looks for a while whether the upgrade has a step that `matches`. @returns its kind; null: no */
async function stepOf(peer: Peer, matches: (step: UpgradeStep) => boolean): Promise<string | null> {
  for (let polls = 0; polls < 100; polls++) {
    const step = readUpgrade(peer.data)?.step;
    if (step !== undefined && matches(step)) return step.kind;
    await Bun.sleep(stepPollMs);
  }
  return null;
}

/** Waits until the new version was started `starts` times. @param prepared called before */
async function untilTried(peer: Peer, prepared: () => void, starts = 1): Promise<void> {
  const untilStep = (what: string, matches: (step: UpgradeStep) => boolean) =>
    until(
      () => `the new version is not ${what}: ${JSON.stringify(readUpgrade(peer.data))}`,
      waitMs,
      () => stepOf(peer, matches),
    );
  await untilStep("prepared", () => true);
  prepared();
  await untilStep("tried", (step) => step.kind === "trial" && step.starts === starts);
}
