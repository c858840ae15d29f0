/**
 * Reads of requests with a large fleet: changes and counts read no row of a device, bulk writes are
 * small transactions, and the counts are those of the lists.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { TaskChanged } from "../../shared/api/schema/admin.ts";
import type { Device } from "../../shared/api/schema/device.ts";
import type { Tagged, TaskPreview } from "../../shared/api/schema/labels.ts";
import { openFixture, type Fixture } from "../../shared/source/app-fixture.ts";
import { fillCatalog } from "./large-catalog.ts";

const size = { devices: 3_000, subnets: 60, tasks: 4, tasksForAll: 2 };
const limitMs = 120_000;

let fixture: Fixture;
/** Rows of devices that the last work read. */
let rowsRead = 0;
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-fleet-"));
  const nowMs = 1_800_000_000_000;
  await fillCatalog(join(folder, "catalog.db"), size, nowMs);
  fixture = await openFixture({}, nowMs, folder);
  const { deviceList } = fixture.catalog;
  const { page } = deviceList;
  deviceList.page = async (query) => {
    const rows = await page(query);
    rowsRead += rows.length;
    return rows;
  };
  rowsRead = 0;
}, limitMs);
afterEach(() => fixture.close());

const draft = { package: "package-0@1.0", action: "pre-cache", setting: null, startAtMs: null };
const check = async (target: string): Promise<{ devices: number; subnets: number }> =>
  (
    await fixture.call<{ devices: number; subnets: number }>(
      "GET",
      `/v1/targets/check?target=${encodeURIComponent(target)}`,
    )
  ).body;

/** Returns the ids of all pages of the list of devices with a filter. */
async function listed(filter: string): Promise<Device[]> {
  const found: Device[] = [];
  for (let after = ""; ;) {
    const path = `/v1/devices?limit=1000&filter=${encodeURIComponent(filter)}${after}`;
    const { body } = await fixture.call<{ devices: Device[]; next: string | null }>("GET", path);
    found.push(...body.devices);
    if (body.next === null) return found;
    after = `&after=${encodeURIComponent(body.next)}`;
  }
}

test(
  "counts of a target are those of the list, and read no row of a device",
  async () => {
    for (const target of [
      "all",
      "tag=room-7",
      "site=site-* and not tag=room-7 and os-version>=10.0.22001 and memory>=4GB",
      "name=pc-0000* or subnet=floor-3",
      "complete-in=1 and not failed-in=2",
      "holds=package-0@1.0",
      "lacks=package-0",
      "memory<1MB",
    ]) {
      const devices = await listed(target);
      rowsRead = 0;
      const counted = await check(target);
      expect([target, counted.devices, rowsRead]).toEqual([target, devices.length, 0]);
      expect(counted.subnets).toBe(new Set(devices.map(({ subnetId }) => subnetId)).size);
    }
  },
  limitMs,
);

test(
  "a preview counts each device, subnet and holder, and lists the first by their enrolment",
  async () => {
    const { body } = await fixture.call<TaskPreview>("POST", "/v1/tasks/dry-run", {
      json: { ...draft, target: "all" },
    });
    expect(rowsRead).toBe(0);
    const holding = (await check("holds=package-0@1.0")).devices;
    expect(body).toMatchObject({
      devices: size.devices,
      added: size.devices,
      dropped: 0,
      devicesLeft: 2_000,
    });
    expect(body.subnets.length).toBe(size.subnets);
    expect(body.subnets.reduce((sum, one) => sum + one.devices, 0)).toBe(size.devices);
    expect(body.subnets.reduce((sum, one) => sum + one.holding, 0)).toBe(holding);
    const first = (await listed("all")).slice(0, 1_000);
    expect(body.deviceList.map(({ deviceId }) => deviceId)).toEqual(first.map(({ id }) => id));
    const edit = await fixture.call<TaskPreview>("POST", "/v1/tasks/1/dry-run", {
      json: { target: "tag=room-7" },
    });
    // Devices that have done the task stay devices of it.
    const done = (await check("complete-in=1 or tag=room-7")).devices;
    expect(edit.body).toMatchObject({ devices: done, added: 0, dropped: size.devices - done });
  },
  limitMs,
);

