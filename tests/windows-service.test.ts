/**
 * The package for Windows under Wine: installed, run as a service, stopped, killed, removed. Wine
 * has a service control manager and an installer; its firewall is a program that does nothing.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { build } from "../scripts/build/build.ts";
import { parseTargets } from "../scripts/build/targets.ts";
import { makeMsi, msiPrograms } from "../scripts/package/msi.ts";
import { enrollTokenOf } from "../scripts/rig/deployment.ts";
import { launch, runToEnd } from "../scripts/rig/process.ts";
import { addRandomLibrary, openWine, winePrograms, wineServer } from "../scripts/rig/wine.ts";
import { openHarness, until, type Harness } from "./harness.ts";
import { emulatorTest } from "./network-test.ts";

const wineTest = await emulatorTest({ ...winePrograms, ...msiPrograms });

const installed = String.raw`C:\Program Files\flockcast\flockcast-peer.exe`;

/** A machine under Wine, which stays on until it is closed. */
async function openMachine(folder: string) {
  const wine = await openWine(join(folder, "prefix"), []);
  // The service control manager writes what it is asked for to the log of the first program.
  const environment = { ...wine.environment, WINEDEBUG: "fixme+service" };
  const logFile = join(folder, "wine.log");
  const words = ["cmd", "/c", "echo ready& ping -n 900 127.0.0.1 >nul"];
  const log = (): Promise<string> => readFile(logFile, "utf8").catch(() => "");
  const start = async (): Promise<void> => {
    await rm(logFile, { force: true });
    launch({ name: "wine", command: [...wine.command, ...words], logFile, env: environment });
    await until(log, 60_000, async () => (await log()).includes("ready") || null);
  };
  const killAll = async (): Promise<void> =>
    void (await runToEnd([wineServer, "--kill", "--wait"], { env: wine.environment }));
  await start();
  const drive = join(folder, "prefix", "drive_c");
  const data = join(drive, "ProgramData", "flockcast");
  const run = (...command: readonly string[]) =>
    runToEnd(["timeout", "60", ...wine.command, ...command], { env: wine.environment });
  return {
    drive,
    data,
    log,
    run,
    agentLog: () => readFile(join(data, "log", "flockcast-peer.log"), "utf8").catch(() => ""),
    service: async (word: string): Promise<{ state: string; pid: number | null }> => {
      const { status, stdout, stderr } = await run(installed, "service", word, "--json");
      if (status !== 0) throw new Error(`service ${word} ended with status ${status}: ${stderr}`);
      return JSON.parse(stdout) as { state: string; pid: number | null };
    },
    start,
    /** Ends all programs at once, as a power cut does. */
    killAll,
  };
}

type Machine = Awaited<ReturnType<typeof openMachine>>;

