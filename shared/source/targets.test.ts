/** Targets over the catalog: tags, sites, inventory, results of tasks; the preview of a task. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PublishResponse, Subnet, TaskChanged, TaskDetail, TaskSummary } from "../api/schema/admin.ts";
import type { Device } from "../api/schema/device.ts";
import type { CheckInResponse, Probe } from "../api/schema/agent.ts";
import type { Inventory } from "../api/schema/common.ts";
import type { Group, Site, Tagged, TaskPreview } from "../api/schema/labels.ts";
import { reason } from "../model/reason.ts";
import { inventoryOf, openFixture, reportOf, type Fixture, type TestDevice } from "./app-fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

const names = new Map<string, string>();
/** Enrols a device and checks it in. Devices are listed in the order of their enrolment. */
async function enrolled(...words: Parameters<Fixture["device"]>): Promise<TestDevice> {
  fixture.clock.nowMs++;
  const device = await fixture.device(...words);
  names.set(device.id, words[0]);
  return device;
}

const size = 5_000;
async function publish(version = "1", name = "editor"): Promise<string> {
  const path = join(fixture.folder, "tool.bin");
  const content = `${name} ${version}`.padEnd(size, ".");
  await writeFile(path, content);
  const { json } = await fixture.signedPackage(path, { name, version });
  const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: content });
  return body.packageId;
}
const taskOf = (target: string, more: Record<string, unknown> = {}) => ({
  package: "editor",
  action: "run",
  command: "./install",
  setting: null,
  target,
  startAtMs: null,
  ...more,
});
async function create(target: string, more: Record<string, unknown> = {}): Promise<number> {
  const answer = await fixture.call<TaskChanged>("POST", "/v1/tasks", { json: taskOf(target, more) });
  expect([answer.status, answer.body]).toEqual([200, expect.anything()]);
  return answer.body.taskId;
}
const preCache = { action: "pre-cache", command: null };
const exited = (endedAtMs: number) => ({
  exitCode: 0,
  timedOut: false,
  outputTail: "",
  meaning: "success" as const,
  runs: 1,
  startedAtMs: endedAtMs,
  endedAtMs,
});
const send = ({ credential }: TestDevice, ...reports: unknown[]) =>
  fixture.call("POST", "/v1/agent/progress", { credential, json: { reports } });
/** Checks a device in and returns the numbers of its tasks. */
async function tasksOf(
  { id: deviceId, credential }: TestDevice,
  more: Partial<Inventory> = {},
  serving: number[] = [],
): Promise<number[]> {
  const json = { inventory: { ...inventoryOf(names.get(deviceId)!), ...more }, serving };
  const { body } = await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", { credential, json });
  return body.tasks.map(({ id }) => id);
}
const call = async <T>(method: string, path: string, json?: unknown): Promise<[number, T]> => {
  const { status, body } = await fixture.call<T>(method, path, json === undefined ? {} : { json });
  return [status, body];
};
const tag = (devices: string, ...add: string[]) => call<Tagged>("POST", "/v1/tags", { devices, add });
const untag = (devices: string, ...remove: string[]) => call<Tagged>("POST", "/v1/tags", { devices, remove });
const groups = async (): Promise<unknown[]> =>
  (await call<{ groups: Group[] }>("GET", "/v1/groups"))[1].groups.map((one) => Object.values(one));
const devices = async (filter: string): Promise<string[]> => {
  const path = `/v1/devices?filter=${encodeURIComponent(filter)}`;
  return (await call<{ devices: Device[] }>("GET", path))[1].devices.map(({ hostname }) => hostname);
};
const shown = async (taskId: number): Promise<TaskDetail> =>
  (await call<TaskDetail>("GET", `/v1/tasks/${taskId}`))[1];
const preview = async (target: string, more: Record<string, unknown> = {}): Promise<TaskPreview> =>
  (await call<TaskPreview>("POST", "/v1/tasks/dry-run", taskOf(target, more)))[1];
const stateOf = async (taskId: number): Promise<string | undefined> => {
  const [, { tasks }] = await call<{ tasks: TaskSummary[] }>("GET", "/v1/tasks");
  return tasks.find(({ id }) => id === taskId)?.state;
};

const answers = async (...filters: string[]) => Promise.all(filters.map(devices));
const createVersion = (one: string, more: Record<string, unknown> = {}) =>
  create("all", { package: `editor@${one}`, ...more });

