/** Life of a task: end, expiry, supersession, and the changes of an administrator. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type {
  PackageRemoved,
  PublishResponse,
  TaskChanged,
  TaskDetail,
  TaskRetried,
  TaskSummary,
} from "../api/schema/admin.ts";
import type { Device } from "../api/schema/device.ts";
import { reason } from "../model/reason.ts";
import type { AgentTask, CheckInResponse } from "../api/schema/agent.ts";
import { taskExpiryMs } from "../model/task-life.ts";
import { inventoryOf, openFixture, reportOf, type Fixture, type TestDevice } from "./app-fixture.ts";
import { removeExpired } from "./retention.ts";

const day = 86_400_000;
let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

async function publish(version: string, name = "editor"): Promise<string> {
  const path = join(fixture.folder, "tool.bin");
  const content = `${name} ${version}`;
  await writeFile(path, content);
  const { json } = await fixture.signedPackage(path, { name, version });
  const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: content });
  return body.packageId;
}
async function create(what: string, more: Record<string, unknown> = {}): Promise<number> {
  const task = { package: what, action: "run", command: "./install", setting: null, target: "all" };
  const json = { ...task, startAtMs: null, ...more };
  const answer = await fixture.call<TaskChanged>("POST", "/v1/tasks", { json });
  expect(answer.status).toBe(200);
  return answer.body.taskId;
}
/** Creates a task for each version, and publishes it. */
async function createAll(...versions: string[]): Promise<number[]> {
  const ids: number[] = [];
  for (const version of versions) {
    await publish(version);
    ids.push(await create(`editor@${version}`));
  }
  return ids;
}
const change = <T = TaskChanged>(taskId: number, verb: string) =>
  fixture.call<T>("POST", `/v1/tasks/${taskId}/${verb}`);
const edit = (taskId: number, json: Record<string, unknown>) =>
  fixture.call<TaskChanged>("PATCH", `/v1/tasks/${taskId}`, { json });
const send = (device: TestDevice, ...reports: unknown[]) =>
  fixture.call("POST", "/v1/agent/progress", { credential: device.credential, json: { reports } });
async function assigned(device: TestDevice, serving: number[] = []): Promise<readonly AgentTask[]> {
  const json = { inventory: inventoryOf("h", "10.0.0.5"), serving };
  const init = { credential: device.credential, json };
  const { body } = await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", init);
  return fixture.obeyedBy("h", body).tasks;
}
const ids = async (device: TestDevice, serving: number[] = []): Promise<number[]> =>
  (await assigned(device, serving)).map(({ id }) => id);
const shown = async (taskId: number, devices = "all"): Promise<TaskDetail> =>
  (await fixture.call<TaskDetail>("GET", `/v1/tasks/${taskId}?devices=${devices}`)).body;
const states = async (): Promise<string[]> => {
  const { body } = await fixture.call<{ tasks: TaskSummary[] }>("GET", "/v1/tasks");
  return body.tasks.map(({ state, endedWhy }) => (endedWhy === null ? state : `${state}: ${endedWhy}`));
};
const exitedWith = (exitCode: number) => ({
  exitCode,
  timedOut: false,
  outputTail: "no licence\n",
  meaning: "failed" as const,
  runs: 1,
  startedAtMs: null,
  endedAtMs: null,
});

