import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckInResponse, EnrollResponse } from "../api/schema/agent.ts";
import type { TaskDetail, TaskSummary } from "../api/schema/admin.ts";
import type { Device, DeviceTask, PackageDevices } from "../api/schema/device.ts";
import { enrollToken, inventoryOf, openFixture, type Fixture } from "./app-fixture.ts";
import { removeUnseenDevices } from "./device-removal.ts";
import { removeExpired } from "./retention.ts";

const hour = 3_600_000;
const day = 24 * hour;
const [machineA, machineB] = ["a".repeat(64), "b".repeat(64)];
const instanceOf = (digit: string): string => digit.repeat(16);

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

type Refusal = { error: string; hint?: string; code?: string };
const enrolBody = (hostname: string, machine: string | null, instance: string) => ({
  token: enrollToken,
  hostname,
  os: "linux",
  arch: "x64",
  agentVersion: "0.1.0",
  machine,
  instance: instanceOf(instance),
});
async function enrol(hostname: string, machine: string | null, instance: string): Promise<EnrollResponse> {
  const json = enrolBody(hostname, machine, instance);
  const { status, body } = await fixture.call<EnrollResponse>("POST", "/v1/agent/enroll", {
    credential: null,
    json,
  });
  expect(status).toBe(200);
  return body;
}
const checkIn = (credential: string, more: Record<string, unknown> = {}, groups: string[] = []) =>
  fixture.call<CheckInResponse & Refusal>("POST", "/v1/agent/check-in", {
    credential,
    json: { inventory: inventoryOf("h", "10.0.0.5", groups), ...more },
  });
/** Enrols a machine and checks it in. */
async function joined(machine: string | null, instance: string, groups: string[] = []) {
  const enrolled = await enrol("h", machine, instance);
  expect((await checkIn(enrolled.credential, { instance: instanceOf(instance) }, groups)).status).toBe(200);
  return enrolled;
}
const show = async (words: string): Promise<Device> =>
  (await fixture.call<Device>("GET", `/v1/devices/${encodeURIComponent(words)}`)).body;
const listed = async (filter = "all"): Promise<Device[]> =>
  (await fixture.call<{ devices: Device[] }>("GET", `/v1/devices?filter=${encodeURIComponent(filter)}`)).body
    .devices;
const tag = async (devices: string, name: string): Promise<number> =>
  (await fixture.call("POST", "/v1/tags", { json: { devices, add: [name] } })).status;
/** Returns the ids of the devices that a target matches. */
const matching = async (target: string): Promise<string[]> => (await listed(target)).map(({ id }) => id);
/** Returns the number of requests that were refused for this reason. */
const refusedBy = async (why: string): Promise<number> => {
  const text = await (await fixture.raw("GET", "/metrics")).text();
  return Number(text.match(new RegExp(`^flockcast_source_refused_total\\{why="${why}"\\} (\\d+)`, "m"))?.[1]);
};
const remove = (words: string) => fixture.call<Refusal>("DELETE", `/v1/devices/${encodeURIComponent(words)}`);
const eventsOf = async (): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await fixture.metrics.deviceEvents.get()).values.map(({ labels, value }) => [labels.event, value]),
  );

/** Publishes a package that is ready. */
async function publish(name: string): Promise<string> {
  const path = join(fixture.folder, "given", name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, name);
  const { json } = await fixture.signedPackage(path, { name, version: "1" });
  const urls = ["https://web.example/a"];
  const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", {
    json: { ...json, urls: urls.map((url) => ({ url, layout: "file" })) },
  });
  return body.packageId;
}
async function createTask(name: string, more: Record<string, unknown> = {}): Promise<number> {
  const json = { package: name, action: "pre-cache", setting: null, target: "all", startAtMs: null, ...more };
  const { status, body } = await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json });
  expect(status).toBe(200);
  return body.taskId;
}
const taskOf = async (id: number): Promise<TaskDetail> =>
  (await fixture.call<TaskDetail>("GET", `/v1/tasks/${id}`)).body;
const report = (credential: string, taskId: number, state = "complete") =>
  fixture.call("POST", "/v1/agent/progress", {
    credential,
    json: {
      reports: [
        {
          taskId,
          state,
          role: "none",
          term: 0,
          bytesTotal: 4,
          bytesVerified: 4,
          from: { wan: 4, multicast: 0, peers: 0, cache: 0 },
          wanBytesFetched: 4,
          lanBytesSent: 0,
          rateBps: 0,
          way: "none",
          reasons: [],
          command: null,
          follows: null,
          wrongFrom: [],
          receivedFrom: [],
          attempt: 1,
        },
      ],
    },
  });

