/** Keys of packages and tasks at the source: epochs, removals of devices, and erasure. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckInResponse } from "../api/schema/agent.ts";
import { readOrder } from "../model/trust/index.ts";
import { inventoryOf, openFixture, type Fixture, type TestDevice } from "./app-fixture.ts";
import { removeExpired } from "./retention.ts";

const day = 86_400_000;
let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

async function publish(name: string): Promise<string> {
  const path = join(fixture.folder, "file");
  await writeFile(path, `bytes of ${name}`);
  const { json } = await fixture.signedPackage(path, { name, version: "1" });
  const { packageId } = (await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json })).body;
  await fixture.call("PUT", `/v1/packages/${packageId}/content`, { body: `bytes of ${name}` });
  return packageId;
}

async function createTask(name: string, target = "all"): Promise<number> {
  const json = { package: name, action: "pre-cache", command: null, setting: null, target, startAtMs: null };
  return (await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json })).body.taskId;
}

/** @param packages that the device states to have */
async function checkIn(
  { credential }: TestDevice,
  packages: readonly string[] = [],
): Promise<CheckInResponse> {
  const json = { inventory: inventoryOf("h1"), packages };
  return (await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", { credential, json })).body;
}

/** Returns the tasks of a device by their packages. */
const keysOf = async (device: TestDevice) =>
  Object.fromEntries(
    (await checkIn(device)).tasks.map((task) => [readOrder("task", task.order).packageId, task]),
  );

/** Files of the data folder that contain these bytes. */
const filesWith = (key: string): string[] =>
  readdirSync(fixture.folder)
    .filter((name) => name.startsWith("catalog.db"))
    .filter((name) => readFileSync(join(fixture.folder, name)).includes(Buffer.from(key, "base64")));

const passDays = async (days: number): Promise<void> => {
  fixture.clock.nowMs += days * day;
  await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
};

test("a package gets another key every seven days, and the one before is given for two more", async () => {
  await publish("tool");
  await createTask("tool");
  const device = await fixture.device("h1");
  const keys = async () => {
    const { packageKey, packageKeyBefore, taskKey } = (await checkIn(device)).tasks[0]!;
    return { packageKey, packageKeyBefore, taskKey };
  };
  const first = await keys();
  expect(first.packageKeyBefore).toBeNull();
  await passDays(6);
  expect(await keys()).toEqual(first);
  await passDays(1);
  const second = await keys();
  expect(second).toEqual({ ...first, packageKey: second.packageKey, packageKeyBefore: first.packageKey });
  expect(second.packageKey).not.toBe(first.packageKey);
  await passDays(2);
  expect(await keys()).toEqual({ ...second, packageKeyBefore: null });
  expect([filesWith(first.packageKey), filesWith(second.packageKey)]).toEqual([[], ["catalog.db"]]);
});

test("a removed device's keys are replaced at once, and the others are woken to get new ones", async () => {
  const [tool, other] = [await publish("tool"), await publish("other")];
  const [a, b, c] = [await fixture.device("h1"), await fixture.device("h2"), await fixture.device("h3")];
  await createTask("tool", `device=${a.id} or device=${b.id}`);
  await createTask("other", `device=${b.id} or device=${c.id}`);
  const before = { a: await keysOf(a), b: await keysOf(b), c: await keysOf(c) };
  const woken = (device: TestDevice) => {
    const reader = fixture.changeHub.open(device.id).getReader();
    return async (): Promise<string[]> => {
      const events: string[] = [];
      for (;;) {
        const next = await Promise.race([reader.read(), Bun.sleep(20).then(() => null)]);
        if (next === null || next.done) return events;
        events.push(/^event: (\w+)/.exec(new TextDecoder().decode(next.value))?.[1] ?? "");
      }
    };
  };
  const [eventsOfB, eventsOfC] = [woken(b), woken(c)];
  expect((await fixture.call("DELETE", `/v1/devices/${a.id}`)).status).toBe(200);
  expect([await eventsOfB(), await eventsOfC()]).toEqual([["hello", "wake"], ["hello"]]);
  const after = { b: await keysOf(b), c: await keysOf(c) };
  expect(after.b[tool]!.packageKey).not.toBe(before.a[tool]!.packageKey);
  expect(after.b[tool]!.taskKey).not.toBe(before.a[tool]!.taskKey);
  expect(after.b[tool]!.packageKeyBefore).toBeNull();
  expect(after.b[other]).toEqual(before.b[other]!);
  expect(after.c).toEqual(before.c);
  expect(filesWith(before.a[tool]!.taskKey).concat(filesWith(before.a[tool]!.packageKey))).toEqual([]);
});

test("a device gets the keys of packages in its cache only if it was targeted with them", async () => {
  const tool = await publish("tool");
  const device = await fixture.device("h1");
  await createTask("tool", `device=${device.id}`);
  const { packageKey } = (await checkIn(device)).tasks[0]!;
  const [known] = (await checkIn(device, [tool, "f".repeat(64)])).packageKeys;
  expect(known).toEqual({ packageId: tool, packageKey, packageKeyBefore: null });
  const stranger = await fixture.device("h2");
  expect((await checkIn(stranger, [tool])).packageKeys).toEqual([]);
});

test("the key of a task is erased when the task ends, and is another one when it opens again", async () => {
  await publish("tool");
  const device = await fixture.device("h1");
  const id = await createTask("tool");
  const { taskKey } = (await checkIn(device)).tasks[0]!;
  expect(filesWith(taskKey)).not.toEqual([]);
  await fixture.call("POST", `/v1/tasks/${id}/cancel`);
  expect(filesWith(taskKey)).toEqual([]);
  await fixture.catalog.tasks.change(id, () => ({ state: "active", endedAtMs: null, endedWhy: null }));
  const again = (await checkIn(device)).tasks[0]!.taskKey;
  expect(Buffer.from(again, "base64")).toHaveLength(16);
  expect(again).not.toBe(taskKey);
});
