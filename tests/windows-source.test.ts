/**
 * The source as a service of Windows, under Wine: it starts, publishes, stops within a second, is
 * killed, has what it had, and is removed.
 */
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { build } from "../scripts/build/build.ts";
import { parseTargets } from "../scripts/build/targets.ts";
import { createAdminClient, type AdminClient } from "../shared/api/agent-client.ts";
import { winePrograms } from "../scripts/rig/wine.ts";
import { until } from "./harness.ts";
import { emulatorTest } from "./network-test.ts";
import { installedPath, openWindowsMachine, stopMsOf, type WindowsMachine } from "./windows-machine.ts";

const wineTest = await emulatorTest(winePrograms);

/** Returns the text of a file of the data folder once it is there. */
const textIn = (machine: WindowsMachine, name: string): Promise<string> =>
  until(machine.programLog, 60_000, async () => {
    const text = await readFile(join(machine.data, name), "utf8").catch(() => "");
    return text.trim() === "" ? null : text.trim();
  });

const clientOf = async (machine: WindowsMachine): Promise<AdminClient> => {
  const sourceUrl = await textIn(machine, "source.url");
  return createAdminClient({ sourceUrl, token: await textIn(machine, "admin.token") });
};

wineTest(
  "the source as a service under Wine publishes, stops within a second and keeps its packages over a kill",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-source-"));
    let machine: WindowsMachine | null = null;
    try {
      const [executable] = await build(parseTargets(["windows-x64"]), ["source"], folder);
      machine = await openWindowsMachine(folder, "flockcast-source");
      await copyFile(executable!, join(machine.programFolder, "flockcast-source.exe"));
      const program = installedPath("flockcast-source");
      const install = await machine.run(program, "service", "install", "--listen", "127.0.0.1:0");
      expect(install.status, install.stderr).toBe(0);
      const running = await machine.service("status");
      expect(running, await machine.programLog()).toMatchObject({ state: "running", startsAtBoot: true });

      const file = join(folder, "tool.bin");
      await writeFile(file, "a tool\n".repeat(10_000));
      const names = ["--name", "tool", "--version", "1"];
      const access = ["--source", await textIn(machine, "source.url"), "--token-file"];
      const token = String.raw`C:\ProgramData\flockcast-source\admin.token`;
      const key = ["--key", String.raw`C:\ProgramData\publisher.key`];
      const words = ["publish", `Z:${file}`, ...names, ...key, ...access, token];
      const published = await machine.run(program, ...words);
      expect(published.status, published.stderr).toBe(0);

      expect(await machine.service("stop")).toMatchObject({ state: "stopped", pid: null });
      expect(stopMsOf(await machine.programLog(), "stopping", "stopped")).toBeLessThan(1_000);
      const { pid } = await machine.service("start");
      await clientOf(machine);
      await machine.run("taskkill", "/f", "/pid", String(pid));
      await rm(join(machine.data, "source.url"), { force: true });
      // The service control manager of Wine notices the end only when a control fails.
      await machine.run(program, "service", "stop");
      expect((await machine.service("start")).state).toBe("running");
      expect(await (await clientOf(machine)).packages()).toMatchObject([
        { name: "tool", version: "1", sizeBytes: 70_000 },
      ]);

      expect((await machine.service("stop")).state).toBe("stopped");
      const catalog = join(machine.data, "catalog.db");
      await rename(catalog, `${catalog}.good`);
      await writeFile(catalog, "not a catalog ".repeat(1_000));
      // A start that fails ends the service.
      await machine.run(program, "service", "start");
      await until(machine.programLog, 60_000, async () =>
        (await machine!.programLog()).includes("the source ends") ? true : null,
      );
      await until(machine.programLog, 30_000, async () =>
        (await machine!.service("status")).state === "stopped" ? true : null,
      );

      const removal = await machine.run(program, "service", "remove");
      expect(removal.status, removal.stderr).toBe(0);
      expect((await machine.run("sc", "query", "flockcast-source")).status).not.toBe(0);
      expect(await textIn(machine, "admin.token")).not.toBe("");
    } finally {
      await machine?.killAll();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  },
  240_000,
);