test(
  "changes that wake devices read no row of a device, and name the number that they reach",
  async () => {
    const { catalog, changeHub } = fixture;
    const woken: string[] = [];
    const { notify } = changeHub;
    changeHub.notify = (ids) => {
      woken.push(...ids);
      notify.call(changeHub, ids);
    };
    const [some] = await catalog.deviceList.scan(null, 1);
    changeHub.open(some!.id);
    const created = await fixture.call<TaskChanged>("POST", "/v1/tasks", {
      json: { ...draft, target: "all" },
    });
    expect([created.status, created.body.devices, woken]).toEqual([200, size.devices, [some!.id]]);
    const paused = await fixture.call<TaskChanged>("POST", "/v1/tasks/1/pause");
    expect(paused.body.devices).toBe(size.devices);
    const setting = await fixture.call<{ devices: number }>("PATCH", "/v1/settings/setting-3", {
      json: { set: { wanAttempts: 5 } },
    });
    expect(setting.body.devices).toBe((await check("site=site-3")).devices);
    const assigned = await fixture.call<{ changed: number }>("PUT", "/v1/setting-assignments", {
      json: { setting: "setting-1", target: "all", rank: 1 },
    });
    expect(assigned.body.changed).toBe(size.devices - (await check("site=site-1")).devices);
    expect(rowsRead).toBe(0);
  },
  limitMs,
);

test(
  "tags of all devices are changed in small transactions, and the answer lists the first devices",
  async () => {
    const { labels } = fixture.catalog;
    const parts: number[] = [];
    const { tag } = labels;
    labels.tag = (ids, change) => {
      parts.push(ids.length);
      return tag(ids, change);
    };
    const { body } = await fixture.call<Tagged>("POST", "/v1/tags", {
      json: { devices: "all", add: ["pilot"] },
    });
    expect(body).toMatchObject({ matched: size.devices, changed: size.devices, devicesLeft: 2_000 });
    expect(body.devices.every(({ tags, changed }) => changed && tags.includes("pilot"))).toBe(true);
    expect(Math.max(...parts)).toBeLessThanOrEqual(250);
    expect((await check("tag=pilot")).devices).toBe(size.devices);
    parts.length = 0;
    expect((await fixture.call("DELETE", "/v1/groups/pilot")).status).toBe(200);
    expect(Math.max(...parts)).toBeLessThanOrEqual(250);
    expect((await check("tag=pilot")).devices).toBe(0);
    expect(rowsRead).toBe(0);
  },
  limitMs,
);

test(
  "the search for the end of a task stops at the first device that is not done",
  async () => {
    fixture.noted.add(1);
    await fixture.endTasks();
    expect((await fixture.catalog.tasks.byId(1))?.state).toBe("active");
    expect(rowsRead).toBe(500);
  },
  limitMs,
);

test(
  "a retry in a scope repeats the failed devices of this scope alone",
  async () => {
    const { text } = await fixture.token("operator", { scope: ["room-17"] });
    const [own, failed] = [(await check("tag=room-17 and failed-in=1")).devices, 135];
    expect([(await check("failed-in=1")).devices, own > 0]).toEqual([failed, true]);
    await fixture.call("PATCH", "/v1/tasks/1", { json: { target: "tag=room-17" } });
    const retry = async (credential?: string): Promise<number> => {
      const init = credential === undefined ? {} : { credential };
      const { body } = await fixture.call<{ retried: string[] }>("POST", "/v1/tasks/1/retry", init);
      return body.retried.length;
    };
    expect([await retry(text), await retry()]).toEqual([own, failed - own]);
    expect((await check("failed-in=1")).devices).toBe(0);
  },
  limitMs,
);