describe("tags", () => {
  test("are given by an administrator, compare without case, and keep their first spelling", async () => {
    const [one] = [await enrolled("pc-1"), await enrolled("pc-2"), await enrolled("pc-3")];
    const [status, tagged] = await tag("pc-1,pc-2", "B7", "Größe");
    expect([status, tagged.devices.map((device) => [device.hostname, device.tags, device.changed])]).toEqual([
      200,
      [
        ["pc-1", ["B7", "Größe"], true],
        ["pc-2", ["B7", "Größe"], true],
      ],
    ]);
    const [, again] = await tag(`device:${one.id}`, "b7");
    expect(again.devices.map((device) => [device.tags, device.changed])).toEqual([[["B7", "Größe"], false]]);
    await tag("name=pc-3", "b7");
    expect(await devices("tag=b7 and not tag=größe")).toEqual(["pc-3"]);
    await untag("all", "b7");
    expect(await devices("tag=B7")).toEqual([]);
    expect(await devices("tag=gr*")).toEqual(["pc-1", "pc-2"]);
  });

  test("are refused for unknown devices, unknown tags to remove, and names of devices", async () => {
    await enrolled("pc-1");
    await enrolled("pc-2");
    expect((await tag("pc-9", "b7"))[0]).toBe(404);
    expect((await tag("tag=nothing", "b7"))[0]).toBe(404);
    expect(await tag("pc-1", "pc-2")).toEqual([
      409,
      expect.objectContaining({ error: '"pc-2" is a device, and cannot be a tag' }),
    ]);
    expect((await untag("pc-1", "b7"))[0]).toBe(404);
    expect((await call("POST", "/v1/tags", { devices: "pc-1", add: ["a b"] }))[0]).toBe(400);
    expect((await call("POST", "/v1/tags", { devices: "pc-1", add: ["none"] }))[0]).toBe(400);
    const many = Array.from({ length: 64 }, (_, index) => `t${index}`);
    expect((await tag("pc-1", ...many))[0]).toBe(200);
    expect((await tag("all", "one-more"))[0]).toBe(422);
    expect((await tag("pc-1", "T0"))[0]).toBe(200);
  });

  test("of a declared group exist without devices; a group that an open task names stays", async () => {
    await enrolled("pc-1", "10.0.0.5", ["labs", "pilot"]);
    expect((await call("PUT", "/v1/groups/pilot"))[0]).toBe(200);
    expect((await call("PUT", "/v1/groups/PILOT"))[0]).toBe(409);
    await tag("pc-1", "Labs");
    expect(await groups()).toEqual([
      ["Labs", "tag", 1, 0],
      ["pilot", "group", 0, 1],
    ]);
    expect((await call("POST", "/v1/tags", { devices: "pc-1", add: ["typo"], known: true }))[0]).toBe(404);
    await publish();
    const task = await create("group=Pilot and not os=windows");
    expect(await call("DELETE", "/v1/groups/pilot")).toEqual([
      409,
      expect.objectContaining({ error: `The target of task ${task} names "pilot"` }),
    ]);
    await fixture.call("POST", `/v1/tasks/${task}/cancel`);
    expect((await call("DELETE", "/v1/groups/pilot"))[0]).toBe(200);
    expect((await call("DELETE", "/v1/groups/labs"))[0]).toBe(200);
    expect(await groups()).toEqual([
      ["labs", "tag", 0, 1],
      ["pilot", "tag", 0, 1],
    ]);
    expect((await call("DELETE", "/v1/groups/labs"))[0]).toBe(404);
  });

  test("are not what a device states itself, unless the source accepts it", async () => {
    await publish();
    const device = await enrolled("pc-1", "10.0.0.5", ["labs"]);
    const task = await create("group:labs");
    expect(await tasksOf(device, { groups: ["labs"] })).toEqual([]);
    const [, listed] = await call<{ devices: Device[] }>("GET", "/v1/devices");
    expect(listed.devices.map(({ tags, wishes }) => [tags, wishes])).toEqual([[[], ["labs"]]]);
    await tag("pc-1", "labs");
    expect(await tasksOf(device)).toEqual([task]);
    await fixture.close();
    fixture = await openFixture({ acceptsWishes: true });
    await publish();
    const other = await enrolled("pc-1", "10.0.0.5", ["labs"]);
    const accepted = await create("group:labs");
    expect(await tasksOf(other, { groups: ["labs"] })).toEqual([accepted]);
    expect(await tasksOf(other, { groups: [] })).toEqual([]);
  });
});

