/**
 * Life of a device with real programs: installed again, copied, removed, and not seen for long. Two
 * agents of one machine identity are made by moving the data folder of a running one.
 */
import { cp, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { platform } from "../shared/platform/index.ts";
import { deviceIdOf } from "../scripts/rig/ledger-reader.ts";
import { createCleanups } from "./cleanups.ts";
import { until, type Harness, type Peer } from "./harness.ts";

const { open } = createCleanups();

const publish = async (harness: Harness, name: string): Promise<string> =>
  harness.publish(await harness.makeFile(`${name}.bin`, 200_000), { name, version: "1" });

/** Removes the data folder, except the id of a machine that tells none. */
async function wipe(folder: string): Promise<void> {
  const { system } = await platform.machineId();
  const id = system === "" ? await readFile(join(folder, "machine.id")) : null;
  await rm(folder, { recursive: true });
  if (id === null) return;
  await mkdir(folder);
  await Bun.write(join(folder, "machine.id"), id);
}

const connected = (harness: Harness, count: number) =>
  until(
    async () => `${count} devices are not connected: ${JSON.stringify(await harness.client.devices())}`,
    60_000,
    async () => {
      const devices = (await harness.client.devices()).filter(
        (one) => one.connected && one.inventory !== null,
      );
      return devices.length === count ? devices : null;
    },
  );

const untilApproval = (peer: Peer, wanted: string) =>
  until(
    async () => `${peer.name} states ${(await peer.status()).approval}, not ${wanted}`,
    60_000,
    async () => ((await peer.status()).approval === wanted ? true : null),
  );

const exitOf = (peer: Peer): Promise<number> =>
  until(
    () => `${peer.name} does not end`,
    60_000,
    () => peer.program.exitStatus(),
  );

/** Appends the task's word to a log of the device. */
const logging = (word: string): string => `at=$(dirname "$(dirname "$(pwd)")"); echo ${word} >> "$at/ran"`;
const ran = async (folder: string): Promise<string[]> =>
  (await readFile(join(folder, "cache", "ran"), "utf8")).trim().split("\n").toSorted();

test("a device that is installed again keeps its id and history, and its tags wait for approval", async () => {
  const harness = await open();
  const peer = await harness.startPeer({ name: "pc" });
  await harness.client.changeTags({ devices: peer.id, add: ["lab"] });
  const first = await harness.createTask(await publish(harness, "first"));
  await harness.waitUntilComplete(first, [peer]);
  await peer.stop();
  const second = await harness.createTask(await publish(harness, "second"));
  await wipe(peer.data);
  peer.restart();
  const [device, ...others] = await connected(harness, 1);
  expect(others).toEqual([]);
  expect(await harness.client.devices()).toHaveLength(1);
  expect(device).toMatchObject({ id: peer.id, state: "suspended" });
  await harness.waitUntilComplete(second, [peer]);
  const grouped = await harness.createTask(await publish(harness, "third"), { target: "group:lab" });
  expect((await harness.client.task(grouped)).devices.total).toBe(0);
  expect((await harness.tryAdmin("device", "list")).stdout).toContain("suspended, waiting for approval");
  expect((await harness.tryAdmin("device", "approve", device!.hostname)).stdout).toContain(
    `${peer.id}: active`,
  );
  await harness.waitUntilComplete(grouped, [peer]);

  const renamed = await harness.tryAdmin("device", "rename", peer.id, "Front desk");
  expect(renamed.stdout).toContain("Front desk");
  expect((await harness.tryAdmin("task", "show", String(grouped))).stdout).toContain("Front desk (");
  const shown = (await harness.tryAdmin("device", "show", "front desk")).stdout;
  for (const part of [
    `device     ${peer.id}`,
    "installed again",
    "now, connected",
    "third@1",
    "lo 127.0.0.0/8",
  ])
    expect(shown).toContain(part);
  const history = JSON.parse((await harness.tryAdmin("device", "tasks", "Front desk", "--json")).stdout);
  expect(history.map((one: { taskId: number; state: string }) => [one.taskId, one.state])).toEqual([
    [grouped, "complete"],
    [second, "complete"],
    [first, "complete"],
  ]);
  // The new installation has lost the first package, and states so.
  const holders = async (...words: string[]): Promise<string> =>
    (await harness.tryAdmin("package", "devices", ...words)).stdout;
  expect(await holders("second@1")).toContain(peer.id);
  expect(await holders("first@1")).not.toContain(peer.id);
  expect(await holders("first@1", "--lacking")).toContain(peer.id);
}, 180_000);

test("a second installation of a connected machine is a device of its own", async () => {
  const harness = await open();
  const peer = await harness.startPeer({ name: "pc" });
  await connected(harness, 1);
  await rename(peer.data, `${peer.data}-old`);
  const second = await harness.startPeer({ name: "second", data: peer.data });
  const devices = await connected(harness, 2);
  expect(second.id).not.toBe(peer.id);
  expect(devices.map(({ id, state }) => [id, state])).toEqual([
    [peer.id, "active"],
    [second.id, "active"],
  ]);
  // Restarted, each one keeps its id; nobody takes over a row whose identity two devices have.
  await second.stop();
  await wipe(peer.data);
  second.restart();
  await until(
    async () => `no third device: ${JSON.stringify(await harness.client.devices())}`,
    60_000,
    async () => (await harness.client.devices()).length === 3 || null,
  );
}, 120_000);

test("two agents of a copied data folder get ids of their own, and run no command twice", async () => {
  const harness = await open();
  const pc = await harness.startPeer({ name: "pc" });
  // A device that is off keeps the task open.
  const off = await harness.startPeer({ name: "off" });
  await off.stop();
  const before = await harness.createTask(await publish(harness, "before"), {
    action: "run",
    command: logging("before"),
  });
  await harness.waitUntilComplete(before, [pc]);
  await pc.stop();
  const copy = join(harness.folder, "copy");
  await cp(pc.data, copy, { recursive: true });
  pc.restart();
  await connected(harness, 1);
  await harness.startPeer({ name: "copy", data: copy });
  const ids = await until(
    async () => `no new ids: ${JSON.stringify(await harness.client.devices())}`,
    60_000,
    async () => {
      // Both agents check in after a change.
      await harness.setSetting("default", "sessionStartDelay=500ms");
      const found = [deviceIdOf(pc.data), deviceIdOf(copy)];
      return new Set([...found, pc.id, null]).size === 4 ? found : null;
    },
  );
  await connected(harness, 2);
  const after = await harness.createTask(await publish(harness, "after"), {
    action: "run",
    command: logging("after"),
  });
  for (const taskId of [before, after])
    await harness.waitForTask(taskId, ({ deviceList }) =>
      ids.every((id) => deviceList.some(({ deviceId, state }) => deviceId === id && state === "complete")),
    );
  for (const folder of [pc.data, copy]) expect(await ran(folder)).toEqual(["after", "before"]);
  const { devices } = await harness.client.task(before);
  expect(devices).toMatchObject({ total: 3, complete: 2 });
  expect((await harness.tryAdmin("device", "show", pc.id)).stdout).toContain("removed (cloned)");
}, 180_000);

test("a removed device stops, stays away, and holds up no task", async () => {
  const harness = await open();
  const [kept, gone] = await harness.startPeers(2);
  const done = await harness.createTask(await publish(harness, "done"));
  await harness.waitUntilComplete(done, [kept!, gone!]);
  await gone!.stop();
  const opened = await harness.createTask(await publish(harness, "opened"));
  gone!.restart();
  await harness.waitUntilComplete(opened, [kept!, gone!]);

  const refused = await harness.tryAdmin("device", "remove", gone!.id);
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("--yes")]);
  expect((await harness.tryAdmin("device", "remove", gone!.id, "--yes")).stdout).toContain(gone!.id);
  expect(await exitOf(gone!)).toBe(77);
  const status = await harness.run("peer", "status", "--data", gone!.data);
  expect(status.stdout).toContain("this device was removed from its source");
  // Neither its credential nor the token of its command line lets it come back.
  gone!.restart();
  expect(await exitOf(gone!)).toBe(77);
  expect((await harness.client.devices()).map(({ id }) => id)).toEqual([kept!.id]);

  const task = await harness.createTask(await publish(harness, "without"));
  const watched = await harness.tryAdmin("task", "watch", String(task), "--timeout", "60s");
  expect([watched.status, watched.stdout]).toEqual([0, expect.stringContaining("all 1 devices complete")]);
  expect((await harness.client.task(done)).devices).toMatchObject({ total: 2, complete: 2 });

  await harness.run("peer", "forget", "--data", gone!.data);
  gone!.restart();
  const devices = await connected(harness, 2);
  const again = devices.find(({ id }) => id !== kept!.id)!;
  expect(again.id).not.toBe(gone!.id);
  expect(again.state).toBe("suspended");
}, 240_000);