describe("an enrolment", () => {
  test("of a machine that is known takes over its row, bars the old credential and waits for approval", async () => {
    const old = await joined(machineA, "1");
    await tag(old.deviceId, "lab");
    await publish("tool");
    const done = await createTask("tool");
    await report(old.credential, done);
    const again = await joined(machineA, "2");
    expect(again.deviceId).toBe(old.deviceId);
    expect((await checkIn(old.credential)).body).toMatchObject({ code: "device-replaced" });
    expect((await checkIn(old.credential)).status).toBe(403);
    expect(await listed()).toMatchObject([{ id: old.deviceId, state: "suspended", tags: ["lab"] }]);
    expect(await refusedBy("device-replaced")).toBe(2);
    expect((await taskOf(done)).devices).toMatchObject({ total: 1, complete: 1 });
    const grouped = await createTask("tool", { target: "group:lab" });
    expect((await taskOf(grouped)).devices.total).toBe(0);
    expect((await checkIn(again.credential)).body.tasks.map(({ id }) => id)).not.toContain(grouped);
    await fixture.call("POST", "/v1/devices/h/approve");
    expect((await checkIn(again.credential)).body.tasks.map(({ id }) => id)).toContain(grouped);
    expect(await show("h")).toMatchObject({ state: "active", takenOverAtMs: fixture.clock.nowMs });
    expect(await eventsOf()).toEqual({ enrolled: 1, "taken-over": 1, approved: 1 });
  });

  test("that waits for approval has no group by its own wish where wishes count", async () => {
    await fixture.close();
    fixture = await openFixture({ acceptsWishes: true });
    const { deviceId } = await joined(machineA, "1", ["lab"]);
    expect(await matching("tag=lab")).toEqual([deviceId]);
    await joined(machineA, "2", ["lab"]);
    expect(await matching("tag=lab")).toEqual([]);
    await fixture.call("POST", "/v1/devices/h/approve");
    expect(await matching("tag=lab")).toEqual([deviceId]);
  });

  test("needs no approval where the source says so", async () => {
    await fixture.close();
    fixture = await openFixture({ approvesTakeovers: true });
    await joined(machineA, "1");
    await joined(machineA, "2");
    expect(await listed()).toMatchObject([{ state: "active" }]);
  });

  test("gets a row of its own without an identity, or with another one", async () => {
    await joined(null, "1");
    await joined(null, "2");
    await joined(machineA, "3");
    await joined(machineB, "4");
    expect(await listed()).toHaveLength(4);
  });

  test("gets a row of its own while the device of its identity answers, and that of one that does not", async () => {
    const old = await joined(machineA, "1");
    const stream = fixture.changeHub.open(old.deviceId).getReader();
    const reader = (async () => {
      for (;;) {
        const { value, done } = await stream.read();
        if (done) return;
        if (new TextDecoder().decode(value).includes("wake")) await checkIn(old.credential);
      }
    })();
    const other = await joined(machineA, "2");
    expect(other.deviceId).not.toBe(old.deviceId);
    await stream.cancel();
    await reader;
    // The stream is open, but nobody reads the events.
    const single = await joined(machineB, "3");
    fixture.changeHub.open(single.deviceId);
    expect((await joined(machineB, "4")).deviceId).toBe(single.deviceId);
  }, 30_000);

  test("that is repeated by the process whose answer was lost gives the same id", async () => {
    const lost = await enrol("h", machineA, "1");
    const again = await enrol("h", machineA, "1");
    expect(again.deviceId).toBe(lost.deviceId);
    expect((await checkIn(lost.credential)).status).toBe(403);
    expect((await checkIn(again.credential)).status).toBe(200);
    expect(await listed()).toMatchObject([{ state: "active" }]);
    // Another process of the same image enrols before the first one has checked in.
    const first = await enrol("h", machineB, "2");
    expect((await enrol("h", machineB, "3")).deviceId).not.toBe(first.deviceId);
  });

  test("shows the identity of the machine in no answer", async () => {
    const { deviceId } = await joined(machineA, "1");
    for (const path of [
      "/v1/devices",
      `/v1/devices/${deviceId}`,
      `/v1/devices/${deviceId}/tasks`,
      "/metrics",
    ])
      expect(await (await fixture.raw("GET", path)).text()).not.toContain(machineA);
  });
});

const clone = (credential: string, instance: string) =>
  fixture.call<EnrollResponse & Refusal>("POST", "/v1/agent/enroll/clone", {
    credential,
    json: {
      hostname: "h",
      os: "o",
      arch: "a",
      agentVersion: "1",
      machine: null,
      instance: instanceOf(instance),
    },
  });

