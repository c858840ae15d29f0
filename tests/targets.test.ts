/** Targets with real programs: tags, expressions, results of tasks, sites and the dry run. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Subnet, TaskDetail } from "../shared/api/schema/admin.ts";
import type { Device } from "../shared/api/schema/device.ts";
import type { TaskPreview } from "../shared/api/schema/labels.ts";
import { openHarness, partOf, type Harness, type Peer } from "./harness.ts";

const sizeBytes = 700_000;
const waitMs = 120_000;
let harness: Harness;
/** Two devices of one subnet, and one of another. The first wishes to be in the group "pilot". */
let one: Peer;
let two: Peer;
let far: Peer;
beforeAll(async () => {
  harness = await openHarness({ settings: ["checkInInterval=2s"] });
  one = await harness.startPeer({ name: "one", args: ["--device-group", "pilot"] });
  two = await harness.startPeer({ name: "two" });
  far = await harness.startPeer({ name: "far", group: await harness.newGroup() });
}, waitMs);
afterAll(() => harness[Symbol.asyncDispose]());

const admin = async (...words: string[]): Promise<string> => {
  const { status, stdout, stderr } = await harness.tryAdmin(...words);
  expect([words, status, stderr]).toEqual([words, 0, ""]);
  return stdout.trim();
};
const json = async <T>(...words: string[]): Promise<T> => JSON.parse(await admin(...words, "--json")) as T;
async function publish(name: string): Promise<string> {
  await harness.publish(await harness.makeFile(`${name}.bin`, sizeBytes), { name, version: "1" });
  return name;
}
const create = async (...words: string[]): Promise<number> => Number(await admin("task", "create", ...words));
const run = (name: string, command: string, target: string): Promise<number> =>
  create(name, "--action", "run", "--command", command, "--target", target);
const done = (taskId: number): Promise<TaskDetail> =>
  harness.waitForTask(taskId, ({ state }) => state === "done", waitMs);
const idsOf = (task: Pick<TaskDetail, "deviceList">): string[] =>
  task.deviceList.map(({ deviceId }) => deviceId).toSorted();
const bytes = (rows: readonly { subnetId: string | null }[], key: string) =>
  Object.fromEntries(rows.map((row) => [row.subnetId, (row as Record<string, unknown>)[key]]));
const idsOfPeers = (...peers: Peer[]): string[] => peers.map(({ id }) => id).toSorted();

test("a device's own word does not put it into a group; an administrator's tag does", async () => {
  const name = await publish("wish");
  const [listed] = (await json<Device[]>("device", "list", "--filter", `device=${one.id}`)) as [Device];
  expect([listed.tags, listed.wishes]).toEqual([[], ["pilot"]]);
  const words = ["task", "create", name, "--action", "pre-cache", "--target", "group:pilot"];
  const created = await harness.tryAdmin(...words);
  expect([created.status, created.stderr]).toEqual([
    0,
    expect.stringMatching(/no device has the tag "pilot"[^]*no device matches the target/),
  ]);
  await admin("group", "create", "pilot");
  expect(await admin("group", "add", "pilot", two.id)).toBe("1 of 1 devices changed");
  expect(await admin("group", "list")).toMatch(/pilot +group +1 +1/);
  const task = await done(Number(created.stdout));
  expect(idsOf(task)).toEqual([two.id]);
}, 300_000);

test("a target over inventory and tags reaches the devices that match all of it", async () => {
  const name = await publish("inventory");
  expect(await admin("device", "tag", `${one.id},${far.id}`, "b7", "first")).toBe("2 of 2 devices changed");
  await admin("device", "untag", far.id, "first");
  const system = process.platform === "win32" ? "windows" : process.platform === "darwin" ? "macos" : "linux";
  const target = `os=${system} and memory>=64MiB and agent>=0.0.1 and (tag=b7 or name=nobody) and not tag=first`;
  const task = await done(await create(name, "--action", "pre-cache", "--target", target));
  expect(idsOf(task)).toEqual([far.id]);
  expect(await harness.tryAdmin("task", "create", name, "--action", "pre-cache", "--target", "tag=")).toEqual(
    expect.objectContaining({ status: 2, stderr: expect.stringContaining("expected a value at column 5") }),
  );
}, 300_000);

