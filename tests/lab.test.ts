/**
 * Small runs of the lab: real programs in network namespaces. Needs Linux, root and the lab's
 * tools, or is skipped (network-test.ts).
 */
import { join } from "node:path";
import { expect } from "bun:test";
import * as v from "valibot";
import { runToEnd } from "../scripts/rig/process.ts";
import { networkTest } from "./network-test.ts";

const labScript = join(import.meta.dir, "..", "scripts", "lab.ts");
const labTest = networkTest("ip", "tc", "nft", "curl", "nginx");

const taskSchema = v.object({
  sites: v.array(
    v.object({
      outcome: v.object({ packageBytes: v.number(), wanBytes: v.number(), verified: v.number() }),
      ratios: v.object({ wan: v.number(), wanWithHeaders: v.number(), lan: v.number() }),
    }),
  ),
  devices: v.array(
    v.object({
      name: v.string(),
      role: v.string(),
      multicastShare: v.number(),
      receiptsMax: v.number(),
      wrong: v.nullable(v.string()),
    }),
  ),
});
const reportSchema = v.object({
  problems: v.array(v.string()),
  first: taskSchema,
  second: v.nullable(taskSchema),
  upgrade: v.nullable(
    v.object({
      devices: v.array(v.object({ state: v.string(), reason: v.string(), version: v.string() })),
    }),
  ),
});

/** Returns the namespaces of the run with this log. Other labs may run on the machine. */
async function namespacesOf(log: string): Promise<string[]> {
  const run = /\(namespaces (\w+-)…\)/.exec(log)?.[1];
  if (run === undefined) return [];
  const listed = await runToEnd(["ip", "netns", "list"]);
  return listed.stdout.split("\n").filter((line) => line.startsWith(run));
}

labTest(
  "gives three devices of a lossy site right copies while its WAN link carries the package once",
  async () => {
    const words = [
      "--subnets",
      "1",
      "--devices",
      "3",
      "--wan",
      "40",
      "--size",
      "6",
      "--delay",
      "1",
      "--loss",
      "1",
    ];
    const run = await runToEnd([process.execPath, labScript, ...words, "--web", "nginx", "--json"]);
    expect(run.status, run.stderr).toBe(0);
    const report = v.parse(reportSchema, JSON.parse(run.stdout));
    expect(report.problems).toEqual([]);
    const { outcome } = report.first.sites[0]!;
    expect(outcome.wanBytes / outcome.packageBytes).toBeLessThan(1.05);
    expect(outcome.wanBytes / outcome.packageBytes).toBeGreaterThan(0.99);
    expect(report.first.devices.map(({ wrong, receiptsMax }) => ({ wrong, receiptsMax }))).toEqual(
      Array.from({ length: 3 }, () => ({ wrong: null, receiptsMax: 1 })),
    );
    expect(run.stderr).toContain("namespaces fclab");
    expect(await namespacesOf(run.stderr)).toEqual([]);
  },
  180_000,
);

labTest(
  "distributes a new version with another script for less than 2 % of its bytes on both links",
  async () => {
    const words = "--scenario new-version --subnets 1 --devices 3 --size 20 --wan 100 --delay 1".split(" ");
    const run = await runToEnd([process.execPath, labScript, ...words, "--json"]);
    expect(run.status, run.stderr).toBe(0);
    const { problems, first, second } = v.parse(reportSchema, JSON.parse(run.stdout));
    expect(problems).toEqual([]);
    expect(first.sites[0]!.ratios.wan).toBeGreaterThan(0.99);
    expect(first.sites[0]!.ratios.wanWithHeaders).toBeGreaterThan(first.sites[0]!.ratios.wan + 0.03);
    const { outcome, ratios } = second!.sites[0]!;
    expect(outcome.verified).toBe(3);
    expect(ratios.wan).toBeGreaterThan(0.002);
    expect(Math.max(ratios.wan, ratios.lan)).toBeLessThan(0.02);
  },
  180_000,
);

labTest(
  "gives every peer its package by multicast where one link is shorter, and where the MTU falls",
  async () => {
    const words = "--scenario mtu --mtu mixed,falls --subnets 2 --devices 3 --size 12 --delay 1".split(" ");
    const rates = ["--wan", "40", "--lan-rate", "40"];
    const run = await runToEnd([process.execPath, labScript, ...words, ...rates, "--json"]);
    expect(run.status, run.stderr).toBe(0);
    const { problems, first } = v.parse(reportSchema, JSON.parse(run.stdout));
    expect(problems).toEqual([]);
    const peers = first.devices.filter(({ role }) => role === "peer");
    expect(peers).toHaveLength(4);
    for (const { multicastShare } of peers) expect(multicastShare).toBeGreaterThan(0.95);
    expect(run.stderr).toContain("the MTU of site2 falls");
  },
  180_000,
);

const upgradeEnds = [
  ["to a new version", [], "complete", /version 999.0.0 runs \(before: /, /^999.0.0$/],
  ["to a broken one and back", ["--broken"], "failed", /did not check in within 10s: .* runs again/, /^0\./],
] as const;

for (const [where, broken, state, reason, version] of upgradeEnds) {
  labTest(
    `upgrades four agents ${where} in the middle of a task, which completes`,
    async () => {
      const words = "--scenario agent-upgrade --subnets 2 --devices 2 --size 24 --wan 40 --delay 1".split(
        " ",
      );
      const run = await runToEnd([process.execPath, labScript, ...words, ...broken, "--json"]);
      expect(run.status, run.stderr).toBe(0);
      const { problems, first, upgrade } = v.parse(reportSchema, JSON.parse(run.stdout));
      expect(problems).toEqual([]);
      for (const { ratios } of first.sites) expect(ratios.wan).toBeLessThan(1.05);
      expect(upgrade?.devices).toHaveLength(4);
      for (const device of upgrade!.devices) {
        expect(device).toMatchObject({ state, reason: expect.stringMatching(reason) });
        expect(device.version).toMatch(version);
      }
    },
    240_000,
  );
}

labTest(
  "removes its namespaces and processes when it is interrupted",
  async () => {
    const child = Bun.spawn(
      [process.execPath, labScript, "--subnets", "1", "--devices", "2", "--size", "50"],
      {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
      },
    );
    let log = "";
    const logged = (async () => {
      const decoder = new TextDecoder();
      for await (const piece of child.stderr) log += decoder.decode(piece, { stream: true });
    })();
    const giveUpAtMs = performance.now() + 30_000;
    while ((await namespacesOf(log)).length < 4 && performance.now() < giveUpAtMs) await Bun.sleep(50);
    expect((await namespacesOf(log)).length).toBeGreaterThanOrEqual(4);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    await logged;
    expect(await namespacesOf(log)).toEqual([]);
  },
  60_000,
);
