/** Settings at the source's API: inheritance, versions, assignment, tasks, and what is refused. */
import { readOrder } from "../model/trust/index.ts";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PublishResponse, TaskChanged, TaskDetail } from "../api/schema/admin.ts";
import type { Device } from "../api/schema/device.ts";
import type { Inventory } from "../api/schema/common.ts";
import type { Tagged } from "../api/schema/labels.ts";
import type {
  SettingAssigned,
  SettingAssignmentList,
  SettingChanged,
  SettingVersion,
  SettingView,
} from "../api/schema/settings.ts";
import { settingDepthMax } from "../model/setting-inheritance.ts";
import { defaultSettingValues } from "../model/setting.ts";
import { inventoryOf, openFixture, type Fixture, type TestDevice } from "./app-fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

const reportForTest = {
  role: "none",
  term: 0,
  bytesTotal: 4,
  bytesVerified: 4,
  from: { wan: 0, multicast: 4, peers: 0, cache: 0 },
  wanBytesFetched: 0,
  lanBytesSent: 0,
  rateBps: 0,
  reasons: [],
  command: null,
};
type Refusal = { error: string; hint?: string };
const call = async <T>(method: string, path: string, json?: unknown): Promise<T> => {
  const { status, body } = await fixture.call<T>(method, path, json === undefined ? {} : { json });
  expect([status, body]).toEqual([200, body]);
  return body;
};
const refusal = async (method: string, path: string, json?: unknown): Promise<[number, string]> => {
  const { status, body } = await fixture.call<Refusal>(method, path, json === undefined ? {} : { json });
  return [status, `${body.error} ${body.hint ?? ""}`];
};
const create = (name: string, differences: object = {}, parent = "default"): Promise<SettingChanged> =>
  call("POST", "/v1/settings", { name, parent, differences });
const edit = (name: string, json: object): Promise<SettingChanged> =>
  call("PATCH", `/v1/settings/${name}`, json);
const show = (name: string): Promise<SettingView> => call("GET", `/v1/settings/${name}`);
const assign = (setting: string, target: string, rank: number | null = null): Promise<SettingAssigned> =>
  call("PUT", "/v1/setting-assignments", { setting, target, rank });

const tag = (device: TestDevice, ...add: string[]): Promise<Tagged> =>
  call("POST", "/v1/tags", { devices: device.id, add });

const checkIn = async (device: TestDevice, hostname: string, more: Partial<Inventory> = {}) =>
  (await fixture.checkIn(device, { ...inventoryOf(hostname), ...more })).body;
const ownName = async (...words: Parameters<typeof checkIn>): Promise<string> =>
  (await checkIn(...words)).ownSetting.name;

async function createTask(more: object = {}): Promise<number> {
  const path = join(fixture.folder, "tool.bin");
  await writeFile(path, "tool");
  const { json } = await fixture.signedPackage(path, { name: "tool", version: "1" });
  const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: "tool" });
  const task = { package: "tool", action: "pre-cache", setting: null, target: "all", startAtMs: null };
  return (await call<TaskChanged>("POST", "/v1/tasks", { ...task, ...more })).taskId;
}

/** Opens the event streams of devices. @returns the devices that were woken since the last call */
async function watch(...devices: TestDevice[]): Promise<() => Promise<string[]>> {
  const woken = new Set<string>();
  for (const { id } of devices) {
    const reader = fixture.changeHub.open(id).getReader();
    await reader.read();
    void (async () => {
      for (let one = await reader.read(); !one.done; one = await reader.read()) woken.add(id);
    })();
  }
  return async () => {
    await Bun.sleep(0);
    const found = devices.map(({ id }) => id).filter((id) => woken.has(id));
    woken.clear();
    return found;
  };
}