describe("a target", () => {
  test("is evaluated at each check-in over the inventory", async () => {
    await publish();
    const device = await enrolled("pc-1");
    const task = await create("os=windows and class=laptop and memory>=8GiB and medium!=wireless");
    const laptop = { os: "Windows_NT 10.0.22631", deviceClass: "laptop" as const, memoryBytes: 2 ** 33 };
    expect(await tasksOf(device)).toEqual([]);
    expect(await tasksOf(device, laptop)).toEqual([task]);
    expect(await tasksOf(device, { ...laptop, memoryBytes: 2 ** 32 })).toEqual([]);
    expect(await tasksOf(device, { ...laptop, deviceClass: "unknown" })).toEqual([]);
  });

  test("of a task that a device has done, or whose command runs there, keeps the device", async () => {
    await publish();
    const device = await enrolled("pc-1");
    const other = await enrolled("pc-2");
    const task = await create("lacks=editor@1");
    await send(device, reportOf(task, "downloading"));
    expect(await tasksOf(device)).toEqual([task]);
    await send(device, reportOf(task, "running"));
    await tag("all", "b7");
    await fixture.call("PATCH", `/v1/tasks/${task}`, { json: { target: "lacks=editor@1 and not tag=b7" } });
    expect(await tasksOf(device)).toEqual([task]);
    expect(await tasksOf(other)).toEqual([]);
    await fixture.call("PATCH", `/v1/tasks/${task}`, { json: { target: "lacks=editor@1" } });
    await send(device, reportOf(task, "complete", { command: exited(1_000) }));
    // The representative still leads the session of the others.
    expect(await tasksOf(device, {}, [task])).toEqual([task]);
    const lease = { taskId: task, subnetId: device.subnetId, address: "10.0.0.5", lanPort: 1, term: 1 };
    const init = { credential: device.credential, json: lease };
    expect((await fixture.call("POST", "/v1/agent/lease", init)).status).toBe(200);
    expect((await shown(task)).devices).toMatchObject({ total: 2, complete: 1 });
    await fixture.endTasks();
    expect(await stateOf(task)).toBe("running");
    await send(other, reportOf(task, "complete", { command: exited(1_000) }));
    await fixture.endTasks();
    expect([await stateOf(task), (await shown(task)).devices.total]).toEqual(["done", 2]);
  });

  test("of a task that is done does not count devices that match it later", async () => {
    await publish();
    const device = await enrolled("pc-1");
    await enrolled("pc-2");
    await tag("pc-1", "b7");
    const task = await create("tag=b7");
    await send(device, reportOf(task, "complete"));
    await fixture.endTasks();
    await tag("pc-2", "b7");
    expect([await stateOf(task), (await shown(task)).devices.total]).toEqual(["done", 1]);
  });

  test("names devices by the results of another task, and none once that task is removed", async () => {
    await publish();
    const [good, bad] = [await enrolled("pc-1"), await enrolled("pc-2")];
    const first = await create("all");
    const failed = await create(`failed-in=${first}`);
    const complete = await create(`complete-in=${first}`);
    expect(await tasksOf(bad)).toEqual([first]);
    await send(good, reportOf(first, "complete"));
    await send(bad, reportOf(first, "failed"));
    expect([await tasksOf(good), await tasksOf(bad)]).toEqual([[complete], [first, failed]]);
    expect(await devices(`not failed-in=${first}`)).toEqual(["pc-1"]);
    await fixture.call("POST", `/v1/tasks/${first}/cancel`);
    await fixture.call("DELETE", `/v1/tasks/${first}`);
    expect(await devices(`failed-in=${first} or not failed-in=${first}`)).toEqual([]);
  });

  test("wakes a device whose result changes which tasks are for it", async () => {
    await publish();
    const device = await enrolled("pc-1");
    const stream = fixture.changeHub.open(device.id).getReader();
    const next = async () => new TextDecoder().decode((await stream.read()).value);
    expect(await next()).toContain("event: hello");
    const first = await create("all");
    expect(await next()).toContain("event: wake");
    await create(`failed-in=${first}`);
    await send(device, reportOf(first, "failed"));
    expect(await next()).toContain("event: wake");
  });

  test("knows which version a device has: the one whose command succeeded last", async () => {
    for (const version of ["1.0", "2.0", "3.0"]) await publish(version);
    const device = await enrolled("pc-1");
    await enrolled("pc-2");
    const [one, two] = [await createVersion("1.0"), await createVersion("2.0")];
    const three = await createVersion("3.0", preCache);
    // The clock of the device was set back between the two commands.
    const result = reportOf(one, "complete", { command: exited(9_000) });
    await send(device, result);
    await send(device, reportOf(two, "complete", { command: exited(2_000) }));
    await send(device, result, reportOf(three, "complete"));
    expect(await answers("has=Editor@2", "has=editor@1.0", "has=editor", "has=editor@>=3")).toEqual([
      ["pc-1"],
      [],
      ["pc-1"],
      [],
    ]);
    expect(await answers("lacks=editor@>=2", "lacks=editor@3", "holds=editor@3", "holds=editor@1")).toEqual([
      ["pc-2"],
      ["pc-1", "pc-2"],
      ["pc-1"],
      ["pc-1"],
    ]);
    for (const id of [one, two, three]) {
      await fixture.call("POST", `/v1/tasks/${id}/cancel`);
      await fixture.call("DELETE", `/v1/tasks/${id}`);
    }
    expect(await devices("has=editor@2")).toEqual(["pc-1"]);
  });

  test("knows that a command named uninstall has removed the package", async () => {
    const path = join(fixture.folder, "tool.bin");
    await writeFile(path, "x");
    const commands = ["install", "uninstall"].map((name) => ({
      name,
      lines: [{ os: "linux" as const, shell: "sh" as const, line: "true" }],
    }));
    const { json } = await fixture.signedPackage(path, { name: "editor", version: "1", commands });
    const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
    await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: "x" });
    const device = await enrolled("pc-1");
    const install = await create("all", { command: null, run: "install" });
    await send(device, reportOf(install, "complete", { command: exited(1_000) }));
    expect(await devices("has=editor")).toEqual(["pc-1"]);
    const uninstall = await create("has=editor", { command: null, run: "uninstall" });
    expect(await tasksOf(device)).toEqual([uninstall]);
    await send(device, reportOf(uninstall, "complete", { command: exited(2_000) }));
    // The device repeats an old result.
    await send(device, reportOf(install, "complete", { command: exited(1_000) }));
    expect([await devices("lacks=editor"), await devices("holds=editor")]).toEqual([["pc-1"], ["pc-1"]]);
  });

  test("warns of names that nothing has, and is refused when it can never match", async () => {
    await publish();
    const target =
      "tag=nothing or site=Kiel or subnet in (floor-2, 10.0.0.0/8) or failed-in=99 or has=office";
    const [, created] = await call<TaskChanged>("POST", "/v1/tasks", taskOf(target));
    expect(created.warnings).toEqual([
      'no device has the tag "nothing": group list shows all',
      'no site is named "Kiel": site list shows all',
      'no subnet is "floor-2": subnet list shows all',
      "no task 99: task list shows all",
      'no package is named "office": package list shows all',
    ]);
    expect(await call("POST", "/v1/tasks", taskOf("pc-1,pc-2"))).toEqual([
      404,
      expect.objectContaining({ error: 'No device is named "pc-1"' }),
    ]);
    expect(await call("POST", "/v1/tasks", taskOf("tag=a and oss=b"))).toEqual([
      400,
      expect.objectContaining({
        error: expect.stringContaining('"target": unknown word at column 11: "oss"'),
      }),
    ]);
    expect((await call("GET", "/v1/devices?filter=os%3C3"))[0]).toBe(400);
  });

  test("that this program cannot read matches nobody", async () => {
    await publish();
    const device = await enrolled("pc-1");
    const task = await create("all");
    await fixture.catalog.tasks.change(task, () => ({ target: "moon-phase=full" }));
    expect(await tasksOf(device)).toEqual([]);
    expect((await shown(task)).devices.total).toBe(0);
  });
});