describe("two agents with one credential", () => {
  test("are refused when they alternate, and each gets one row", async () => {
    const { credential, deviceId } = await joined(machineA, "1");
    const instance = (digit: string) => checkIn(credential, { instance: instanceOf(digit) });
    expect((await clone(credential, "1")).status).toBe(401);
    expect((await instance("2")).status).toBe(200);
    expect(await instance("1")).toMatchObject({ status: 403, body: { code: "device-cloned" } });
    expect(await instance("2")).toMatchObject({ status: 403, body: { code: "device-cloned" } });
    const one = await clone(credential, "1");
    const two = await clone(credential, "2");
    expect(new Set([deviceId, one.body.deviceId, two.body.deviceId]).size).toBe(3);
    // Asked again because the answer was lost.
    const repeated = await clone(credential, "1");
    expect(repeated.body.deviceId).toBe(one.body.deviceId);
    expect((await checkIn(one.body.credential)).status).toBe(401);
    expect((await checkIn(repeated.body.credential)).status).toBe(200);
    expect((await clone(credential, "1")).status).toBe(409);
    expect((await listed()).map(({ id }) => id).toSorted()).toEqual(
      [one.body.deviceId, two.body.deviceId].toSorted(),
    );
    expect(await show(deviceId)).toMatchObject({ state: "removed", removedWhy: "cloned" });
    expect(await eventsOf()).toMatchObject({ cloned: 1, "clone-enrolled": 3 });
    fixture.clock.nowMs += 31 * day;
    expect((await clone(credential, "3")).body).toMatchObject({ code: "device-removed" });
  });

  test("of a removed device get none", async () => {
    const { credential, deviceId } = await joined(machineA, "1");
    await remove(deviceId);
    expect(await clone(credential, "1")).toMatchObject({ status: 403, body: { code: "device-removed" } });
  });
});

describe("a removed device", () => {
  test("is refused with a code, loses its event stream, and is found by its id only", async () => {
    const { credential, deviceId } = await joined(machineA, "1");
    const stream = fixture.changeHub.open(deviceId).getReader();
    await stream.read();
    expect((await remove(deviceId)).status).toBe(200);
    expect(new TextDecoder().decode((await stream.read()).value)).toContain("event: wake");
    expect((await stream.read()).done).toBe(true);
    for (const path of ["/v1/agent/check-in", "/v1/agent/progress", "/v1/agent/lease"])
      expect(await fixture.call("POST", path, { credential, json: {} })).toMatchObject({
        status: 403,
        body: { code: "device-removed" },
      });
    expect(await listed()).toEqual([]);
    expect(await show(deviceId)).toMatchObject({ state: "removed", removedWhy: "removed" });
    expect((await remove(deviceId)).status).toBe(409);
    expect((await fixture.call("POST", "/v1/tasks", { json: {} })).status).toBe(400);
    const again = await joined(machineA, "2");
    expect(again.deviceId).not.toBe(deviceId);
    expect(await show("h")).toMatchObject({ id: again.deviceId, state: "suspended" });
  });

  test("counts in tasks that it had ended, or that ended before, and in no other", async () => {
    const stays = await joined(machineA, "1");
    const goes = await joined(machineB, "2");
    for (const name of ["ended", "reported", "waiting"]) await publish(name);
    const ended = await createTask("ended");
    for (const { credential } of [stays, goes]) await report(credential, ended);
    await fixture.endTasks();
    const reported = await createTask("reported");
    await report(goes.credential, reported, "failed");
    const waiting = await createTask("waiting");
    await report(goes.credential, waiting, "downloading");
    fixture.clock.nowMs += 1_000;
    await remove(goes.deviceId);
    for (const taskId of [reported, waiting]) await report(stays.credential, taskId);
    await fixture.endTasks();
    const counts = (await fixture.call<{ tasks: TaskSummary[] }>("GET", "/v1/tasks")).body.tasks.map(
      ({ state, devices }) => [state, devices.total, devices.complete, devices.failed],
    );
    expect(counts).toEqual([
      ["done", 2, 2, 0],
      ["running", 2, 1, 1],
      ["done", 1, 1, 0],
    ]);
  });

  test("is deleted after 90 days, unless a task has its report", async () => {
    const [one, two] = [await joined(machineA, "1"), await joined(machineB, "2")];
    await publish("tool");
    const taskId = await createTask("tool");
    await report(two.credential, taskId);
    for (const { deviceId } of [one, two]) await remove(deviceId);
    fixture.clock.nowMs += 91 * day;
    await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
    expect((await fixture.call("GET", `/v1/devices/${one.deviceId}`)).status).toBe(404);
    expect((await show(two.deviceId)).state).toBe("removed");
  });
});