async function receives(harness: Harness, machine: Machine, name: string): Promise<void> {
  const path = join(harness.folder, `${name}.bin`);
  const bytes = randomBytes(4_000_000);
  await writeFile(path, bytes);
  const task = await harness.createTask(await harness.publish(path, { name, version: "1" }));
  await harness
    .waitForTask(task, ({ deviceList }) => deviceList[0]?.state === "complete", 90_000)
    .catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await machine.agentLog()}`);
    });
  const copy = join(machine.data, "cache", name, "1", `${name}.bin`);
  expect((await readFile(copy)).equals(bytes)).toBe(true);
}

const held = (name: string) => expect.objectContaining({ name, state: "complete", badChunks: 0 });

/** Prepares the machine for an image. Its next start enrols it as a second device. */
async function becomesAnImage(harness: Harness, machine: Machine): Promise<void> {
  const prepare = () => machine.run(installed, "prepare", "--for-image", "--json");
  const refused = await prepare();
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("stop its service first")]);
  await machine.service("stop");
  const { stdout, stderr } = await prepare();
  expect(stdout, stderr).not.toBe("");
  expect(JSON.parse(stdout)).toMatchObject({
    removed: { device: expect.any(String), entries: expect.arrayContaining(["log"]) },
    kept: {
      packages: [held("first"), held("second")],
      token: expect.stringContaining("enroll.token"),
      others: [],
    },
  });
  await machine.service("start");
  await until(machine.agentLog, 60_000, async () => (await harness.client.devices()).length === 2 || null);
}

/** Returns the time between the request to stop and the end, by the agent's own log. */
function stopMsOf(log: string): number {
  const lines = log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { time: string; msg: string });
  const timeOf = (message: string): number =>
    Date.parse(lines.findLast(({ msg }) => msg === message)?.time ?? "");
  return timeOf("agent stopped") - timeOf("agent is stopping");
}

wineTest(
  "the .msi installs a service under Wine that receives, stops within a second, resumes after a kill and is removed",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-msi-"));
    let machine: Machine | null = null;
    try {
      await using harness = await openHarness({ settings: ["checkInInterval=1s"] });
      const [executable] = await build(parseTargets(["windows-x64"]), ["peer"], folder);
      const about = { name: "flockcast-peer", version: "0.1.0", architecture: "x64" } as const;
      let msi = await makeMsi({ ...about, executable: executable!, out: folder, epochSeconds: 1 });
      machine = await openMachine(folder);
      const programFolder = join(machine.drive, "Program Files", "flockcast");
      await mkdir(programFolder, { recursive: true });
      await addRandomLibrary(programFolder);
      const token = join(folder, "enroll.token");
      await writeFile(token, await enrollTokenOf(harness.source), { mode: 0o600 });

      const options = `OPTIONS=--interface 127.0.0.1 --group ${await harness.newGroup()} --lan-port 0`;
      const given = [`SOURCE=${harness.source.url}`, `ENROLLFILE=Z:${token}`, options];
      const setup = await machine.run("msiexec", "/i", `Z:${msi}`, "/qn", ...given);
      expect(setup.status, setup.stderr).toBe(0);
      await rm(token);
      const running = await machine.service("status");
      expect(running, await machine.agentLog()).toMatchObject({ state: "running", startsAtBoot: true });
      // Wine does not implement recovery actions and a delayed start, and names the calls.
      const asked = await machine.log();
      expect(asked).toContain("SERVICE_CONFIG_FAILURE_ACTIONS not implemented: period 86400");
      for (const level of [3, 4])
        expect(asked).toContain(`ChangeServiceConfig2W level ${level} not implemented`);
      await receives(harness, machine, "first");

      expect(await machine.service("stop")).toMatchObject({ state: "stopped", pid: null });
      expect(stopMsOf(await machine.agentLog())).toBeLessThan(1_000);
      const { pid } = await machine.service("start");
      const runsOf = async (): Promise<number> =>
        (await machine!.agentLog()).split('"agent runs"').length - 1;
      await until(machine.agentLog, 30_000, async () => (await runsOf()) > 1 || null);
      await machine.run("taskkill", "/f", "/pid", String(pid));
      // The service control manager of Wine notices the end only when a control fails.
      await machine.run(installed, "service", "stop");
      expect((await machine.service("start")).state).toBe("running");
      await receives(harness, machine, "second");
      await becomesAnImage(harness, machine);

      // Wine does not tell the earlier package of the upgrade, so the service is made again.
      const [later] = await build(parseTargets(["windows-x64"]), ["peer"], join(folder, "later"), {
        version: "0.2.0",
      });
      const next = { ...about, version: "0.2.0", executable: later!, out: folder, epochSeconds: 1 };
      msi = await makeMsi(next);
      const upgrade = await machine.run("msiexec", "/i", `Z:${msi}`, "/qn", given[0]!, options);
      expect(upgrade.status, upgrade.stderr).toBe(0);
      await until(
        machine.agentLog,
        30_000,
        async () =>
          /"agent runs"/.test((await machine!.agentLog()).split('"version":"0.2.0"')[1] ?? "") || null,
      );
      expect(await harness.source.admin("device", "list", "--json")).toSatisfy(
        (list: string) => (JSON.parse(list) as unknown[]).length === 2,
      );

      const removal = await machine.run("msiexec", "/x", `Z:${msi}`, "/qn");
      expect(removal.status, removal.stderr).toBe(0);
      expect(await readdir(programFolder)).toEqual(["bcryptprimitives.dll"]);
      expect(existsSync(join(machine.data, "ledger.db"))).toBe(true);
      const known = await machine.run("sc", "query", "flockcast-peer");
      expect(known.status).not.toBe(0);

      await machine.run("msiexec", "/i", `Z:${msi}`, "/qn");
      await machine.run("msiexec", "/x", `Z:${msi}`, "/qn", "REMOVEDATA=1");
      expect(existsSync(machine.data)).toBe(false);
    } finally {
      await machine?.killAll();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  },
  240_000,
);