describe("a setting", () => {
  test("inherits what it does not set, and follows its parent", async () => {
    await create("branch", { wanRateBps: 2_000_000 });
    await create("kiosk", { useMulticast: false }, "branch");
    expect(await edit("default", { set: { wanAttempts: 3, wanRateBps: 9_000_000 } })).toMatchObject({
      version: 2,
      changes: [
        {
          field: "wanRateBps",
          before: { value: null, from: null },
          after: { value: 9_000_000, from: "default" },
        },
        { field: "wanAttempts", before: { value: 8, from: null }, after: { value: 3, from: "default" } },
      ],
    });
    expect(await show("kiosk")).toEqual({
      name: "kiosk",
      version: 1,
      parent: "branch",
      parents: [
        { name: "branch", version: 1 },
        { name: "default", version: 2 },
      ],
      differences: { useMulticast: false },
      values: { ...defaultSettingValues, useMulticast: false, wanRateBps: 2_000_000, wanAttempts: 3 },
      origins: expect.objectContaining({
        useMulticast: "kiosk",
        wanRateBps: "branch",
        wanAttempts: "default",
        lanRateBps: null,
      }),
      devices: 0,
      openTasks: 0,
    });
    const back = await edit("branch", { inherit: ["wanRateBps"] });
    expect(back.changes).toEqual([
      {
        field: "wanRateBps",
        before: { value: 2_000_000, from: "branch" },
        after: { value: 9_000_000, from: "default" },
      },
    ]);
    expect((await show("kiosk")).values.wanRateBps).toBe(9_000_000);
    await edit("kiosk", { parent: "default" });
    expect(await show("kiosk")).toMatchObject({ parent: "default", version: 2 });
  });

  test("keeps its versions with what each changed, and takes the content of one again", async () => {
    await create("lab", { wanAttempts: 2 });
    fixture.clock.nowMs += 1_000;
    await edit("lab", { set: { wanAttempts: 3, lanRateBps: null } });
    await edit("lab", { set: { wanAttempts: 3 } });
    const reverted = await call<SettingChanged>("POST", "/v1/settings/lab/revert", { version: 1 });
    expect(reverted).toMatchObject({
      version: 3,
      changes: [{ field: "lanRateBps" }, { field: "wanAttempts" }],
    });
    const { versions } = await call<{ versions: SettingVersion[] }>("GET", "/v1/settings/lab/versions");
    expect(versions).toEqual([
      {
        version: 3,
        parent: "default",
        differences: { wanAttempts: 2 },
        changedAtMs: fixture.clock.nowMs,
        changedBy: "admin.token",
        changes: [
          { field: "lanRateBps", before: null },
          { field: "wanAttempts", before: 3, after: 2 },
        ],
      },
      expect.objectContaining({
        version: 2,
        changes: [
          { field: "lanRateBps", after: null },
          { field: "wanAttempts", before: 2, after: 3 },
        ],
      }),
      expect.objectContaining({ version: 1, changes: [{ field: "wanAttempts", after: 2 }] }),
    ]);
    expect(await refusal("POST", "/v1/settings/lab/revert", { version: 7 })).toEqual([
      404,
      'Setting "lab" has no version 7 setting history lab shows all',
    ]);
  });

  test("is refused with near names, an unknown field, a value out of bounds, or a cycle", async () => {
    await create("branch2");
    await create("below", {}, "branch2");
    const refusals = [
      ["GET", "brnach2", undefined, 404, "did you mean branch2?"],
      ["PATCH", "brnach2", { set: { wanAttempts: 3 } }, 404, "did you mean branch2?"],
      ["PATCH", "branch2", { set: { wanAttemps: 3 } }, 400, "wanAttemps"],
      ["PATCH", "branch2", { set: { wanAttempts: 0 } }, 400, "wanAttempts"],
      ["PATCH", "branch2", { inherit: ["speed"] }, 400, "inherit"],
      ["PATCH", "branch2", {}, 400, "Nothing to change"],
      ["PATCH", "branch2", { parent: "below" }, 409, '"below" descends from "branch2"'],
      ["PATCH", "default", { parent: "branch2" }, 409, "is the root"],
      ["PATCH", "branch2", { parent: "gone" }, 404, 'No setting named "gone"'],
      ["POST", "", { name: "branch2" }, 409, "setting set changes it"],
      ["POST", "", { name: "a b" }, 400, "letters"],
      ["POST", "", { name: "none" }, 400, "is not a name"],
      ["POST", "", { name: "x", parent: "gone" }, 404, 'No setting named "gone"'],
      ["DELETE", "default", undefined, 409, "keeps its name and stays"],
      ["POST", "default/rename", { name: "x" }, 409, "keeps its name and stays"],
      ["POST", "below/rename", { name: "branch2" }, 409, "There is a setting"],
    ] as const;
    for (const [method, path, json, status, why] of refusals) {
      const suffix = path === "" ? "" : `/${path}`;
      expect(await refusal(method, `/v1/settings${suffix}`, json)).toEqual([
        status,
        expect.stringContaining(why),
      ]);
    }
    for (let depth = 2; depth < settingDepthMax; depth++)
      await create(`d${depth}`, {}, depth === 2 ? "branch2" : `d${depth - 1}`);
    const deepest = { name: "deepest", parent: `d${settingDepthMax - 1}` };
    expect(await refusal("POST", "/v1/settings", deepest)).toEqual([
      409,
      expect.stringContaining(`at most ${settingDepthMax} settings`),
    ]);
  });

  test("is renamed in tasks and assignments, and is removed only while nothing names it", async () => {
    await create("old");
    await create("below", {}, "old");
    await assign("old", "group:a");
    const taskId = await createTask({ setting: "old" });
    await call("POST", "/v1/settings/old/rename", { name: "new" });
    expect(await call<TaskDetail>("GET", `/v1/tasks/${taskId}`)).toMatchObject({ setting: "new" });
    expect(await show("below")).toMatchObject({ parent: "new" });
    expect(await refusal("DELETE", "/v1/settings/new")).toEqual([
      409,
      expect.stringContaining(
        `used by open tasks: ${taskId}; settings that descend from it: below; assignments: group:a`,
      ),
    ]);
    await call("PATCH", `/v1/tasks/${taskId}`, { setting: null });
    await call("DELETE", "/v1/settings/below");
    await call("DELETE", "/v1/setting-assignments", { setting: "new", target: "group:a" });
    await call("DELETE", "/v1/settings/new");
    expect((await fixture.call("GET", "/v1/settings/new")).status).toBe(404);
  });

  test("of an ended task may be gone; the task opens again with another one only", async () => {
    await create("short");
    const taskId = await createTask({ setting: "short" });
    await fixture.catalog.tasks.change(taskId, () => ({
      state: "ended",
      endedWhy: "complete",
      endedAtMs: 1,
    }));
    await call("DELETE", "/v1/settings/short");
    expect(await refusal("PATCH", `/v1/tasks/${taskId}`, { target: "all" })).toEqual([
      404,
      expect.stringContaining('No setting named "short"'),
    ]);
    await call("PATCH", `/v1/tasks/${taskId}`, { target: "all", setting: null });
  });
});