test("a task for the devices where another one failed runs there, and nowhere else", async () => {
  const name = await publish("partly");
  const first = await run(name, `case "$PWD" in *two*) exit 7;; esac`, "all");
  await harness.waitForTask(first, ({ devices }) => devices.failed === 1 && devices.complete === 2, waitMs);
  const task = await done(await run(name, "true", `failed-in=${first}`));
  expect(idsOf(task)).toEqual([two.id]);
  const rest = await json<Device[]>("device", "list", "--filter", `complete-in=${first}`);
  expect(rest.map(({ id }) => id).toSorted()).toEqual(idsOfPeers(one, far));
}, 300_000);

test("a task for the devices that lack a package counts them after it has run there", async () => {
  const name = await publish("wanted");
  await done(await run(name, "true", `device:${one.id}`));
  const task = await done(await run(name, "true", `lacks=${name}@>=1`));
  expect([idsOf(task), task.devices.complete]).toEqual([idsOfPeers(two, far), 2]);
  expect(await json<Device[]>("device", "list", "--filter", `lacks=${name}`)).toEqual([]);
}, 300_000);

test("a site holds two subnets, and its task shows their names", async () => {
  const name = await publish("placed");
  await admin("site", "create", "Kiel");
  const subnets = await json<Subnet[]>("subnet", "list");
  expect(subnets.map(({ cidr }) => cidr)).toEqual(["127.0.0.0/8", "127.0.0.0/8"]);
  const [near, other] = subnets.toSorted((a, b) => b.devices - a.devices) as [Subnet, Subnet];
  await admin("subnet", "name", near.id, "floor-1");
  await admin("subnet", "assign", "floor-1", "Kiel");
  const half = await create(name, "--action", "pre-cache", "--target", "site=Kiel");
  expect(idsOf(await done(half))).toEqual(idsOfPeers(one, two));
  await admin("subnet", "assign", other.id, "kiel");
  await admin("task", "edit", String(half), "--target", "site=kiel");
  const task = await done(half);
  expect([idsOf(task), task.subnets.map(({ site }) => site)]).toEqual([
    idsOfPeers(one, two, far),
    ["Kiel", "Kiel"],
  ]);
  expect(await admin("task", "show", String(half))).toMatch(/floor-1 +Kiel +127\.0\.0\.0\/8/);
  expect(await admin("device", "list")).toMatch(/floor-1 +Kiel/);
  expect(await admin("site", "list")).toMatch(/Kiel +2 +3 +3/);
  expect(await admin("subnet", "list")).toMatch(/floor-1 +Kiel .*(multicast|unicast|WAN) \d/);
  const kept = await harness.tryAdmin("site", "delete", "Kiel");
  expect([kept.status, (await harness.client.sites()).length]).toEqual([0, 0]);
}, 300_000);

test("a dry run names the devices and the WAN bytes of what then happens", async () => {
  const name = await publish("counted");
  await done(await create(name, "--action", "pre-cache", "--target", `device:${one.id}`));
  const words = [name, "--action", "pre-cache", "--target", "not tag=none-such"];
  const before = await harness.client.tasks();
  const dry = await harness.tryAdmin("task", "create", ...words, "--dry-run", "--json");
  expect(dry.stderr).toContain('no device has the tag "none-such"');
  const preview = JSON.parse(dry.stdout) as TaskPreview;
  expect(await harness.client.tasks()).toHaveLength(before.length);
  expect([preview.devices, preview.packageWanBytes]).toEqual([3, sizeBytes]);
  const created = await harness.tryAdmin("task", "create", ...words);
  const task = await done(Number(created.stdout));
  expect(idsOf(task)).toEqual(idsOf(preview as unknown as TaskDetail));
  expect(bytes(task.subnets, "wanBytes")).toEqual(bytes(preview.subnets, "packageWanBytes"));
  expect(partOf(task, two).from.wan).toBe(0);
  const again = ["task", "edit", String(task.id), "--target", `device:${far.id}`, "--dry-run"];
  expect(await admin(...again)).toMatch(/devices +3, 0 new, 0 drop the task\nWAN +0 B/);
}, 300_000);

test("a source that accepts the groups of devices targets them, as in labs", async () => {
  await using lab = await openHarness({ sourceArgs: ["--accept-device-groups"] });
  const peer = await lab.startPeer({ args: ["--device-group", "labs"] });
  const packageId = await lab.publish(await lab.makeFile("a.bin", 10_000), { name: "a", version: "1" });
  await lab.waitUntilComplete(await lab.createTask(packageId, { target: "group:labs" }), [peer], waitMs);
}, 300_000);
