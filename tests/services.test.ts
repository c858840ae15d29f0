/**
 * `service install` and its sister commands with a real systemd, in a copy of this machine
 * (scripts/rig/system.ts). Needs Linux, root and systemd, or is skipped (network-test.ts).
 */
import { randomBytes } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import { build } from "../scripts/build/build.ts";
import { parseTargets } from "../scripts/build/targets.ts";
import { openSystem, systemPrograms, type System } from "../scripts/rig/system.ts";
import { programTest } from "./network-test.ts";
import { until } from "./harness.ts";

const serviceTest = await programTest(systemPrograms);

let folder = "";
let executables: string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-services-"));
  executables = await build(parseTargets([]), ["peer", "source"], folder);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const [peer, source] = ["/usr/local/bin/flockcast-peer", "/usr/local/bin/flockcast-source"];
const sourceUrl = "https://127.0.0.1:7443";
const admin = ["--source", sourceUrl, "--token-file", "/var/lib/flockcast-source/admin.token"] as const;

async function openWithPrograms(): Promise<System> {
  const system = await openSystem();
  await copyFile(executables[0]!, system.pathOf(peer));
  await copyFile(executables[1]!, system.pathOf(source));
  return system;
}

const stateOf = async (system: System, program: string) =>
  JSON.parse(await system.outputOf(program, "service", "status", "--json")) as Record<string, unknown>;

serviceTest(
  "service install starts source and agent, which receive, restart after a kill, resign at a stop and are removed",
  async () => {
    await using system = await openWithPrograms();
    expect(await stateOf(system, peer)).toMatchObject({ state: "not-installed", startsAtBoot: false });
    const listen = ["--listen", "127.0.0.1:7443", "--name", "127.0.0.1"] as const;
    await system.outputOf(source, "service", "install", ...listen);
    const tokenPath = "/var/lib/flockcast-source/enroll.token";
    await until(
      async () =>
        `the source does not start: ${(await system.run("journalctl", "-n", "30", "--no-pager")).stdout}`,
      30_000,
      async () => stat(system.pathOf("/var/lib/flockcast-source/source.url")).catch(() => null),
    );
    // The file is gone after the installation: the service has a copy.
    await writeFile(system.pathOf("/root/token"), await readFile(system.pathOf(tokenPath)), { mode: 0o644 });
    const words = [
      "--source",
      sourceUrl,
      "--enroll-file",
      "/root/token",
      "--interface",
      "127.0.0.1",
    ] as const;
    const refused = await system.run(peer, "service", "install", "--source", sourceUrl, "--enroll", "secret");
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("give --enroll-file FILE")]);
    const installed = await system.run(peer, "service", "install", ...words, "--json");
    expect(installed.status, installed.stderr).toBe(0);
    expect(installed.stderr).toContain('other users can read the token in "/root/token"');
    await rm(system.pathOf("/root/token"));
    const running = JSON.parse(installed.stdout) as { pid: number };
    expect(running).toMatchObject({ name: "flockcast-peer", manager: "systemd", state: "running" });
    const line = await readFile(system.pathOf(`/proc/${running.pid}/cmdline`), "utf8");
    expect(line).not.toContain("fc_");
    expect((await stat(system.pathOf("/var/lib/flockcast/enroll.token"))).mode & 0o777).toBe(0o600);

    const bytes = randomBytes(3_000_000);
    await writeFile(system.pathOf("/root/data.bin"), bytes);
    const names = ["--name", "data", "--version", "1"] as const;
    const id = (await system.outputOf(source, "publish", "/root/data.bin", ...names, ...admin)).trim();
    const task = (
      await system.outputOf(source, "task", "create", id, "--action", "pre-cache", ...admin)
    ).trim();
    const watched = await system.run(source, "task", "watch", task, "--timeout", "60s", ...admin);
    expect(watched.status, watched.stdout + watched.stderr).toBe(0);
    const copy = await readFile(system.pathOf("/var/lib/flockcast/cache/data/1/data.bin"));
    expect(copy.equals(bytes)).toBe(true);

    await system.outputOf("systemctl", "kill", "--signal=KILL", "flockcast-peer");
    const again = await until(
      () => "the agent was not started again",
      30_000,
      async () => {
        const now = await stateOf(system, peer);
        return now["state"] === "running" && now["pid"] !== running.pid ? now : null;
      },
    );
    expect(again).toMatchObject({ startsAtBoot: true });
    const journal = () => system.outputOf("journalctl", "-u", "flockcast-peer", "--no-pager");
    await until(journal, 30_000, async () => (await journal()).split('"agent runs"').length > 2 || null);
    await system.outputOf(peer, "service", "stop");
    expect(await stateOf(system, peer)).toMatchObject({ state: "stopped", startsAtBoot: true, pid: null });
    expect(await journal()).toContain('"agent stopped"');
    await system.outputOf(peer, "service", "start");
    expect(await stateOf(system, peer)).toMatchObject({ state: "running" });

    await system.outputOf(peer, "service", "remove");
    await system.outputOf(peer, "service", "remove");
    expect(await stateOf(system, peer)).toMatchObject({ state: "not-installed", startsAtBoot: false });
    expect((await stat(system.pathOf("/var/lib/flockcast/ledger.db"))).isFile()).toBe(true);
    await system.outputOf(source, "service", "remove");
    expect(await stateOf(system, source)).toMatchObject({ state: "not-installed" });
  },
  120_000,
);
