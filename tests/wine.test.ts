/**
 * The Windows executable under Wine, in a subnet with three devices of Linux. The test installs
 * Wine if it can. Needs Linux on x64, root, iproute2 and curl, or is skipped (network-test.ts).
 *
 * Wine shows calls, paths, locks and signatures of functions. Windows itself may differ.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect } from "bun:test";
import * as v from "valibot";
import { build } from "../scripts/build/build.ts";
import { parseTargets } from "../scripts/build/targets.ts";
import { inside, insideAs } from "../scripts/lab/namespace.ts";
import { buildNetwork, planNetwork, removeNetwork } from "../scripts/lab/topology.ts";
import {
  enrollTokenOf,
  startDevice,
  startSource,
  type Device,
  type Source,
} from "../scripts/rig/deployment.ts";
import { logTail, runToEnd } from "../scripts/rig/process.ts";
import { programsFromFolder, programsFromSource, type Programs } from "../scripts/rig/programs.ts";
import { differenceFrom, digestFile, digestTree } from "../scripts/rig/verify.ts";
import { addRandomLibrary, openWine, winePrograms } from "../scripts/rig/wine.ts";
import { endStates } from "../shared/api/schema/common.ts";
import { reason, reasonsText } from "../shared/model/reason.ts";
import { taskDetailSchema, type TaskDetail, type TaskDevice } from "../shared/api/schema/admin.ts";
import { deviceListSchema } from "../shared/api/schema/device.ts";
import { version } from "../shared/version.ts";
import { openHarness, until, wanBytesFetched } from "./harness.ts";
import { emulatorTest } from "./network-test.ts";

const wineTest = await emulatorTest(winePrograms, "ip", "tc");
const shape = { subnets: 1, devices: 4, wan: 40, lan: 100, loss: 0 };
const settings = ["sessionStartDelay=1s", "reportInterval=200ms", "checkInInterval=2s", "lanRate=60mbit"];
/** Slow enough for a kill in the middle of a transfer. */
settings.push("wanRate=12mbit");
const windowsName = "windows";
const linuxNames = ["linux1", "linux2", "linux3"];