const gateway = (mac: string, address = "10.0.0.5") => {
  const { interfaces } = inventoryOf("h", address);
  return { interfaces: [{ ...interfaces[0]!, gatewayMac: mac }] };
};
const subnets = async (): Promise<Subnet[]> =>
  (await call<{ subnets: Subnet[] }>("GET", "/v1/subnets"))[1].subnets;
const label = (id: string, json: Record<string, unknown>) => call("PATCH", `/v1/subnets/${id}`, json);
const checkIn = async ({ credential }: TestDevice, mac: string): Promise<Probe[]> => {
  const json = { inventory: { ...inventoryOf("h"), ...gateway(mac) }, lanPort: 7_067 };
  const init = { credential, json };
  return (await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", init)).body.probes;
};

describe("sites", () => {
  test("have subnets; two subnets of one CIDR can be in two sites", async () => {
    await publish();
    const [north, south] = [await enrolled("north"), await enrolled("south")];
    await tasksOf(north, gateway("a4:2b:b0:00:00:01"));
    await tasksOf(south, gateway("a4:2b:b0:00:00:02"));
    const [a, b] = await subnets();
    expect([a!.cidr, a!.cidr === b!.cidr, a!.id === b!.id]).toEqual(["10.0.0.0/24", true, false]);
    expect((await label(a!.id, { site: "Kiel" }))[0]).toBe(404);
    expect((await call("PUT", "/v1/sites/Kiel"))[0]).toBe(200);
    expect((await call("PUT", "/v1/sites/kiel"))[0]).toBe(409);
    await call("PUT", "/v1/sites/Ulm");
    expect((await label(a!.id, { name: "floor-2", site: "kiel" }))[0]).toBe(200);
    expect((await label(b!.id, { name: "Floor-2" }))[0]).toBe(409);
    await label(b!.id, { site: "Ulm" });
    expect((await subnets()).map(({ name, site }) => [name, site])).toEqual([
      ["floor-2", "Kiel"],
      [null, "Ulm"],
    ]);
    const task = await create("site=kiel");
    const of = async () => [
      await tasksOf(north, gateway("a4:2b:b0:00:00:01")),
      await tasksOf(south, gateway("a4:2b:b0:00:00:02")),
    ];
    expect(await of()).toEqual([[task], []]);
    expect((await shown(task)).subnets).toMatchObject([{ name: "floor-2", site: "Kiel" }]);
    // The device moves to the other branch.
    expect(await tasksOf(north, gateway("a4:2b:b0:00:00:02"))).toEqual([]);
  });

  test("keep their name while an open task names them, and go without their subnets", async () => {
    await publish();
    await enrolled("pc-1");
    const [{ id } = { id: "" }] = await subnets();
    await call("PUT", "/v1/sites/Kiel");
    await label(id, { site: "Kiel", name: "floor" });
    const task = await create("site=kiel");
    expect((await call("DELETE", "/v1/sites/Kiel"))[0]).toBe(409);
    expect((await call("PATCH", "/v1/sites/Kiel", { name: "Ulm" }))[0]).toBe(409);
    expect((await call("PATCH", "/v1/sites/Kiel", { name: "KIEL" }))[0]).toBe(200);
    await fixture.call("POST", `/v1/tasks/${task}/cancel`);
    expect((await call("PATCH", "/v1/sites/kiel", { name: "Ulm" }))[0]).toBe(200);
    const [, { sites }] = await call<{ sites: Site[] }>("GET", "/v1/sites");
    expect(sites).toMatchObject([{ name: "Ulm", subnets: 1, devices: 1, connected: 0 }]);
    expect(await devices("site=ulm")).toEqual(["pc-1"]);
    expect((await call("DELETE", "/v1/sites/ulm"))[0]).toBe(200);
    expect([await devices("site=none"), await devices("subnet=floor")]).toEqual([["pc-1"], ["pc-1"]]);
    await label(id, { name: null });
    expect(await devices("subnet=floor")).toEqual([]);
  });

  test("and names of a subnet survive a gateway that changes, where the source merges the subnets", async () => {
    const [old, stays] = [await enrolled("h"), await enrolled("h")];
    for (const device of [old, stays]) fixture.changeHub.open(device.id);
    for (const device of [old, stays]) await checkIn(device, "a4:2b:b0:00:00:01");
    await call("PUT", "/v1/sites/Kiel");
    await label((await subnets())[0]!.id, { name: "floor", site: "Kiel" });
    await checkIn(old, "a4:2b:b0:00:00:09");
    const [probe] = await checkIn(stays, "a4:2b:b0:00:00:01");
    for (const { credential } of [old, stays])
      await fixture.call("POST", "/v1/agent/neighbour", { credential, json: { probe: probe!.id } });
    expect((await subnets()).map(({ name, site, devices: count }) => [name, site, count])).toEqual([
      ["floor", "Kiel", 2],
    ]);
    // The last device of the old gateway states the new one as well.
    await checkIn(stays, "a4:2b:b0:00:00:09");
    expect((await subnets()).map(({ name, site, devices: count }) => [name, site, count])).toEqual([
      ["floor", "Kiel", 2],
    ]);
  });

  test("list how packages arrive on a subnet, and the causes, from the last reports", async () => {
    await publish();
    const hosts = [await enrolled("a"), await enrolled("b"), await enrolled("c")];
    const task = await create("all");
    const wireless = [reason("takes-unicast", { device: "x" }), reason("wireless")];
    await send(hosts[0]!, reportOf(task, "receiving", { way: "unicast", reasons: wireless }));
    await send(hosts[1]!, reportOf(task, "receiving", { way: "unicast", reasons: wireless }));
    await send(hosts[2]!, reportOf(task, "receiving", { way: "multicast" }));
    await send(hosts[2]!, reportOf(task, "waiting", { way: "none" }));
    expect((await subnets()).map(({ ways }) => ways)).toEqual([
      [
        { way: "unicast", devices: 2, causes: { wireless: 2 } },
        { way: "multicast", devices: 1, causes: {} },
      ],
    ]);
    await tasksOf(hosts[2]!, gateway("a4:2b:b0:00:00:01", "10.9.0.5"));
    expect((await subnets()).find(({ cidr }) => cidr === "10.9.0.0/24")!.ways).toEqual([]);
  });
});

describe("the preview of a task", () => {
  test("counts devices and WAN bytes per subnet, and creates nothing", async () => {
    const packageId = await publish();
    const first = await enrolled("a", "10.0.1.5");
    const second = await enrolled("b", "10.0.1.6");
    await enrolled("c", "10.0.2.5");
    fixture.changeHub.open(first.id);
    fixture.changeHub.open(second.id);
    const before = await preview("all", preCache);
    expect(before).toMatchObject({
      taskId: null,
      packageId,
      devices: 3,
      added: 3,
      dropped: 0,
      devicesLeft: 0,
    });
    expect(before.subnets.map((one) => [one.cidr, one.devices, one.connected, one.packageWanBytes])).toEqual([
      ["10.0.1.0/24", 2, 2, size],
      ["10.0.2.0/24", 1, 0, size],
    ]);
    expect(before.packageWanBytes).toBe(2 * size);
    expect(before.manifestWanBytes).toBe(2 * before.subnets[0]!.manifestWanBytes);
    expect(before.manifestWanBytes).toBeGreaterThan(0);
    expect((await call<{ tasks: unknown[] }>("GET", "/v1/tasks"))[1].tasks).toEqual([]);
    const task = await create("a", preCache);
    await send(first, reportOf(task, "complete"));
    const after = await preview("all", preCache);
    expect(after.subnets.map((one) => [one.holding, one.holders, one.packageWanBytes])).toEqual([
      [1, 1, 0],
      [0, 0, size],
    ]);
    expect(after.deviceList.map(({ hostname, holds }) => [hostname, holds])).toEqual([
      ["a", true],
      ["b", false],
      ["c", false],
    ]);
    expect((await preview("a", preCache)).manifestWanBytes).toBe(0);
    const nobody = await preview("tag=none-such");
    expect([nobody.devices, nobody.packageWanBytes, nobody.warnings.length]).toEqual([0, 0, 1]);
  });

  test("does not count a holder that is not connected", async () => {
    await publish();
    const first = await enrolled("a", "10.0.1.5");
    await enrolled("b", "10.0.1.6");
    const task = await create("a", preCache);
    await send(first, reportOf(task, "complete"));
    const found = await preview("b", preCache);
    expect(found.subnets).toMatchObject([{ holders: 0, packageWanBytes: size }]);
  });

  test("of an edit names the devices that are new and those that drop the task", async () => {
    await publish();
    const [first] = [await enrolled("a"), await enrolled("b"), await enrolled("c")];
    const task = await create("a,b");
    await send(first, reportOf(task, "complete"));
    const json = { target: "c" };
    const { body } = await fixture.call<TaskPreview>("POST", `/v1/tasks/${task}/dry-run`, { json });
    // The device that has done the task stays one of its devices.
    expect([body.taskId, body.devices, body.added, body.dropped]).toEqual([task, 2, 1, 1]);
    expect((await shown(task)).target).toBe("a,b");
    const refused = await fixture.call("POST", `/v1/tasks/${task}/dry-run`, { json: { expiresAtMs: 5 } });
    expect(refused.status).toBe(422);
  });

  test("refuses what the creation refuses", async () => {
    await publish();
    expect((await call("POST", "/v1/tasks/dry-run", taskOf("all", { package: "office" })))[0]).toBe(404);
    expect((await call("POST", "/v1/tasks/dry-run", taskOf("oss=b")))[0]).toBe(400);
    const { credential } = await enrolled("pc-1");
    const asDevice = await fixture.call("POST", "/v1/tasks/dry-run", { credential, json: taskOf("all") });
    expect(asDevice.status).toBe(403);
  });
});