describe("a task", () => {
  test("is done when every targeted device is complete, and goes to no device that enrols later", async () => {
    await publish("1");
    const taskId = await create("editor");
    await fixture.endTasks();
    expect(await states()).toEqual(["running"]);
    const [first, second] = [await fixture.device("h1"), await fixture.device("h2")];
    await send(first, reportOf(taskId, "complete"));
    await fixture.endTasks();
    expect(await states()).toEqual(["running"]);
    await send(second, reportOf(taskId, "complete"));
    await fixture.endTasks();
    expect(await states()).toEqual(["done: complete"]);
    fixture.clock.nowMs += 1_000;
    const later = await fixture.device("h3");
    expect(await ids(later)).toEqual([]);
    expect((await shown(taskId)).devices).toMatchObject({ total: 2, complete: 2 });
    const { credential, subnetId } = later;
    const json = { taskId, subnetId, address: "10.0.0.5", lanPort: 5, term: 1 };
    expect((await fixture.call("POST", "/v1/agent/lease", { credential, json })).status).toBe(409);
  });

  test("expires 90 days after its start, or when it says, and no device gets it from then on", async () => {
    await publish("1");
    const device = await fixture.device("h1");
    const startAtMs = fixture.clock.nowMs + day;
    const usual = await create("editor", { startAtMs });
    const short = await create("editor", { command: "x", expiresAtMs: fixture.clock.nowMs + 2 * day });
    expect((await shown(usual)).expiresAtMs).toBe(startAtMs + taskExpiryMs);
    expect(await states()).toEqual(["scheduled", "running"]);
    expect((await assigned(device)).map((task) => task.expiresAtMs)).toEqual([
      startAtMs + taskExpiryMs,
      fixture.clock.nowMs + 2 * day,
    ]);
    fixture.clock.nowMs += 2 * day;
    expect(await ids(device)).toEqual([usual]);
    await fixture.endTasks();
    expect(await states()).toEqual(["running", "ended: expired"]);
    expect((await shown(short)).deviceList[0]).toMatchObject({ state: "expired" });
    fixture.clock.nowMs = startAtMs + taskExpiryMs;
    expect(await ids(device)).toEqual([]);
    const tooEarly = await fixture.call("POST", "/v1/tasks", {
      json: {
        package: "editor",
        action: "pre-cache",
        setting: null,
        target: "all",
        startAtMs: null,
        expiresAtMs: 5,
      },
    });
    expect(tooEarly.status).toBe(422);
  });

  test("is removed with its reports 90 days after its end", async () => {
    await publish("1");
    const device = await fixture.device("h1");
    const taskId = await create("editor");
    await send(device, reportOf(taskId, "complete"));
    await fixture.endTasks();
    fixture.clock.nowMs += 90 * day;
    await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
    expect(await states()).toEqual(["done: complete"]);
    fixture.clock.nowMs += 1;
    await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
    expect(await states()).toEqual([]);
  });
});

describe("a task of a higher version", () => {
  test("is the only one that a device gets which enrols after twelve monthly versions", async () => {
    const versions = Array.from({ length: 12 }, (_, month) => `2026.${month + 1}`);
    const all = await createAll(...versions);
    const device = await fixture.device("h1");
    expect(await ids(device)).toEqual([all[11]!]);
    expect((await shown(all[0]!)).deviceList[0]).toMatchObject({
      state: "superseded",
      reasons: [reason("higher-version-runs", { version: "2026.12", taskId: 12 })],
    });
    await send(device, reportOf(all[11]!, "complete"));
    await fixture.endTasks();
    await fixture.endTasks();
    expect(await states()).toEqual([...Array<string>(11).fill("ended: superseded"), "done: complete"]);
  });

  test("supersedes whatever the order of creation, also after it is done", async () => {
    const [high] = await createAll("2.0", "1.0");
    const device = await fixture.device("h1");
    expect(await ids(device)).toEqual([high!]);
    await send(device, reportOf(high!, "complete"));
    await fixture.endTasks();
    expect(await ids(device)).toEqual([]);
    await fixture.endTasks();
    expect(await states()).toEqual(["done: complete", "ended: superseded"]);
    const again = await create("editor@1.0");
    const wanted = await create("editor@1.0", { allowDowngrade: true });
    expect(await assigned(device)).toMatchObject([{ id: wanted, allowDowngrade: true }]);
    expect((await shown(again)).devices).toMatchObject({ total: 1, superseded: 1 });
  });

  test("supersedes an upgrade of the agent by a higher one, also after it is done, and no command", async () => {
    const upgrade = { action: "upgrade", command: null };
    const [command] = await createAll("1.0");
    const low = await create("editor@1.0", upgrade);
    await publish("2.0");
    const high = await create("editor@2.0", upgrade);
    const device = await fixture.device("h1");
    expect(await ids(device)).toEqual([command!, high]);
    await send(device, reportOf(high, "complete"));
    await fixture.endTasks();
    expect(await ids(device)).toEqual([command!]);
    expect((await shown(low)).devices).toMatchObject({ total: 1, superseded: 1 });
  });

  test("supersedes no task whose command has begun, and none before its own start or while it is paused", async () => {
    const [low] = await createAll("1.0");
    const [begun, fresh] = [await fixture.device("h1"), await fixture.device("h2")];
    await send(begun, reportOf(low!, "running"));
    await publish("2.0");
    const high = await create("editor@2.0", { startAtMs: fixture.clock.nowMs + day });
    expect(await ids(fresh)).toEqual([low!, high]);
    fixture.clock.nowMs += day;
    expect([await ids(begun), await ids(fresh)]).toEqual([[low!, high], [high]]);
    await change(high, "pause");
    expect(await ids(fresh)).toEqual([low!, high]);
    await change(high, "resume");
    await send(begun, reportOf(low!, "failed", { command: exitedWith(7) }));
    expect(await ids(begun)).toEqual([low!, high]);
  });
});

