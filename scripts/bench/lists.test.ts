import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { TaskDevice, TaskSubnet, TaskSummary } from "../../shared/api/schema/admin.ts";
import { openFixture, type Fixture } from "../../shared/source/app-fixture.ts";
import { fillCatalog } from "./large-catalog.ts";

/** More devices than one request counts itself. */
const size = { devices: 3_000, subnets: 60, tasks: 4, tasksForAll: 2 };

let fixture: Fixture;
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-lists-"));
  const nowMs = 1_800_000_000_000;
  await fillCatalog(join(folder, "catalog.db"), size, nowMs);
  fixture = await openFixture({}, nowMs, folder);
});
afterEach(() => fixture.close());

const summary = async (): Promise<TaskSummary> =>
  (await fixture.call<TaskSummary>("GET", "/v1/tasks/1?devices=none")).body;

/** Reads all pages of a list of task 1. */
async function allOf<T>(list: "subnets" | "devices", query = ""): Promise<T[]> {
  const rows: T[] = [];
  for (let after = ""; ;) {
    const path = `/v1/tasks/1/${list}?limit=50${query}${after}`;
    const { body } = await fixture.call<Record<string, T[]> & { next: string | null }>("GET", path);
    rows.push(...body[list]!);
    if (body.next === null) return rows;
    after = `&after=${encodeURIComponent(body.next)}`;
  }
}

test("counts of a large task follow reports at once, and all of its devices after a count", async () => {
  const first = await summary();
  expect(first.countedAtMs).toBeNull();
  expect(first.devices).toMatchObject({ total: 2_700, failed: 135 });
  let counted = first;
  while (counted.countedAtMs === null) {
    await Bun.sleep(50);
    counted = await summary();
  }
  const devices = await allOf<TaskDevice>("devices");
  const stateCount = (state: string): number => devices.filter((one) => one.state === state).length;
  expect(new Set(devices.map(({ deviceId }) => deviceId)).size).toBe(devices.length);
  expect(counted.devices).toMatchObject({
    total: devices.length,
    complete: stateCount("complete"),
    failed: stateCount("failed"),
  });
  expect((await allOf<TaskDevice>("devices", "&state=failed")).length).toBe(stateCount("failed"));
  await fixture.catalog.tasks.retry(1, fixture.clock.nowMs, null);
  expect((await summary()).devices.failed).toBe(0);
}, 60_000);

test("subnets of a large task have each of its devices once", async () => {
  const subnets = await allOf<TaskSubnet>("subnets");
  expect(new Set(subnets.map(({ subnetId }) => subnetId)).size).toBe(size.subnets);
  expect(subnets.length).toBe(size.subnets);
  const devices = await allOf<TaskDevice>("devices");
  expect(subnets.reduce((sum, one) => sum + one.devices, 0)).toBe(devices.length);
}, 60_000);
