/** An enrolled device that is not on the LAN, and claims the subnet of others at the source. */
import { expect, test } from "bun:test";
import { createCleanups } from "./cleanups.ts";
import { bytesFrom } from "./harness.ts";
import { openStranger } from "./lease-stranger.ts";

const sizeBytes = 1_400_000;
const { addCleanup, open } = createCleanups();

test("completes a task although a stranger takes the lease of the subnet and does not serve it", async () => {
  // Without a WAN fallback, only the lease gives the right to download.
  const harness = await open({ settings: ["wanFallback=never"] });
  const peers = await harness.startPeers(2);
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  const stranger = await openStranger(harness, ["lease"]);
  addCleanup(() => stranger[Symbol.asyncDispose]());
  const taskId = await harness.createTask(packageId);
  const task = await harness.waitUntilComplete(taskId, peers, 80_000);
  for (const peer of peers) expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
  expect(bytesFrom(task, "wan")).toBe(sizeBytes);
  expect(stranger.results.get("lease: granted")).toBeGreaterThan(0);
  expect(stranger.results.get("lease: refused")).toBeGreaterThan(0);
}, 120_000);