test("every change of a task is in the OpenAPI document", async () => {
  const { body } = await fixture.call<{ paths: Record<string, object> }>("GET", "/openapi.json");
  for (const verb of ["cancel", "pause", "resume", "retry", "start-now"])
    expect(body.paths[`/v1/tasks/{id}/${verb}`]).toHaveProperty("post");
  expect(body.paths["/v1/tasks/{id}"]).toMatchObject({ get: {}, patch: { requestBody: {} }, delete: {} });
  expect(body.paths["/v1/packages/{id}"]).toHaveProperty("delete");
});

describe("an administrator", () => {
  test("repeats a task on the devices that failed only, as their next attempt", async () => {
    await publish("1");
    const [good, bad] = [await fixture.device("h1"), await fixture.device("h2")];
    const taskId = await create("editor");
    await send(good, reportOf(taskId, "complete", { command: exitedWith(0) }));
    const failure = reportOf(taskId, "failed", { command: exitedWith(7) });
    await send(bad, failure);
    const retried = await change<TaskRetried>(taskId, "retry");
    expect(retried.body).toEqual({ taskId, retried: [bad.id], isSigned: true });
    expect(await assigned(bad)).toMatchObject([{ id: taskId, attempt: 2 }]);
    expect(await ids(good)).toEqual([]);
    // The device repeats its old report, because the source listed the task.
    await send(bad, failure);
    const [waiting] = (await shown(taskId, "unfinished")).deviceList;
    expect(waiting).toMatchObject({ deviceId: bad.id, state: "pending", attempt: 2, command: null });
    await send(bad, reportOf(taskId, "complete", { attempt: 2, command: exitedWith(0) }));
    await fixture.endTasks();
    expect(await states()).toEqual(["done: complete"]);
    expect((await change(taskId, "retry")).status).toBe(409);
  });

  test("widens a task that is done from the pilot to all, under the same id", async () => {
    await publish("1");
    const pilot = await fixture.device("h1");
    const taskId = await create("editor", { target: `device:${pilot.id}` });
    await send(pilot, reportOf(taskId, "complete"));
    await fixture.endTasks();
    const other = await fixture.device("h2");
    await fixture.call("POST", "/v1/settings", { json: { name: "slow" } });
    const { body } = await edit(taskId, { target: "all", setting: "slow" });
    expect(body).toEqual({
      taskId,
      version: 2,
      state: "running",
      devices: 2,
      isSigned: true,
      warnings: [],
    });
    await fixture.endTasks();
    expect(await ids(pilot)).toEqual([]);
    expect(await assigned(other)).toMatchObject([{ id: taskId, setting: { name: "slow" } }]);
    const refusals = await Promise.all([
      edit(taskId, { setting: "none-such" }),
      edit(taskId, { target: "everyone" }),
      edit(taskId, { expiresAtMs: 5 }),
      edit(taskId, { command: "other" }),
    ]);
    expect(refusals.map(({ status }) => status)).toEqual([404, 404, 422, 400]);
    await change(taskId, "cancel");
    expect((await edit(taskId, { target: "all" })).status).toBe(409);
  });

  test("changes start, deadline and programs of a task, and refuses times in the wrong order", async () => {
    await publish("1");
    const device = await fixture.device("h1");
    const startAtMs = fixture.clock.nowMs + day;
    const conditions = { deadlineAtMs: startAtMs + 1, notWhile: ["EXCEL.EXE"] };
    const taskId = await create("editor", { startAtMs, ...conditions });
    expect(await assigned(device)).toMatchObject([{ startAtMs, startIsLocal: false, ...conditions }]);
    const later = { startAtMs: startAtMs + day, startIsLocal: true };
    const more = { deadlineAtMs: startAtMs + 3 * day, notWhile: ["soffice.bin", "x"] };
    expect((await edit(taskId, { ...later, ...more })).body).toMatchObject({ version: 2 });
    expect(await assigned(device)).toMatchObject([{ ...later, ...more }]);
    expect(await shown(taskId)).toMatchObject({ ...later, ...more });
    // A start without a word about clocks is one for all devices at a time.
    await edit(taskId, { startAtMs, notWhile: [], deadlineAtMs: null });
    const plain = { startAtMs, startIsLocal: false, notWhile: [], deadlineAtMs: null };
    expect(await assigned(device)).toMatchObject([plain]);
    for (const wrong of [
      { deadlineAtMs: startAtMs },
      { deadlineAtMs: startAtMs + 91 * day },
      { startAtMs: startAtMs + 2 * day, deadlineAtMs: startAtMs + day },
      { deadlineAtMs: startAtMs + 2 * day, expiresAtMs: startAtMs + day },
    ])
      expect([wrong, (await edit(taskId, wrong)).status]).toEqual([wrong, 422]);
  });

  test("counts a task with a start on each device's clock as started in the first zone of the world", async () => {
    await publish("1");
    const hour = 3_600_000;
    const startAtMs = fixture.clock.nowMs + day;
    const taskId = await create("editor", { startAtMs, startIsLocal: true });
    const firstMs = startAtMs - 14 * hour;
    expect(await shown(taskId)).toMatchObject({ state: "scheduled", expiresAtMs: firstMs + taskExpiryMs });
    fixture.clock.nowMs = firstMs - 1;
    expect((await shown(taskId)).state).toBe("scheduled");
    fixture.clock.nowMs = firstMs;
    expect((await shown(taskId)).state).toBe("running");
    // Devices of other zones still wait, so it can be started at once.
    fixture.clock.nowMs = startAtMs + 12 * hour - 1;
    expect((await change(taskId, "start-now")).body.version).toBe(2);
    expect(await shown(taskId)).toMatchObject({ startAtMs: fixture.clock.nowMs, startIsLocal: false });
  });

  test("pauses and resumes a task, and starts a scheduled one at once", async () => {
    await publish("1");
    const device = await fixture.device("h1");
    const taskId = await create("editor", { startAtMs: fixture.clock.nowMs + day });
    expect((await change(taskId, "start-now")).body).toMatchObject({ state: "running", version: 2 });
    expect((await change(taskId, "pause")).body).toMatchObject({ state: "paused" });
    expect(await assigned(device)).toMatchObject([{ paused: true, startAtMs: fixture.clock.nowMs }]);
    const { credential, subnetId } = device;
    const json = { taskId, subnetId, address: "10.0.0.5", lanPort: 5, term: 1 };
    const lease = () => fixture.call("POST", "/v1/agent/lease", { credential, json });
    expect((await lease()).status).toBe(409);
    expect((await change(taskId, "resume")).body).toMatchObject({ state: "running" });
    expect((await lease()).status).toBe(200);
    await change(taskId, "cancel");
    for (const verb of ["pause", "resume", "start-now", "retry"])
      expect(await change(taskId, verb)).toMatchObject({
        status: 409,
        body: { error: "Task 1 is cancelled" },
      });
  });

  test("is told the number of devices that a target matches, and which unfinished ones are offline", async () => {
    await publish("1");
    const [online, offline] = [await fixture.device("h1"), await fixture.device("h2")];
    const json = { package: "editor", action: "pre-cache", setting: null, startAtMs: null };
    const none = await fixture.call("POST", "/v1/tasks", { json: { ...json, target: "group:nobody" } });
    expect(none.body).toMatchObject({ devices: 0 });
    const all = await fixture.call<TaskChanged>("POST", "/v1/tasks", { json: { ...json, target: "all" } });
    expect(all.body.devices).toBe(2);
    const { credential } = online;
    const events = await fixture.raw("GET", "/v1/agent/events", { credential });
    const reader = events.body!.getReader();
    await reader.read();
    const { devices, subnets, deviceList } = await shown(all.body.taskId, "unfinished");
    expect([devices.offline, subnets[0]!.offline]).toEqual([1, 1]);
    expect(
      deviceList.map(({ deviceId, connected, lastSeenAtMs }) => [deviceId, connected, lastSeenAtMs]),
    ).toEqual(
      expect.arrayContaining([
        [online.id, true, fixture.clock.nowMs],
        [offline.id, false, fixture.clock.nowMs],
      ]),
    );
    // A connection counts as a contact until it ends.
    fixture.clock.nowMs += day;
    const seen = async () =>
      (await fixture.call<{ devices: Device[] }>("GET", "/v1/devices")).body.devices.map(
        ({ id, connected, lastSeenAtMs }) => [
          id === online.id,
          connected,
          fixture.clock.nowMs - lastSeenAtMs,
        ],
      );
    expect(await seen()).toEqual(
      expect.arrayContaining([
        [true, true, 0],
        [false, false, day],
      ]),
    );
    await reader.cancel();
    fixture.clock.nowMs += 1_000;
    expect(await seen()).toEqual(expect.arrayContaining([[true, false, 1_000]]));
  });

  test("removes ended and cancelled tasks, and packages that no open task needs", async () => {
    const packageId = await publish("1");
    const device = await fixture.device("h1");
    const [open, done] = [await create("editor"), await create("editor", { command: "other" })];
    await send(device, reportOf(done, "complete"));
    await fixture.endTasks();
    const remove = <T>(path: string) => fixture.call<T>("DELETE", path);
    expect((await remove(`/v1/tasks/${open}`)).status).toBe(409);
    expect(await remove("/v1/packages/editor@1")).toMatchObject({
      status: 409,
      body: { error: `Open tasks need editor@1: ${open}` },
    });
    await change(open, "cancel");
    expect((await remove("/v1/packages/editor")).status).toBe(400);
    const content = join(fixture.folder, "packages", packageId);
    expect(existsSync(content)).toBe(true);
    const removed = await remove<PackageRemoved>("/v1/packages/Editor@1");
    expect(removed.body).toEqual({ packageId, name: "editor", version: "1" });
    expect(existsSync(content)).toBe(false);
    // Tasks outlast their package, and cannot be opened again.
    expect(await states()).toEqual(["cancelled", "done: complete"]);
    expect((await shown(done)).packageName).toBe("editor");
    expect((await edit(done, { target: "all" })).status).toBe(409);
    const { credential, subnetId } = device;
    const json = { taskId: done, subnetId, failure: null };
    expect((await fixture.call("POST", "/v1/agent/lease/release", { credential, json })).status).toBe(200);
    for (const id of [open, done]) expect((await remove(`/v1/tasks/${id}`)).status).toBe(200);
    expect(await states()).toEqual([]);
    // A removed version may be published again.
    expect(await publish("1")).toBe(packageId);
  });
});

test("the source keeps the newest versions of a package, and those that an open task needs", async () => {
  await fixture.close();
  fixture = await openFixture({ keepVersions: 2 });
  const names = async (): Promise<string[]> =>
    (await fixture.catalog.packages.list()).map(({ name, version }) => `${name} ${version}`).toSorted();
  await publish("1.9");
  const needed = await create("editor");
  for (const version of ["1.10", "1.8", "2.0"]) await publish(version);
  await publish("1", "viewer");
  expect(await names()).toEqual(["editor 1.10", "editor 1.9", "editor 2.0", "viewer 1"]);
  await change(needed, "cancel");
  await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
  expect(await names()).toEqual(["editor 1.10", "editor 2.0", "viewer 1"]);
});
