/**
 * Settings by assignment, with real programs: each device uses its own setting, a task overrides it
 * while the task lasts, and a change of `default` reaches the settings that descend from it.
 */
import { expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import type { TaskDetail, TaskDevice } from "../shared/api/schema/admin.ts";
import { openHarness, type Harness, type Peer } from "./harness.ts";

const longMs = 240_000;
const switchedOff = "the setting is useMulticast=false";

/** Polls until every peer states the setting and its version. */
async function untilOwn(peers: readonly Peer[], setting: object): Promise<void> {
  const endMs = Date.now() + longMs / 2;
  for (const peer of peers)
    for (;;) {
      const found = (await peer.status()).setting;
      if (Bun.deepMatch(setting, found ?? {})) break;
      if (Date.now() > endMs) expect(found).toMatchObject(setting);
      await Bun.sleep(100);
    }
}

/** Starts two devices of a subnet, and gives them a tag. */
async function startGroup({ startPeers, source }: Harness, tag: string, group: string): Promise<Peer[]> {
  const peers = await startPeers(2, { group });
  await source.admin("device", "tag", peers.map(({ id }) => id).join(","), tag);
  return peers;
}

const rowOf = (task: TaskDetail, peer: Peer): TaskDevice =>
  task.deviceList.find(({ deviceId }) => deviceId === peer.id)!;

test(
  "two groups of one subnet take part by their own settings, unless a task overrides them",
  async () => {
    await using harness = await openHarness({ settings: ["useDeputy=false"] });
    const { group, source, waitUntilComplete } = harness;
    const offices = await startGroup(harness, "offices", group);
    // A device that does not multicast is not to lead here: it would give to all by unicast.
    await source.admin("setting", "create", "kiosk", "useMulticast=false", "representativeWeight=0");
    await source.admin("setting", "create", "fast", "useMulticast=true", "sessionStartDelay=1s");
    const kiosks = await startGroup(harness, "kiosks", group);
    await source.admin("setting", "assign", "kiosk", "--target", "group:kiosks");
    await untilOwn(offices, { name: "default", parents: [] });
    await untilOwn(kiosks, { name: "kiosk", version: 1, parents: [{ name: "default" }] });
    const peers = [...offices, ...kiosks];

    const deliver = async (name: string, ...words: string[]): Promise<TaskDetail> => {
      const file = await harness.makeFile(`${name}.bin`, 3_000_000);
      const id = await harness.publish(file, { name, version: "1" });
      const create = ["task", "create", id, "--action", "pre-cache", ...words];
      return waitUntilComplete(Number(await source.admin(...create)), peers, longMs);
    };
    const expectOwn = (task: TaskDetail): void => {
      expect(task.setting).toBeNull();
      for (const kiosk of kiosks) {
        expect(rowOf(task, kiosk).from.multicast).toBe(0);
        expect(reasonsText(rowOf(task, kiosk).reasons)).toContain(switchedOff);
      }
      const received = offices.map((office) => rowOf(task, office).from.multicast);
      expect(Math.max(...received)).toBeGreaterThan(0);
    };

    expectOwn(await deliver("first"));
    const overridden = await deliver("second", "--setting", "fast");
    expect(overridden.setting).toBe("fast");
    for (const kiosk of kiosks) {
      expect(reasonsText(rowOf(overridden, kiosk).reasons)).not.toContain(switchedOff);
      const { tasks, setting } = await kiosk.status();
      expect(setting?.name).toBe("kiosk");
      expect(tasks.find(({ taskId }) => taskId === overridden.id)?.setting).toMatchObject({
        name: "fast",
        version: 1,
      });
    }
    const heard = kiosks.map((kiosk) => rowOf(overridden, kiosk).from.multicast);
    expect(Math.max(...heard)).toBeGreaterThan(0);
    // After the task its setting counts no longer, and the own one does again.
    expectOwn(await deliver("third"));
  },
  longMs * 2,
);

test(
  "each group starts its sessions by its own setting, and a change of default reaches a derived one",
  async () => {
    await using harness = await openHarness({
      settings: ["sessionStartDelay=20m", "startWhenAllPresent=false", "useDeputy=false"],
    });
    const { source } = harness;
    await source.admin("setting", "create", "office", "sessionStartDelay=500ms");
    await source.admin("setting", "create", "lobby", "reportInterval=300ms");
    const offices = await startGroup(harness, "offices", await harness.newGroup());
    const lobbies = await startGroup(harness, "lobbies", await harness.newGroup());
    await source.admin("setting", "assign", "office", "--target", "group:offices");
    await source.admin("setting", "assign", "lobby", "--target", "group:lobbies");
    await untilOwn(offices, { name: "office" });
    await untilOwn(lobbies, { name: "lobby" });
    const { version } = await harness.client.setting("default");

    const file = await harness.makeFile("tool.bin", 2_000_000);
    const taskId = await harness.createTask(await harness.publish(file, { name: "tool", version: "1" }));
    await harness.waitUntilComplete(taskId, offices, longMs);
    const waiting = await harness.waitForTask(
      taskId,
      (task) =>
        lobbies.some((lobby) => {
          const { role, bytesVerified, bytesTotal } = rowOf(task, lobby);
          return role === "representative" && bytesVerified === bytesTotal;
        }),
      longMs,
    );
    const peer = lobbies.find((lobby) => rowOf(waiting, lobby).role !== "representative")!;
    expect(rowOf(waiting, peer)).toMatchObject({ role: "peer", from: { multicast: 0 } });

    const changed = await source.admin("setting", "set", "default", "startWhenAllPresent=true");
    expect(changed.split("\n")[0]).toBe(`default, version ${version + 1}: 4 devices, 0 open tasks`);
    await harness.waitUntilComplete(taskId, lobbies, longMs);
    await untilOwn(lobbies, {
      name: "lobby",
      version: 1,
      parents: [{ name: "default", version: version + 1 }],
    });
    expect((await peer.status()).tasks[0]!.setting).toBeNull();
  },
  longMs * 2,
);

test(
  "a target over tags, inventory and site gives devices their own setting, and follows the tags",
  async () => {
    await using harness = await openHarness();
    const { source } = harness;
    const [first, second] = (await harness.startPeers(2)) as [Peer, Peer];
    const far = await harness.startPeer({ group: await harness.newGroup() });
    const system =
      process.platform === "win32" ? "windows" : process.platform === "darwin" ? "macos" : "linux";
    for (const name of ["special", "branch"]) await source.admin("setting", "create", name, "wanAttempts=3");
    await source.admin("setting", "assign", "special", "--target", `tag=b7 and os=${system}`);
    await source.admin("setting", "assign", "branch", "--target", "site=Hamburg");
    await source.admin("device", "tag", first.id, "b7");
    await source.admin("site", "create", "Hamburg");
    const { subnetId } = (await harness.client.devices(second.id))[0]!;
    await source.admin("subnet", "assign", subnetId!, "Hamburg");
    await untilOwn([first], { name: "special" });
    await untilOwn([second], { name: "branch" });
    await untilOwn([far], { name: "default" });
    await source.admin("device", "untag", first.id, "b7");
    await untilOwn([first], { name: "branch" });
    const kept = await harness.tryAdmin("site", "delete", "Hamburg");
    expect([kept.status, kept.stderr]).toEqual([1, expect.stringContaining('branch to "site=Hamburg"')]);
  },
  longMs,
);