test("devices that were not seen for the time of deviceExpiry are removed, and may enrol again", async () => {
  const old = await joined(machineA, "1");
  fixture.clock.nowMs += 20 * day;
  const fresh = await joined(machineB, "2");
  fixture.clock.nowMs += 20 * day;
  await checkIn(fresh.credential);
  const expire = () => removeUnseenDevices({ ...fixture, nowMs: () => fixture.clock.nowMs });
  await expire();
  expect(await listed()).toHaveLength(2);
  await fixture.call("PATCH", "/v1/settings/default", {
    json: { set: { deviceExpiryMs: 30 * day } },
  });
  await expire();
  expect((await listed()).map(({ id }) => id)).toEqual([fresh.deviceId]);
  expect((await checkIn(old.credential)).body.code).toBe("device-removed");
  expect((await joined(machineA, "3")).deviceId).toBe(old.deviceId);
  // A connected device is seen, also without a request.
  fixture.clock.nowMs += 40 * day;
  fixture.changeHub.open(fresh.deviceId);
  await expire();
  expect((await listed()).map(({ id }) => id)).toEqual([fresh.deviceId]);
});

test("after an outage of the source no device expires before it had the whole time again", async () => {
  const { deviceId, credential } = await joined(machineA, "1");
  const { deviceId: other } = await joined(machineB, "2");
  await fixture.call("PATCH", "/v1/settings/default", {
    json: { set: { deviceExpiryMs: 30 * day } },
  });
  const expire = () => removeUnseenDevices({ ...fixture, nowMs: () => fixture.clock.nowMs });
  fixture.clock.nowMs += 100 * day;
  await expire();
  await checkIn(credential);
  fixture.clock.nowMs += 29 * day;
  await checkIn(credential);
  await expire();
  expect((await listed()).map(({ id }) => id).toSorted()).toEqual([deviceId, other].toSorted());
  fixture.clock.nowMs += day;
  await checkIn(credential);
  await expire();
  expect((await listed()).map(({ id }) => id)).toEqual([deviceId]);
});

describe("a device that was not seen since before a task", () => {
  test("does not count, and opens the task again when it is back", async () => {
    const [up, away] = [await joined(machineA, "1"), await joined(machineB, "2")];
    await publish("tool");
    const seenAtMs = fixture.clock.nowMs;
    fixture.clock.nowMs += hour;
    const taskId = await createTask("tool");
    await checkIn(up.credential);
    expect(await taskOf(taskId)).toMatchObject({
      devices: { total: 1, absent: 1 },
      absentSinceMs: seenAtMs,
      absentList: [{ deviceId: away.deviceId, lastSeenAtMs: seenAtMs }],
    });
    await report(up.credential, taskId);
    await fixture.endTasks();
    expect(await taskOf(taskId)).toMatchObject({ state: "done", devices: { total: 1, absent: 1 } });
    fixture.clock.nowMs += hour;
    expect((await checkIn(away.credential)).body.tasks).toMatchObject([{ id: taskId }]);
    expect(await taskOf(taskId)).toMatchObject({
      state: "running",
      devices: { total: 2, complete: 1, absent: 0 },
    });
    await report(away.credential, taskId);
    await fixture.endTasks();
    expect(await taskOf(taskId)).toMatchObject({ state: "done", devices: { total: 2, complete: 2 } });
  });

  test("does not open a task that has expired", async () => {
    const [up, away] = [await joined(machineA, "1"), await joined(machineB, "2")];
    await publish("tool");
    fixture.clock.nowMs += hour;
    const taskId = await createTask("tool", { expiresAtMs: fixture.clock.nowMs + hour });
    await checkIn(up.credential);
    await report(up.credential, taskId);
    await fixture.endTasks();
    fixture.clock.nowMs += 2 * hour;
    expect((await checkIn(away.credential)).body.tasks).toEqual([]);
    expect((await taskOf(taskId)).state).toBe("done");
  });

  test("counts when it is connected, or had a minute to connect again", async () => {
    const [connected, recent] = [await joined(machineA, "1"), await joined(machineB, "2")];
    await publish("tool");
    fixture.clock.nowMs += 59_000;
    const first = await createTask("tool");
    expect((await taskOf(first)).devices).toMatchObject({ total: 2, absent: 0 });
    fixture.clock.nowMs += 2_000;
    fixture.changeHub.open(connected.deviceId);
    const second = await createTask("tool");
    expect((await taskOf(second)).absentList.map(({ deviceId }) => deviceId)).toEqual([recent.deviceId]);
  });

  test("holds a task without any other device open", async () => {
    await joined(machineA, "1");
    await publish("tool");
    fixture.clock.nowMs += hour;
    const taskId = await createTask("tool");
    await fixture.endTasks();
    expect(await taskOf(taskId)).toMatchObject({ state: "running", devices: { total: 0, absent: 1 } });
  });
});

