/**
 * Subnets with impaired multicast, with real programs in the lab's namespaces: switches that drop
 * or prune, firewalls, a radio. Needs Linux, root and the lab's tools, or is skipped
 * (network-test.ts).
 */
import { join } from "node:path";
import { expect } from "bun:test";
import * as v from "valibot";
import { runToEnd } from "../scripts/rig/process.ts";
import { networkTest } from "./network-test.ts";

const labScript = join(import.meta.dir, "..", "scripts", "lab.ts");

const labTest = networkTest("ip", "tc", "nft", "curl", "nginx");

const reportSchema = v.object({
  first: v.object({
    sites: v.array(
      v.object({
        outcome: v.object({ packageBytes: v.number(), wanBytes: v.number(), lanBytes: v.number() }),
      }),
    ),
    devices: v.array(
      v.object({
        name: v.string(),
        hindrance: v.nullable(v.string()),
        role: v.string(),
        from: v.string(),
        reason: v.string(),
        unicastAfterMs: v.nullable(v.number()),
        wrong: v.nullable(v.string()),
      }),
    ),
  }),
});

async function runLab(...words: string[]) {
  const shape = ["--subnets", "1", "--wan", "20", "--delay", "1", "--timeout", "120", "--json"];
  const run = await runToEnd([process.execPath, labScript, ...shape, ...words]);
  expect(run.status, run.stderr).toBe(0);
  const { sites, devices } = v.parse(reportSchema, JSON.parse(run.stdout)).first;
  expect(devices.map(({ wrong }) => wrong)).toEqual(devices.map(() => null));
  const { packageBytes, wanBytes, lanBytes } = sites[0]!.outcome;
  // The share of control traffic is larger than with a large package.
  expect(wanBytes / packageBytes).toBeLessThan(1.05);
  return { devices, lanRatio: lanBytes / packageBytes };
}

labTest(
  "delivers by unicast with a reason to a device with each impairment, and by multicast to the others",
  async () => {
    const { devices } = await runLab("--devices", "7", "--size", "5", "--multicast", "mixed");
    const of = (hindrance: string) => devices.find((device) => device.hindrance === hindrance)!;
    for (const hindrance of ["dropped", "udp-blocked"]) {
      expect(of(hindrance)).toMatchObject({ role: "peer", from: "peers 100 %" });
      expect(of(hindrance).unicastAfterMs).toBeLessThan(15_000);
    }
    expect(of("dropped").reason).toContain("the switch seems to drop multicast");
    expect(of("udp-blocked").reason).toContain("its firewall seems to block inbound UDP");
    // One of the two listeners is the deputy, and takes some chunks by unicast.
    const listeners = devices.filter(({ hindrance, role }) => hindrance === null && role === "peer");
    expect(listeners.map(({ from }) => from)).toContain("multicast 100 %");
  },
  120_000,
);

labTest(
  "returns to multicast when the switch is repaired midway",
  async () => {
    const words = ["--devices", "4", "--size", "12", "--multicast", "dropped", "--scenario", "mend"];
    const { devices, lanRatio } = await runLab(...words);
    const peers = devices.filter(({ role }) => role === "peer");
    expect(peers.length).toBe(3);
    for (const { from } of peers) expect(from).toMatch(/^multicast \d+ %, peers \d+ %$/);
    // One half goes by unicast to each of three peers, the other half by multicast to all.
    expect(lanRatio).toBeLessThan(3);
  },
  120_000,
);