describe("the own setting of a device", () => {
  test("is that of the first assignment that matches at its check-in, and default otherwise", async () => {
    const device = await fixture.device("h1");
    await create("office", { wanAttempts: 2 });
    await create("kiosk", { wanAttempts: 3 });
    await assign("office", "group:office");
    await assign("kiosk", "group:kiosk", 1);
    const own = async (...tags: string[]) => {
      await tag(device, ...tags);
      return (await checkIn(device, "h1")).ownSetting;
    };
    expect(await own()).toMatchObject({ name: "default", parents: [] });
    expect(await own("office")).toMatchObject({ name: "office", values: { wanAttempts: 2 } });
    expect(await own("office", "kiosk")).toMatchObject({
      name: "kiosk",
      version: 1,
      parents: [{ name: "default", version: 1 }],
      values: { wanAttempts: 3 },
    });
    const { assignments } = await assign("office", "group:office", 1);
    expect(assignments).toEqual([
      { rank: 1, setting: "office", target: "group:office", matched: 1, devices: 1 },
      { rank: 2, setting: "kiosk", target: "group:kiosk", matched: 1, devices: 0 },
    ]);
    expect(await own("office", "kiosk")).toMatchObject({ name: "office" });
    expect(await show("office")).toMatchObject({ devices: 1 });
    expect(await call<object>("GET", "/v1/devices")).toMatchObject({ devices: [{ setting: "office" }] });
    expect(await assign("kiosk", "group:office")).toMatchObject({ changed: 1 });
    const ended = { setting: "kiosk", target: "group:office" };
    await call<SettingAssigned>("DELETE", "/v1/setting-assignments", ended);
    const list = await call<SettingAssignmentList>("GET", "/v1/setting-assignments");
    expect(list.assignments.map(({ target }) => target)).toEqual(["group:kiosk"]);
    expect(list.others).toBe(0);
  });

  test("follows tags, inventory, site and results of tasks that targets name", async () => {
    const [one, two] = [await fixture.device("one"), await fixture.device("two")];
    for (const name of ["linux-b7", "hamburg", "failed"]) await create(name);
    const taskId = await createTask();
    await assign("linux-b7", "tag=b7 and os=linux");
    await assign("hamburg", "site=Hamburg");
    await assign("failed", `failed-in=${taskId}`);
    const woken = await watch(one, two);
    await tag(one, "b7");
    expect(await woken()).toEqual([one.id]);
    expect(await ownName(one, "one")).toBe("linux-b7");
    expect(await ownName(one, "one", { os: "windows" })).toBe("default");
    await call("PUT", "/v1/sites/Hamburg");
    await call("PATCH", `/v1/subnets/${one.subnetId}`, { site: "Hamburg" });
    await woken();
    expect(await ownName(one, "one", { os: "windows" })).toBe("hamburg");
    expect(await ownName(one, "one")).toBe("linux-b7");
    expect(await ownName(two, "two")).toBe("hamburg");
    await assign("failed", `failed-in=${taskId}`, 1);
    const json = { reports: [{ ...reportForTest, taskId, state: "failed" }] };
    await woken();
    await fixture.call("POST", "/v1/agent/progress", { credential: two.credential, json });
    expect(await woken()).toEqual([two.id]);
    expect(await ownName(two, "two")).toBe("failed");
    const { assignments } = await call<SettingAssignmentList>("GET", "/v1/setting-assignments");
    expect(assignments.map(({ setting, matched, devices }) => [setting, matched, devices])).toEqual([
      ["failed", 1, 1],
      ["linux-b7", 1, 1],
      ["hamburg", 2, 0],
    ]);
    const listed = await call<{ devices: Device[] }>("GET", "/v1/devices?filter=tag%3Db7");
    expect(listed.devices.map(({ hostname, setting }) => [hostname, setting])).toEqual([["one", "linux-b7"]]);
  });

  test("keeps the tags, groups and sites that its assignment names", async () => {
    const device = await fixture.device("h1");
    await tag(device, "b7");
    await create("kiosk");
    expect(await assign("kiosk", "tag=B7 or site=hamburg")).toMatchObject({
      warnings: ['no site is named "hamburg": site list shows all'],
    });
    await call("PUT", "/v1/sites/Hamburg");
    expect(await assign("kiosk", "tag=B7 or site=hamburg")).toMatchObject({ warnings: [] });
    const refused: [number, string] = [
      409,
      expect.stringContaining('kiosk to "tag=B7 or site=hamburg" setting unassign ends it'),
    ];
    expect(await refusal("DELETE", "/v1/groups/b7")).toEqual(refused);
    expect(await refusal("DELETE", "/v1/sites/Hamburg")).toEqual(refused);
    expect(await refusal("PATCH", "/v1/sites/Hamburg", { name: "Kiel" })).toEqual(refused);
    const assigned = { setting: "kiosk", target: "tag=B7 or site=hamburg" };
    await call("DELETE", "/v1/setting-assignments", assigned);
    await call("DELETE", "/v1/groups/b7");
    await call("DELETE", "/v1/sites/Hamburg");
  });

  test("counts for a task without a setting, and another one for a task that names it", async () => {
    const device = await fixture.device("h1");
    await create("kiosk", { useMulticast: false });
    await create("fast", { wanAttempts: 3 });
    await assign("kiosk", "all");
    const plain = await createTask();
    const named = await createTask({ setting: "fast" });
    const root = await createTask({ setting: "default" });
    const { tasks, settings, ownSetting } = await checkIn(device, "h1");
    expect(ownSetting.name).toBe("kiosk");
    expect(tasks.map(({ id, setting, overrides }) => [id, setting.name, overrides])).toEqual([
      [plain, "kiosk", false],
      [named, "fast", true],
      [root, "default", true],
    ]);
    const names = settings.map((signed) => readOrder("setting", signed).name);
    expect(names).toEqual(["kiosk", "default", "fast"]);
    await call("PATCH", `/v1/tasks/${named}`, { setting: null });
    const after = await checkIn(device, "h1");
    expect(after.tasks.map(({ overrides }) => overrides)).toEqual([false, false, true]);
  });

  test("refuses an assignment of an unknown setting, to no target, or that does not exist", async () => {
    await create("kiosk");
    const path = "/v1/setting-assignments";
    expect(await refusal("PUT", path, { setting: "kisk", target: "all" })).toEqual([
      404,
      expect.stringContaining("did you mean kiosk?"),
    ]);
    expect((await refusal("PUT", path, { setting: "kiosk", target: "everyone" }))[0]).toBe(404);
    expect(await refusal("PUT", path, { setting: "kiosk", target: "tag=b7 and oss=linux" })).toEqual([
      400,
      expect.stringContaining('"oss"'),
    ]);
    expect((await refusal("PUT", path, { setting: "kiosk", target: `device:${"0".repeat(16)}` }))[0]).toBe(
      404,
    );
    expect((await refusal("PUT", path, { setting: "kiosk", target: "all", rank: 0 }))[0]).toBe(400);
    expect(await refusal("DELETE", path, { setting: "kiosk", target: "all" })).toEqual([
      404,
      expect.stringContaining('"kiosk" is not assigned to all'),
    ]);
  });
});