test("a device that was not seen since before the task holds up nobody, and gets it when it is back", async () => {
  const harness = await open();
  const peers = await harness.startPeers(2);
  const [up, away] = peers as [Peer, Peer];
  await away.stop();
  const startedAtMs = Date.now();
  const file = await publish(harness, "tool");
  // Devices that lost their stream have a minute to connect again.
  await Bun.sleep(Math.max(0, startedAtMs + 65_000 - Date.now()));
  const taskId = await harness.createTask(file);
  const watched = await harness.tryAdmin("task", "watch", String(taskId), "--timeout", "60s");
  expect([watched.status, watched.stdout]).toEqual([0, expect.stringContaining("; 1 not seen since 2")]);
  const shown = (await harness.tryAdmin("task", "show", String(taskId))).stdout;
  expect(shown).toContain("1 of 1 complete");
  expect(shown).toContain(away.id);
  await harness.waitForTask(taskId, ({ state }) => state === "done");
  away.restart();
  const task = await harness.waitUntilComplete(taskId, [up, away], 120_000);
  expect(task.devices).toMatchObject({ total: 2, complete: 2, absent: 0 });
}, 240_000);

test("a device of a token with tags and approval gets nothing until it is approved, then the task of the tag", async () => {
  const harness = await open();
  const words = ["room-5", "--kind", "enrolment", "--tags", "room-5", "--approval", "--uses", "1"];
  const enrollToken = (await harness.source.admin("token", "create", ...words)).trim();
  const taskId = await harness.createTask(await publish(harness, "tool"), { target: "tag=room-5" });
  const peer = await harness.startPeer({ name: "pc", enrollToken });
  const [device] = await connected(harness, 1);
  expect(device).toMatchObject({ state: "waiting", tags: ["room-5"], enrolledWith: "room-5" });
  expect((await harness.client.task(taskId)).devices.total).toBe(0);
  expect((await harness.tryAdmin("device", "list")).stdout).toContain("waiting for approval");
  await untilApproval(peer, "waiting");
  const log = async (): Promise<string> => readFile(`${peer.data}.log`, "utf8");
  expect((await harness.tryAdmin("device", "approve", peer.id)).status).toBe(0);
  await harness.waitUntilComplete(taskId, [peer]);
  await untilApproval(peer, "active");
  // The token was for one device: a second one is told so and ends.
  const second = await harness.startPeer({ name: "second", enrollToken }).catch((error: Error) => error);
  expect(second).toBeInstanceOf(Error);
  expect(await log()).not.toContain(enrollToken);
  expect(await harness.source.admin("audit", "list", "--object", `device ${peer.id}`)).toContain("room-5");
  expect(await harness.source.admin("audit", "verify")).toContain("are in order");
}, 180_000);