describe("an administrator", () => {
  test("finds a device by a name that is unique, else is told the ids", async () => {
    const [one, two] = [await joined(machineA, "1"), await joined(machineB, "2")];
    const refused = await fixture.call<Refusal>("GET", "/v1/devices/H");
    expect([refused.status, refused.body.error]).toEqual([409, '2 devices are named "H"']);
    for (const { deviceId } of [one, two]) expect(refused.body.hint).toContain(deviceId);
    const renamed = await fixture.call<Device>("PATCH", `/v1/devices/${one.deviceId}`, {
      json: { name: "Desk 1" },
    });
    expect(renamed.body).toMatchObject({ name: "Desk 1", hostname: "h" });
    expect((await show("desk 1")).id).toBe(one.deviceId);
    expect(await matching('name="desk 1"')).toEqual([one.deviceId]);
    expect(await tag("h", "Desk-1")).toBe(200);
    await fixture.call("PATCH", `/v1/devices/${one.deviceId}`, { json: { name: "Desk-2" } });
    expect(await tag(two.deviceId, "desk-2")).toBe(409);
    expect(await matching("desk-2")).toEqual([one.deviceId]);
    await fixture.call("PATCH", `/v1/devices/${one.deviceId}`, { json: { name: "Desk 1" } });
    await remove("desk 1");
    expect((await show("h")).id).toBe(two.deviceId);
    expect(await matching("tag=desk-1")).toEqual([two.deviceId]);
    expect((await fixture.call<Refusal>("GET", "/v1/devices/nobody")).status).toBe(404);
    const unnamed = await fixture.call<Device>("PATCH", `/v1/devices/${two.deviceId}`, {
      json: { name: null },
    });
    expect(unnamed.body.name).toBeNull();
  });

  test("sees the tasks of a device, the last report first", async () => {
    const { credential, deviceId } = await joined(machineA, "1");
    for (const name of ["one", "two"]) await publish(name);
    const [first, second] = [await createTask("one"), await createTask("two")];
    await report(credential, second);
    fixture.clock.nowMs += 1_000;
    await report(credential, first, "failed");
    const tasks = async (limit: number): Promise<DeviceTask[]> =>
      (await fixture.call<{ tasks: DeviceTask[] }>("GET", `/v1/devices/h/tasks?limit=${limit}`)).body.tasks;
    expect(await tasks(10)).toMatchObject([
      { taskId: first, packageName: "one", state: "failed", runs: null },
      { taskId: second, packageName: "two", state: "complete" },
    ]);
    expect(await tasks(1)).toHaveLength(1);
    expect((await fixture.call("GET", `/v1/devices/${deviceId}/tasks?limit=0`)).status).toBe(400);
  });

  test("sees which devices have a package, ran it, or lack it", async () => {
    const holds = await joined(machineA, "1");
    const ran = await joined(machineB, "2");
    const lacks = await joined(null, "3");
    const packageId = await publish("tool");
    fixture.clock.nowMs += 1_000;
    await checkIn(holds.credential, { packages: [packageId] });
    await checkIn(ran.credential);
    const taskId = await createTask("tool", {
      action: "run",
      command: "true",
      target: `device:${ran.deviceId}`,
    });
    await report(ran.credential, taskId);
    fixture.clock.nowMs += 1_000;
    // The package was evicted since.
    await checkIn(ran.credential);
    const devicesOf = async (lacking: boolean) =>
      (await fixture.call<PackageDevices>("GET", `/v1/packages/tool@1/devices?lacking=${lacking}`)).body
        .devices;
    const having = new Map((await devicesOf(false)).map((one) => [one.deviceId, one]));
    expect(having.size).toBe(2);
    expect(having.get(holds.deviceId)).toMatchObject({ cached: true, run: null });
    expect(having.get(ran.deviceId)).toMatchObject({ cached: false, run: "complete", runTaskId: taskId });
    expect((await devicesOf(true)).map(({ deviceId }) => deviceId)).toEqual([lacks.deviceId]);
    const pre = await createTask("tool");
    await report(lacks.credential, pre);
    expect(await devicesOf(true)).toEqual([]);
  });
});
