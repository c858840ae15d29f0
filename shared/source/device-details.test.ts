/** History, cache and log of a device over the real API: notes, bounds, scopes and ends. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckInResponse } from "../api/schema/agent.ts";
import {
  deviceEventsMax,
  logBytesMax,
  logLinesMax,
  type DeviceCache,
  type DeviceHistory,
  type DeviceLog,
} from "../api/schema/device-detail.ts";
import type { Progress } from "../api/schema/common.ts";
import { eventText } from "../model/device-event.ts";
import { inventoryOf, openFixture, reportOf, type Fixture, type TestDevice } from "./app-fixture.ts";
import { logMs, logRequestMs, removeOldLogs } from "./device-log-life.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

async function createTask(): Promise<number> {
  const path = join(fixture.folder, "file");
  await writeFile(path, "bytes");
  const { json } = await fixture.signedPackage(path, { name: "editor", version: "1" });
  const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: "bytes" });
  const task = { package: "editor", action: "pre-cache", setting: null, target: "all", startAtMs: null };
  return (await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json: task })).body.taskId;
}

async function report(
  { credential }: TestDevice,
  taskId: number,
  state: Progress["state"],
  more: Partial<Progress> = {},
): Promise<void> {
  fixture.clock.nowMs += 1_000;
  const json = { reports: [reportOf(taskId, state, more)] };
  expect((await fixture.call("POST", "/v1/agent/progress", { credential, json })).status).toBe(200);
}

async function checkIn(
  { credential }: TestDevice,
  stated: object,
  address = "10.0.0.5",
): Promise<CheckInResponse> {
  fixture.clock.nowMs += 1_000;
  const json = { inventory: inventoryOf("pc-1", address), ...stated };
  const answer = await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", { credential, json });
  expect(answer.status).toBe(200);
  return answer.body;
}

const textsOf = async (words: string, query = ""): Promise<string[]> =>
  (await fixture.call<DeviceHistory>("GET", `/v1/devices/${words}/history${query}`)).body.events.map(
    ({ event }) => eventText(event),
  );

const logOf = async (id: string): Promise<DeviceLog> =>
  (await fixture.call<DeviceLog>("GET", `/v1/devices/${id}/log`)).body;

test("the history has tasks with their results, roles, refusals, settings and addresses, and no check-ins", async () => {
  const device = await fixture.device("pc-1");
  const taskId = await createTask();
  await checkIn(device, { setting: { name: "default", version: 1 } });
  await checkIn(device, { setting: { name: "default", version: 1 } });
  await checkIn(device, { setting: { name: "default", version: 2 } }, "10.0.1.9");
  const refusal = [{ code: "order-refused", why: "expired", detail: "the key has expired" }];
  await report(device, taskId, "waiting", { reasons: refusal });
  await report(device, taskId, "waiting", { reasons: refusal });
  await report(device, taskId, "downloading", { role: "representative", term: 3 });
  await report(device, taskId, "downloading", { role: "representative", term: 3 });
  await report(device, taskId, "failed", { role: "none", term: 3 });
  await fixture.call("POST", `/v1/tasks/${taskId}/retry`);
  await report(device, taskId, "complete", { attempt: 2 });
  await fixture.call("DELETE", `/v1/devices/${device.id}`);
  expect((await textsOf(device.id)).toReversed()).toEqual([
    "enrolled",
    "uses version 1 of the setting default",
    "address 10.0.1.9 (before: 10.0.0.5)",
    "subnet 10.0.1.0/24 (before: 10.0.0.0/24)",
    "uses version 2 of the setting default",
    `received task ${taskId} (editor 1)`,
    `does not obey task ${taskId} (editor 1): expired`,
    `representative of term 3 for task ${taskId} (editor 1)`,
    `no longer representative for task ${taskId} (editor 1)`,
    `task ${taskId} (editor 1): failed`,
    `attempt 2 of task ${taskId} (editor 1)`,
    `task ${taskId} (editor 1): complete, attempt 2`,
    "removed",
  ]);
  expect(await textsOf(device.id, "?limit=1")).toEqual(["removed"]);
});

test("a device keeps its newest events only, whatever another one does", async () => {
  const [busy, quiet] = [await fixture.device("pc-1"), await fixture.device("pc-2")];
  for (let version = 1; version <= deviceEventsMax + 50; version++)
    await checkIn(busy, { setting: { name: "default", version } });
  const events = await textsOf(busy.id);
  expect(events).toHaveLength(deviceEventsMax);
  expect(events[0]).toBe(`uses version ${deviceEventsMax + 50} of the setting default`);
  expect(await textsOf(quiet.id)).toEqual(["enrolled"]);
});

test("the cache has the packages that the device stated, also partial ones, with their sizes", async () => {
  const device = await fixture.device("pc-1");
  const cacheOf = async (): Promise<DeviceCache> =>
    (await fixture.call<DeviceCache>("GET", `/v1/devices/${device.id}/cache`)).body;
  expect((await cacheOf()).packages).toEqual([]);
  const held = {
    packageId: "ab".repeat(32),
    name: "suite",
    version: "3",
    storedBytes: 7,
    totalBytes: 9,
    complete: false,
    lastUsedAtMs: 5,
  };
  await checkIn(device, { cached: [held] });
  expect(await cacheOf()).toEqual({ statedAtMs: fixture.clock.nowMs, packages: [held] });
  await checkIn(device, { cached: [] });
  expect((await cacheOf()).packages).toEqual([]);
  // The next check-in may be a day away: reports count until then.
  const taskId = await createTask();
  await report(device, taskId, "receiving", { bytesVerified: 3 });
  expect((await cacheOf()).packages).toMatchObject([{ name: "editor", storedBytes: 3, complete: false }]);
  await report(device, taskId, "complete");
  expect((await cacheOf()).packages).toMatchObject([{ name: "editor", storedBytes: 5, complete: true }]);
  await checkIn(device, { cached: [] });
  expect((await cacheOf()).packages).toEqual([]);
});

test("a log is asked for by an operator, given once by the device, and removed after an hour", async () => {
  const device = await fixture.device("pc-1");
  expect(await logOf(device.id)).toMatchObject({ state: "none", lines: [] });
  expect((await checkIn(device, {})).logRequest).toBeNull();
  const asked = await fixture.call<DeviceLog>("POST", `/v1/devices/${device.id}/log`);
  expect(asked.body).toMatchObject({ state: "waiting", askedAtMs: fixture.clock.nowMs });
  const request = (await checkIn(device, {})).logRequest!;
  const answer = (json: object) =>
    fixture.call("POST", "/v1/agent/log", { credential: device.credential, json });
  expect((await answer({ request: "0".repeat(16), refused: false, lines: ["a"] })).status).toBe(409);
  const lines = ['{"msg":"one"}', '{"msg":"\u001B[31mtwo"}'];
  expect((await answer({ request, refused: false, lines })).status).toBe(200);
  const takenAtMs = fixture.clock.nowMs;
  expect(await logOf(device.id)).toMatchObject({ state: "taken", takenAtMs, lines });
  // The device sends nothing a second time, and nothing that nobody asked for.
  expect((await checkIn(device, {})).logRequest).toBeNull();
  expect((await answer({ request, refused: false, lines: ["later"] })).status).toBe(409);
  const rows = await fixture.call<{ rows: { action: string; actor: string; object: string }[] }>(
    "GET",
    "/v1/audit",
  );
  expect(rows.body.rows.find(({ action }) => action === "POST /v1/devices/:device/log")).toMatchObject({
    actor: "admin.token",
    object: `log of device ${device.id}`,
  });
  expect(JSON.stringify(rows.body)).not.toContain("two");
  fixture.clock.nowMs = takenAtMs + logMs + 1;
  await removeOldLogs({ catalog: fixture.catalog, nowMs: () => fixture.clock.nowMs });
  expect(await fixture.catalog.logs.read(device.id)).toBeNull();
  expect(await logOf(device.id)).toMatchObject({ state: "none", takenAtMs: null });
});

test("a request for a log ends after two days, and a device may refuse", async () => {
  const device = await fixture.device("pc-1");
  await fixture.call("POST", `/v1/devices/${device.id}/log`);
  fixture.clock.nowMs += logRequestMs + 1;
  expect((await checkIn(device, {})).logRequest).toBeNull();
  await fixture.call("POST", `/v1/devices/${device.id}/log`);
  const json = { request: (await checkIn(device, {})).logRequest, refused: true, lines: ["secret"] };
  await fixture.call("POST", "/v1/agent/log", { credential: device.credential, json });
  expect(await logOf(device.id)).toMatchObject({ state: "refused", lines: [] });
});

test("a log above its bounds is refused", async () => {
  const device = await fixture.device("pc-1");
  await fixture.call("POST", `/v1/devices/${device.id}/log`);
  const request = (await checkIn(device, {})).logRequest!;
  const { credential } = device;
  const tooMany = Array.from({ length: logLinesMax + 1 }, () => "x");
  const tooLong = Array.from({ length: 40 }, () => "x".repeat(logBytesMax / 32));
  for (const lines of [tooMany, tooLong]) {
    const json = { request, refused: false, lines };
    expect((await fixture.call("POST", "/v1/agent/log", { credential, json })).status).toBe(400);
  }
});

test("a viewer reads history and cache but no log, and an operator those of the own scope only", async () => {
  const device = await fixture.device("pc-1");
  const viewer = (await fixture.token("viewer")).text;
  const operator = (await fixture.token("operator", { scope: ["b7"] })).text;
  const statusOf = async (method: string, what: string, credential: string): Promise<number> =>
    (await fixture.call(method, `/v1/devices/${device.id}/${what}`, { credential })).status;
  expect(await statusOf("GET", "history", viewer)).toBe(200);
  expect(await statusOf("GET", "cache", viewer)).toBe(200);
  expect(await statusOf("GET", "log", viewer)).toBe(403);
  expect(await statusOf("POST", "log", viewer)).toBe(403);
  for (const what of ["history", "cache", "log"]) expect(await statusOf("GET", what, operator)).toBe(403);
  expect(await statusOf("POST", "log", operator)).toBe(403);
  await fixture.call("POST", "/v1/tags", { json: { devices: "pc-1", add: ["b7"] } });
  expect(await statusOf("POST", "log", operator)).toBe(200);
});