/** Builds a site whose first three devices run Linux, and whose fourth runs Windows. */
async function openSite() {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-wine-"));
  const network = planNetwork(`fcwine${randomBytes(3).toString("hex")}`, shape);
  const devices: Device[] = [];
  let source: Source | null = null;
  const dispose = async (): Promise<void> => {
    await Promise.all([...devices.map((device) => device.kill()), source?.program.stop("SIGKILL")]);
    await removeNetwork(network);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const targets = parseTargets(["windows-x64", "windows-x64-baseline"]);
    const executables = await build(targets, ["peer"], join(folder, "build"));
    await addRandomLibrary(join(folder, "build"));
    await buildNetwork(network, shape);
    const [site] = network.sites;
    const places = site!.devices;
    const wine = await openWine(join(folder, "wine"), inside(places[3]!.namespace));
    const serving = await startSource({
      programs: programsFromSource,
      data: join(folder, "source"),
      listen: `${network.sourceAddress}:0`,
      prefix: inside(network.source),
    });
    source = serving;
    await serving.admin("setting", "set", "default", ...settings);
    const enrollToken = await enrollTokenOf(serving);
    const start = (name: string, at: number, role: "peer" | "representative", programs: Programs): Device => {
      const device = startDevice({
        programs,
        name,
        role,
        data: join(folder, name),
        sourceUrl: serving.url,
        enrollToken,
        prefix: insideAs(places[at]!.namespace, name),
        env: name === windowsName ? wine.environment : {},
      });
      devices.push(device);
      return device;
    };
    return {
      folder,
      source: serving,
      executables,
      runInWine: (...words: string[]) =>
        runToEnd([...inside(places[3]!.namespace), ...wine.command, ...words], { env: wine.environment }),
      startLinux: () =>
        linuxNames.map((name, at) =>
          start(name, at, at === 0 ? "representative" : "peer", programsFromSource),
        ),
      startWindows: (targetName: string) =>
        start(windowsName, 3, "peer", programsFromFolder(join(folder, "build"), targetName, wine.command)),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

type Site = Awaited<ReturnType<typeof openSite>>;

const devicesOf = async ({ source }: Site) =>
  v.parse(deviceListSchema.entries.devices, JSON.parse(await source.admin("device", "list", "--json")));

async function publish(site: Site, name: string, files: Readonly<Record<string, Uint8Array | string>>) {
  const path = join(site.folder, "packages", name);
  await mkdir(path, { recursive: true });
  for (const [file, content] of Object.entries(files)) await writeFile(join(path, file), content);
  return { path, id: await site.source.admin("publish", path, "--name", name, "--version", "1") };
}

const createTask = async ({ source }: Site, packageId: string, ...words: string[]): Promise<number> =>
  Number(await source.admin("task", "create", packageId, "--action", ...words));

const copyOf = (device: Device, name: string): string => join(device.data, "cache", name, "1");

/** Waits until `find` returns a value for the task's details. */
const untilTask = <T>(
  site: Site,
  taskId: number,
  devices: readonly Device[],
  find: (task: TaskDetail) => T | null,
): Promise<T> =>
  until(
    async () => {
      const logs = await Promise.all(
        devices.map(async ({ name, program }) => `${name}:\n${await logTail(program)}`),
      );
      return `task ${taskId} is not as expected:\n${logs.join("\n")}`;
    },
    60_000,
    async () => {
      const shown = await site.source.admin("task", "show", String(taskId), "--json");
      return find(v.parse(taskDetailSchema, JSON.parse(shown)));
    },
  );

const partOf = ({ deviceList }: TaskDetail, name: string): TaskDevice | null =>
  deviceList.find(({ hostname }) => hostname === name) ?? null;

const whenComplete =
  (...names: readonly string[]) =>
  (task: TaskDetail): TaskDetail | null =>
    names.every((name) => partOf(task, name)?.state === "complete") ? task : null;

wineTest(
  "the Windows executable shares a subnet with Linux: receives, leads, resumes, runs a command with quotes",
  async () => {
    await using site = await openSite();
    for (const executable of site.executables)
      expect((await site.runInWine(executable, "--version")).stdout.trim()).toBe(version);

    const linux = site.startLinux();
    const windows = site.startWindows("windows-x64");
    const all = [...linux, windows];
    const names = all.map(({ name }) => name);
    const listed = await until(
      async () => `not every device has enrolled:\n${await logTail(windows.program, 30)}`,
      60_000,
      async () => {
        const found = await devicesOf(site);
        return found.filter(({ subnetId }) => subnetId !== null).length === all.length ? found : null;
      },
    );
    const own = listed.find(({ hostname }) => hostname === windowsName)!;
    const ownInterface = own.inventory?.interfaces.find(({ active }) => active);
    expect(own.inventory?.deviceClass).toBe("desktop");
    expect(own.inventory?.onBattery).toBe(false);
    expect(ownInterface).toMatchObject({ name: "eth0", medium: "wired", gatewayMac: expect.any(String) });
    expect(new Set(listed.map(({ subnetId }) => subnetId)).size).toBe(1);

    const first = await publish(site, "first", { "a.bin": randomBytes(5_000_003), "b.txt": "b" });
    const firstTask = await createTask(site, first.id, "pre-cache");
    const done = await untilTask(site, firstTask, all, whenComplete(...names));
    expect(partOf(done, windowsName)!.from.multicast).toBeGreaterThan(2_500_000);
    expect(partOf(done, windowsName)!.wanBytesFetched).toBe(0);
    expect(await differenceFrom(await digestTree(first.path), copyOf(windows, "first"))).toBeNull();

    // While the others are stopped, nobody else can be elected.
    await Promise.all(linux.map((device) => device.stop()));
    const second = await publish(site, "second", { "image.bin": randomBytes(12_000_000) });
    const secondTask = await createTask(site, second.id, "pre-cache");
    await untilTask(site, secondTask, all, (task) =>
      partOf(task, windowsName)?.role === "representative" ? true : null,
    );
    for (const device of linux) device.restart();
    const sent = await untilTask(site, secondTask, all, (task) => {
      const peers = linuxNames.map((name) => partOf(task, name));
      return peers.every((peer) => (peer?.from.multicast ?? 0) > 0) ? task : null;
    });
    expect(partOf(sent, windowsName)!.role).toBe("representative");
    await windows.kill();
    windows.restart();
    const resumed = await untilTask(site, secondTask, all, whenComplete(...names));
    expect(await differenceFrom(await digestTree(second.path), copyOf(windows, "second"))).toBeNull();
    expect(partOf(resumed, windowsName)!.from.wan).toBeGreaterThan(0);
    // A kill may lose chunks that no other device had received.
    expect(wanBytesFetched(resumed)).toBeLessThan(1.1 * 12_000_000);

    await windows.kill();
    const again = site.startWindows("windows-x64-baseline");
    const third = await publish(site, "third", { "my setup.cmd": "@echo [%~1] in %FLOCKCAST_PACKAGE%\r\n" });
    const words = ["run", "--target", `device:${own.id}`, "--command", '"my setup.cmd" "a b"'];
    const thirdTask = await createTask(site, third.id, ...words);
    const ran = await untilTask(site, thirdTask, [again], whenComplete(windowsName));
    expect(partOf(ran, windowsName)!.command).toMatchObject({
      exitCode: 0,
      outputTail: "[a b] in third\r\n",
    });
  },
  180_000,
);

/** Waits until the program that gets the number as its first argument runs, or has ended. */
const untilPing = (count: number, isExpected: boolean): Promise<true> =>
  until(
    () => `ping -n ${count} ${isExpected ? "does not run" : "runs"}`,
    20_000,
    async () =>
      (await runToEnd(["ps", "ax", "-o", "args="])).stdout.includes(`ping -n ${count} `) === isExpected ||
      null,
  );

/** Waits for the first file. Then writes the text that the second argument names, and ends. */
const waitScript = [
  "@echo off",
  ":again",
  "if exist %1 goto done",
  "ping -n 2 127.0.0.1 >nul",
  "goto again",
  ":done",
  "echo opened: %2",
  "exit /b %3",
];

wineTest(
  "Windows: a command outlasts its agent, and the next one reports its exit code or ends it with its children",
  async () => {
    await using site = await openSite();
    const windows = site.startWindows("windows-x64");
    const { id } = await until(
      async () => `the device has not enrolled:\n${await logTail(windows.program, 30)}`,
      60_000,
      async () => (await devicesOf(site)).find(({ subnetId }) => subnetId !== null) ?? null,
    );
    const tool = await publish(site, "tool", { "wait for.cmd": waitScript.join("\r\n") });
    const run = async (command: string): Promise<number> => {
      const taskId = await createTask(site, tool.id, "run", "--target", `device:${id}`, "--command", command);
      await untilFile(join(windows.data, "tasks", `${taskId}.run`));
      return taskId;
    };
    const untilFile = (path: string): Promise<true> =>
      until(
        async () => `${path} does not exist:\n${await logTail(windows.program)}`,
        60_000,
        () => existsSync(path) || null,
      );
    const untilEnd = (taskId: number): Promise<TaskDevice> =>
      untilTask(site, taskId, [windows], (task) => {
        const part = partOf(task, windowsName);
        return part !== null && endStates.has(part.state) ? part : null;
      });

    // The command ends while the next agent runs.
    const restart = await run(
      String.raw`echo "%OS%" & "wait for.cmd" "..\..\..\first gate" "100 & a^b" 3010`,
    );
    await windows.kill();
    await untilTask(site, restart, [windows], (task) => task.deviceList[0]?.connected === false || null);
    windows.restart();
    await untilTask(site, restart, [windows], (task) => task.deviceList[0]?.connected || null);
    await writeFile(join(windows.data, "first gate"), "");
    const restarted = await untilEnd(restart);
    expect(restarted).toMatchObject({ state: "reboot-pending", command: { exitCode: 3_010, runs: 1 } });
    expect(restarted.reasons.at(-1)).toEqual(reason("reboot-needed", { exitCode: 3_010 }));
    expect(restarted.command!.outputTail).toBe('"Windows_NT" \r\nopened: "100 & a^b"\r\n');

    // The command ends while no agent runs.
    const fail = await run(String.raw`"wait for.cmd" ..\..\..\second "the last line" 7`);
    await windows.stop();
    await writeFile(join(windows.data, "second"), "");
    await untilFile(join(windows.data, "tasks", `${fail}.status`));
    windows.restart();
    const failed = await untilEnd(fail);
    expect(failed).toMatchObject({ state: "failed", command: { exitCode: 7, meaning: "failed", runs: 1 } });
    expect(failed.reasons[0]).toMatchObject({ exitCode: 7, line: 'opened: "the last line"' });

    const [killedCount, limitedCount] = [987_001, 987_002];
    const kill = await run(`cmd /c "ping -n ${killedCount} 127.0.0.1 >nul & echo late"`);
    await untilPing(killedCount, true);
    await windows.kill();
    windows.restart();
    await site.source.admin("task", "cancel", "--kill", String(kill));
    expect((await untilEnd(kill)).state).toBe("cancelled");
    await untilPing(killedCount, false);

    await site.source.admin("setting", "set", "default", "commandTimeout=12s");
    const limit = await run(`cmd /c "ping -n ${limitedCount} 127.0.0.1 >nul & echo late"`);
    await untilPing(limitedCount, true);
    await windows.kill();
    windows.restart();
    expect(await untilEnd(limit)).toMatchObject({
      state: "failed",
      command: { exitCode: null, meaning: "timed-out", outputTail: "" },
    });
    await untilPing(limitedCount, false);
  },
  240_000,
);

wineTest(
  "Windows: files wait for a scanner and are declared sparse, a command ends with its children, programs are listed",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-wine-"));
    try {
      const [executable] = await build(parseTargets(["windows-x64"]), ["peer"], join(folder, "build"));
      await addRandomLibrary(join(folder, "build"));
      await mkdir(join(folder, "files"));
      await writeFile(join(folder, "files", "secret"), "own", { mode: 0o600 });
      await writeFile(join(folder, "files", "open secret"), "own", { mode: 0o644 });
      const wine = await openWine(join(folder, "prefix"), []);
      // The executable runs the script as Bun does, and Wine traces calls of files.
      const env = { ...wine.environment, BUN_BE_BUN: "1", WINEDEBUG: "-all,trace+file" };
      const script = join(import.meta.dir, "windows-probe.ts");
      const run = await runToEnd([...wine.command, executable!, script, join(folder, "files")], { env });
      const files = { wasMoved: true, text: "abc", wasRemoved: true, imageBytes: 67_108_865 };
      const command = {
        hasBootId: true,
        hasMachineId: true,
        knowsEnd: true,
        differences: [],
        wasKilled: true,
        output: "begun",
      };
      const programs = { listsItself: true, ignoresCase: true };
      // Wine has the calls about sessions, but no sessions.
      const users = { userIdleMs: null, sessions: 0 };
      const access = { wasOpen: true, wasClosed: true, secrets: ["own", true], user: true };
      // The cost manager of Wine knows every network as unrestricted.
      const conditions = {
        calls: { cost: 1, hasTimes: true, hasMemory: true },
        onBattery: false,
        isMetered: false,
        measured: [true, true],
      };
      const found = { ...files, ...access, ...command, ...programs, ...users, ...conditions };
      expect(JSON.parse(run.stdout.trim()), run.stderr.slice(-2_000)).toEqual(found);
      expect(run.stderr.match(/FSCTL_SET_SPARSE/g)).toHaveLength(2);
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  },
  120_000,
);

wineTest(
  "the Windows executable is upgraded by a task, again after that, and takes a broken version back",
  async () => {
    await using harness = await openHarness({ settings: ["upgradeConfirm=60s", "checkInInterval=1s"] });
    const target = parseTargets(["windows-x64"]);
    const brokenEntry = join(import.meta.dir, "..", "scripts", "lab", "broken-agent.ts");
    const builds = ["0.2.0", "0.3.0", "0.9.0"].map((next) => ({
      next,
      folder: join(harness.folder, next),
      changes: { version: next, ...(next === "0.9.0" && { entry: brokenEntry }) },
    }));
    const [first] = await build(target, ["peer"], join(harness.folder, "first"));
    for (const { folder, changes } of builds) await build(target, ["peer"], folder, changes);
    const own = join(harness.folder, "program");
    await mkdir(own);
    await addRandomLibrary(own);
    const executable = join(own, "agent.exe");
    await copyFile(first!, executable);
    const wine = await openWine(join(harness.folder, "wine"), []);
    const peer = await harness.startPeer({
      programs: { commandOf: () => [...wine.command, executable] },
      env: wine.environment,
    });
    const upgrade = async (at: number): Promise<TaskDevice> => {
      const { next, folder } = builds[at]!;
      const packageId = await harness.publish(join(folder, basename(first!)), {
        name: "agent",
        version: next,
      });
      const taskId = await harness.createTask(packageId, { action: "upgrade" });
      const ends = new Set(["complete", "failed"]);
      return endOf(await harness.waitForTask(taskId, (task) => ends.has(endOf(task).state), 90_000));
    };
    const endOf = ({ deviceList }: TaskDetail): TaskDevice =>
      deviceList.find(({ deviceId }) => deviceId === peer.id)!;
    expect(reasonsText((await upgrade(0)).reasons)).toContain(`version 0.2.0 runs (before: ${version})`);
    expect(reasonsText((await upgrade(1)).reasons)).toContain("version 0.3.0 runs (before: 0.2.0)");
    await harness.setSetting("default", "upgradeConfirm=5s");
    expect(reasonsText((await upgrade(2)).reasons)).toContain(
      "0.9.0 did not check in within 5s: version 0.3.0 runs again",
    );
    expect((await peer.status()).version).toBe("0.3.0");
    expect(await digestFile(executable)).toBe(await digestFile(join(builds[1]!.folder, basename(first!))));
  },
  240_000,
);
