/**
 * One device with real programs: the end of its log on request, what happened to it, and what is in
 * its cache, by the commands of the source.
 */
import { expect, test } from "bun:test";
import type { DeviceCache, DeviceLog } from "../shared/api/schema/device-detail.ts";
import { createCleanups } from "./cleanups.ts";
import { until } from "./harness.ts";

const { open } = createCleanups();
const limitMs = 120_000;

test(
  "the agent sends the end of its log once it is asked, and nothing while its setting refuses",
  async () => {
    const harness = await open();
    const peer = await harness.startPeer({ name: "pc" });
    const output = await harness.tryAdmin("device", "log", peer.id);
    expect([output.status, output.stderr]).toEqual([0, expect.stringContaining(`log of ${peer.id}, taken`)]);
    const lines = output.stdout.trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toContain("agent runs");
    const last = JSON.parse(
      await harness.source.admin("device", "log", peer.id, "--last", "--json"),
    ) as DeviceLog;
    expect(last).toMatchObject({ state: "taken", lines });
    expect(last.removedAtMs! - last.takenAtMs!).toBe(3_600_000);
    await harness.setSetting("default", "shareLog=false");
    const refused = await until(
      () => "the setting does not arrive",
      60_000,
      async () => {
        const answer = await harness.tryAdmin("device", "log", peer.id);
        return answer.stderr.includes("shareLog=false") ? answer : null;
      },
    );
    expect([refused.status, refused.stdout]).toEqual([1, ""]);
    expect(await harness.client.deviceLog(peer.id)).toMatchObject({ state: "refused", lines: [] });
    await peer.kill();
    const unanswered = await harness.tryAdmin("device", "log", peer.id, "--wait", "1s", "--json");
    expect([unanswered.status, JSON.parse(unanswered.stdout)]).toEqual([
      1,
      expect.objectContaining({ state: "waiting" }),
    ]);
  },
  limitMs,
);

test(
  "history and cache have what a device did and holds",
  async () => {
    const harness = await open();
    const peer = await harness.startPeer({ name: "pc" });
    const packageId = await harness.publish(await harness.makeFile("tool.bin", 300_000), {
      name: "tool",
      version: "1",
    });
    const taskId = await harness.createTask(packageId);
    await harness.waitUntilComplete(taskId, [peer]);
    const cache = await until(
      () => "the cache is not stated",
      60_000,
      async () => {
        const stated = await harness.client.deviceCache(peer.id);
        return stated.packages.some(({ complete }) => complete) ? stated : null;
      },
    );
    const held = { packageId, name: "tool", version: "1", storedBytes: 300_000, complete: true };
    expect(cache.packages).toEqual([expect.objectContaining(held)]);
    const listed = await harness.source.admin("device", "cache", peer.id, "--json");
    expect(JSON.parse(listed) as DeviceCache["packages"]).toEqual([expect.objectContaining(held)]);
    const texts = await until(
      () => "the history has no setting",
      90_000,
      async () => {
        const text = await harness.source.admin("device", "history", peer.id, "--csv");
        return text.includes("of the setting default") ? text : null;
      },
    );
    for (const part of ["enrolled", `received task ${taskId} (tool 1)`, `task ${taskId} (tool 1): complete`])
      expect(texts).toContain(part);
    expect(texts).toContain("representative of term");
  },
  limitMs,
);
