/** Course of a task over the real API and catalog: counters, points, bounds, and its end. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Progress } from "../api/schema/common.ts";
import type { TaskHistory } from "../api/schema/task-history.ts";
import { courseRates } from "../model/course-rates.ts";
import { openFixture, reportOf, type Fixture, type TestDevice } from "./app-fixture.ts";
import { coursePointsMax } from "./catalog/sqlite-task-course.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

async function publish(): Promise<string> {
  const path = join(fixture.folder, "file");
  await writeFile(path, "bytes");
  const { json } = await fixture.signedPackage(path, { name: "editor", version: "1" });
  const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: "bytes" });
  return body.packageId;
}

async function createTask(target = "all"): Promise<number> {
  const json = { package: "editor", action: "pre-cache", setting: null, target, startAtMs: null };
  return (await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json })).body.taskId;
}

async function report(
  device: TestDevice,
  taskId: number,
  state: Progress["state"],
  more: Partial<Progress> = {},
): Promise<void> {
  const json = { reports: [reportOf(taskId, state, more)] };
  const { status } = await fixture.call("POST", "/v1/agent/progress", {
    credential: device.credential,
    json,
  });
  expect(status).toBe(200);
}

const historyOf = async (taskId: number): Promise<TaskHistory> =>
  (await fixture.call<TaskHistory>("GET", `/v1/tasks/${taskId}/history`)).body;

test("a course has the WAN bytes, the LAN bytes and the complete devices of every step", async () => {
  const packageId = await publish();
  const [first, second] = [await fixture.device("pc-1"), await fixture.device("pc-2")];
  const taskId = await createTask();
  expect((await historyOf(taskId)).points).toEqual([]);
  const began = fixture.clock.nowMs;
  await report(first, taskId, "downloading");
  await report(second, taskId, "receiving");
  fixture.clock.nowMs += 4_000;
  fixture.wan.granted(packageId, first.id, taskId);
  fixture.wan.count({ packageId, deviceId: first.id, subnetId: first.subnetId }, 8_000);
  await report(first, taskId, "downloading", { lanBytesSent: 2_000 });
  fixture.clock.nowMs += 4_000;
  await report(first, taskId, "complete", { lanBytesSent: 6_000 });
  await report(second, taskId, "complete");
  const { points, stepMs } = await historyOf(taskId);
  expect(stepMs).toBe(2_000);
  expect(points[0]).toMatchObject({ wanBytes: 0, lanBytes: 0, complete: 0 });
  expect(points.at(-1)).toEqual({ atMs: began + 8_000, wanBytes: 8_000, lanBytes: 6_000, complete: 2 });
  expect(points.find(({ atMs }) => atMs === began + 4_000)).toMatchObject({ lanBytes: 2_000, complete: 0 });
  expect(Math.max(...courseRates(points).map(({ lanRate }) => lanRate))).toBeGreaterThanOrEqual(1_000);
  // Nothing is reported any more: the rates of an open task fall to 0.
  fixture.clock.nowMs += 60_000;
  const later = await historyOf(taskId);
  expect(later.points.at(-1)).toMatchObject({ atMs: fixture.clock.nowMs, complete: 2 });
  expect(courseRates(later.points).at(-1)).toEqual({ wanRate: 0, lanRate: 0 });
});

test("a device that is started again, or makes another attempt, takes no bytes back", async () => {
  await publish();
  const device = await fixture.device("pc-1");
  const taskId = await createTask();
  await report(device, taskId, "receiving", { lanBytesSent: 500 });
  await report(device, taskId, "receiving", { lanBytesSent: 100 });
  await report(device, taskId, "failed", { lanBytesSent: 300 });
  await fixture.call("POST", `/v1/tasks/${taskId}/retry`);
  await report(device, taskId, "complete", { lanBytesSent: 50, attempt: 2 });
  await report(device, taskId, "complete", { lanBytesSent: 50, attempt: 2 });
  expect((await historyOf(taskId)).points.at(-1)).toMatchObject({ lanBytes: 750, complete: 1 });
});

test("a long course is thinned: bounded points, in order, with its first and its current counters", async () => {
  await publish();
  const device = await fixture.device("pc-1");
  const taskId = await createTask();
  const began = fixture.clock.nowMs;
  const steps = coursePointsMax * 5;
  let most = 0;
  for (let step = 0; step < steps; step++) {
    await report(device, taskId, "receiving", { lanBytesSent: step * 100 });
    if (step % 50 === 0) most = Math.max(most, (await historyOf(taskId)).points.length);
    fixture.clock.nowMs += 2_000;
  }
  const { points, stepMs } = await historyOf(taskId);
  expect(Math.max(most, points.length)).toBeLessThanOrEqual(coursePointsMax + 2);
  expect(points.length).toBeGreaterThan(coursePointsMax / 3);
  expect(stepMs).toBeGreaterThan(2_000);
  expect(points[0]!.atMs).toBeLessThanOrEqual(began);
  expect(points.at(-1)!.lanBytes).toBe((steps - 1) * 100);
  const times = points.map(({ atMs }) => atMs);
  expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
  const rates = courseRates(points).slice(1, -1);
  expect(Math.max(...rates.map(({ lanRate }) => lanRate))).toBeLessThan(100);
});

test("a course ends with its task, and a person sees those of the own scope only", async () => {
  await publish();
  const device = await fixture.device("pc-1");
  const taskId = await createTask();
  await report(device, taskId, "complete", { lanBytesSent: 5 });
  const { text: inside } = await fixture.token("viewer", { scope: ["b7"] });
  const refused = await fixture.call("GET", `/v1/tasks/${taskId}/history`, { credential: inside });
  expect(refused.status).toBe(403);
  await fixture.call("POST", `/v1/tasks/${taskId}/cancel`);
  expect((await historyOf(taskId)).points.at(-1)).toMatchObject({ complete: 1 });
  await fixture.call("DELETE", `/v1/tasks/${taskId}`);
  expect(await fixture.catalog.courses.ofTask(taskId)).toBeNull();
  expect((await fixture.call("GET", `/v1/tasks/${taskId}/history`)).status).toBe(404);
});
