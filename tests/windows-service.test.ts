/**
 * The package for Windows under Wine: installed, run as a service, stopped, killed, removed. Wine
 * has a service control manager and an installer; its firewall is a program that does nothing.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import { build } from "../scripts/build/build.ts";
import { parseTargets } from "../scripts/build/targets.ts";
import { makeMsi, msiPrograms } from "../scripts/package/msi.ts";
import { enrollTokenOf } from "../scripts/rig/deployment.ts";
import { winePrograms } from "../scripts/rig/wine.ts";
import { openHarness, until, type Harness } from "./harness.ts";
import { emulatorTest } from "./network-test.ts";
import { installedPath, openWindowsMachine, stopMsOf, type WindowsMachine } from "./windows-machine.ts";

const wineTest = await emulatorTest({ ...winePrograms, ...msiPrograms });

async function receives(harness: Harness, machine: WindowsMachine, name: string): Promise<void> {
  const path = join(harness.folder, `${name}.bin`);
  const bytes = randomBytes(4_000_000);
  await writeFile(path, bytes);
  const task = await harness.createTask(await harness.publish(path, { name, version: "1" }));
  await harness
    .waitForTask(task, ({ deviceList }) => deviceList[0]?.state === "complete", 90_000)
    .catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await machine.programLog()}`);
    });
  const copy = join(machine.data, "cache", name, "1", `${name}.bin`);
  expect((await readFile(copy)).equals(bytes)).toBe(true);
}

/** The service is upgraded by a task, and stops as fast with the supervisor of the upgrade. */
async function isUpgraded(harness: Harness, machine: WindowsMachine, executable: string): Promise<void> {
  const agent = await harness.publish(executable, { name: "agent", version: "0.1.1" });
  const task = await harness.createTask(agent, { action: "upgrade" });
  const ends = new Set(["complete", "failed"]);
  const { deviceList } = await harness.waitForTask(
    task,
    (detail) => ends.has(detail.deviceList[0]?.state ?? ""),
    90_000,
  );
  expect(reasonsText(deviceList[0]!.reasons)).toContain("version 0.1.1 runs");
  expect(await machine.service("stop")).toMatchObject({ state: "stopped", pid: null });
  expect(stopMsOf(await machine.programLog(), "agent is stopping", "agent stopped")).toBeLessThan(1_000);
  await machine.service("start");
  const isNew = async () => (await harness.client.devices())[0]?.inventory?.agentVersion === "0.1.1";
  await until(machine.programLog, 30_000, async () => (await isNew()) || null);
}

const held = (name: string) => expect.objectContaining({ name, state: "complete", badChunks: 0 });

/** Prepares the machine for an image. Its next start enrols it as a second device. */
async function becomesAnImage(harness: Harness, machine: WindowsMachine): Promise<void> {
  const prepare = () => machine.run(installedPath("flockcast-peer"), "prepare", "--for-image", "--json");
  const refused = await prepare();
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("stop its service first")]);
  await machine.service("stop");
  const { stdout, stderr } = await prepare();
  expect(stdout, stderr).not.toBe("");
  expect(JSON.parse(stdout)).toMatchObject({
    removed: { device: expect.any(String), entries: expect.arrayContaining(["log"]) },
    kept: {
      packages: expect.arrayContaining([held("first"), held("second")]),
      token: expect.stringContaining("enroll.token"),
      others: [],
    },
  });
  await machine.service("start");
  await until(machine.programLog, 60_000, async () => (await harness.client.devices()).length === 2 || null);
}

wineTest(
  "the .msi installs a service under Wine that receives, stops within a second, resumes after a kill and is removed",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-msi-"));
    let machine: WindowsMachine | null = null;
    try {
      await using harness = await openHarness({ settings: ["checkInInterval=1s"] });
      const [executable] = await build(parseTargets(["windows-x64"]), ["peer"], folder);
      const about = { name: "flockcast-peer", version: "0.1.0", architecture: "x64" } as const;
      let msi = await makeMsi({ ...about, executable: executable!, out: folder, epochSeconds: 1 });
      machine = await openWindowsMachine(folder, "flockcast-peer");
      const { programFolder } = machine;
      const token = join(folder, "enroll.token");
      await writeFile(token, await enrollTokenOf(harness.source), { mode: 0o600 });

      const options = `OPTIONS=--interface 127.0.0.1 --group ${await harness.newGroup()} --lan-port 0`;
      const given = [`SOURCE=${harness.source.url}`, `ENROLLFILE=Z:${token}`, options];
      const setup = await machine.run("msiexec", "/i", `Z:${msi}`, "/qn", ...given);
      expect(setup.status, setup.stderr).toBe(0);
      await rm(token);
      const running = await machine.service("status");
      expect(running, await machine.programLog()).toMatchObject({ state: "running", startsAtBoot: true });
      // Wine does not implement recovery actions and a delayed start, and names the calls.
      const asked = await machine.log();
      expect(asked).toContain("SERVICE_CONFIG_FAILURE_ACTIONS not implemented: period 86400");
      for (const level of [3, 4])
        expect(asked).toContain(`ChangeServiceConfig2W level ${level} not implemented`);
      await receives(harness, machine, "first");

      expect(await machine.service("stop")).toMatchObject({ state: "stopped", pid: null });
      expect(stopMsOf(await machine.programLog(), "agent is stopping", "agent stopped")).toBeLessThan(1_000);
      const { pid } = await machine.service("start");
      const runsOf = async (): Promise<number> =>
        (await machine!.programLog()).split('"agent runs"').length - 1;
      await until(machine.programLog, 30_000, async () => (await runsOf()) > 1 || null);
      await machine.run("taskkill", "/f", "/pid", String(pid));
      // The service control manager of Wine notices the end only when a control fails.
      await machine.run(installedPath("flockcast-peer"), "service", "stop");
      expect((await machine.service("start")).state).toBe("running");
      await receives(harness, machine, "second");
      const [by] = await build(parseTargets(["windows-x64"]), ["peer"], join(folder, "task"), {
        version: "0.1.1",
      });
      await isUpgraded(harness, machine, by!);
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
        machine.programLog,
        30_000,
        async () =>
          /"agent runs"/.test((await machine!.programLog()).split('"version":"0.2.0"')[1] ?? "") || null,
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
