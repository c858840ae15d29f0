/** The WAN schedule with real processes: a paused representative keeps its role. */
import { expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import { bytesFrom, openHarness, partOf, representativeOf, wanBytesFetched } from "./harness.ts";

test("keeps role and lease of a representative that the setting pauses, states why, and resumes", async () => {
  await using harness = await openHarness({ settings: ["wanSchedule=mon-sun 16mbit", "useDeputy=false"] });
  const peers = await harness.startPeers(3);
  const file = await harness.makeFile("big.bin", 6_000_000);
  const task = await harness.createTask(await harness.publish(file, { name: "big", version: "1" }));
  const begun = await harness.waitForTask(task, (one) => bytesFrom(one, "wan") > 500_000);
  const leader = representativeOf(begun, peers)!;

  await harness.setSetting("default", "wanSchedule=mon-sun pause");
  const paused = await harness.waitForTask(task, (one) =>
    reasonsText(partOf(one, leader).reasons).includes("download paused by the setting until it is changed"),
  );
  // Longer than the failure detector waits for a silent representative, and than a renewal of the
  // lease.
  await Bun.sleep(6_000);
  const later = await harness.client.task(task, "all");
  expect(representativeOf(later, peers)?.id).toBe(leader.id);
  expect(partOf(later, leader).term).toBe(partOf(paused, leader).term);
  expect(later.devices).toMatchObject({ complete: 0, failed: 0 });
  expect(bytesFrom(later, "wan")).toBe(bytesFrom(paused, "wan"));
  // Chunks downloaded before the pause are still multicast.
  const others = peers.filter((peer) => peer !== leader);
  await harness.waitForTask(task, (one) => others.every((peer) => partOf(one, peer).from.multicast > 0));
  const shown = await harness.run("peer", "status", "--data", leader.data);
  expect(shown.stdout).toContain("download paused by the setting until it is changed");

  await harness.setSetting("default", "wanSchedule=none");
  const done = await harness.waitUntilComplete(task, peers);
  expect(bytesFrom(done, "wan")).toBe(6_000_000);
  // At most the bytes in flight when the connection was closed came twice.
  expect(wanBytesFetched(done)).toBeLessThan(6_000_000 + 262_144);
}, 90_000);