test("a change wakes the devices that it reaches, by assignment, by descent and by open tasks", async () => {
  const [a, b, c] = [await fixture.device("a"), await fixture.device("b"), await fixture.device("c")];
  await create("branch", { wanAttempts: 2 });
  await createTask({ setting: "branch", target: `device:${b.id}` });
  const woken = await watch(a, b, c);
  await create("kiosk", { lanRateBps: 64_000 }, "branch");
  expect(await woken()).toEqual([]);
  await assign("kiosk", `device:${a.id}`);
  expect(await woken()).toEqual([a.id]);
  expect(await edit("branch", { set: { wanAttempts: 4 } })).toMatchObject({ devices: 2, openTasks: 1 });
  expect(await woken()).toEqual([a.id, b.id]);
  // The kiosks set this value themselves.
  expect(await edit("branch", { set: { lanRateBps: 99_000 } })).toMatchObject({ devices: 1, openTasks: 1 });
  expect(await woken()).toEqual([b.id]);
  expect(await edit("branch", { set: { lanRateBps: 99_000 } })).toMatchObject({ devices: 0, changes: [] });
  expect(await woken()).toEqual([]);
  expect(await edit("default", { set: { useDeputy: false } })).toMatchObject({ devices: 3, openTasks: 1 });
  expect(await woken()).toEqual([a.id, b.id, c.id]);
});

test("the document of the API lists the routes of settings and assignments", async () => {
  const { body } = await fixture.call<{ paths: Record<string, object> }>("GET", "/openapi.json");
  const methods = Object.fromEntries(
    Object.entries(body.paths)
      .filter(([path]) => path.includes("setting"))
      .map(([path, routes]) => [path, Object.keys(routes).toSorted()]),
  );
  expect(methods).toEqual({
    "/v1/settings": ["get", "post"],
    "/v1/settings/{name}": ["delete", "get", "patch"],
    "/v1/settings/{name}/versions": ["get"],
    "/v1/settings/{name}/revert": ["post"],
    "/v1/settings/{name}/rename": ["post"],
    "/v1/setting-assignments": ["delete", "get", "put"],
  });
  const text = JSON.stringify(body.paths["/v1/settings/{name}"]);
  expect(text).toContain("sessionStartDelayMs");
});
