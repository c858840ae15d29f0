import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openFixture, type Fixture, type TestDevice } from "./app-fixture.ts";
import { removeExpired } from "./retention.ts";

const day = 86_400_000;

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

/** Publishes a file; returns the package's id. @param upload whether its bytes are sent too */
async function publish(name: string, content: string, upload = true): Promise<string> {
  const path = join(fixture.folder, "file");
  await writeFile(path, content);
  const { json } = await fixture.signedPackage(path, { name, version: "1" });
  const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
  const id = body.packageId;
  if (upload) await fixture.call("PUT", `/v1/packages/${id}/content`, { body: content });
  return id;
}

async function createTask(name: string): Promise<number> {
  const json = {
    package: name,
    action: "pre-cache",
    command: null,
    setting: null,
    target: "all",
    startAtMs: null,
  };
  return (await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json })).body.taskId;
}

/** Lets the device report the task, take the lease and fetch bytes from the source. */
async function work(device: TestDevice, taskId: number, packageId: string): Promise<void> {
  const { credential, subnetId } = device;
  const report = {
    taskId,
    state: "complete",
    role: "none",
    term: 1,
    bytesTotal: 5,
    bytesVerified: 5,
    from: { wan: 5, multicast: 0, peers: 0, cache: 0 },
    wanBytesFetched: 5,
    lanBytesSent: 0,
    rateBps: 0,
    reasons: [],
    command: null,
  };
  const sent = { packageId, subnetId, deviceId: device.id, taskId, bytes: 5 };
  await fixture.catalog.wan.add([sent], fixture.clock.nowMs);
  await fixture.call("POST", "/v1/agent/progress", { credential, json: { reports: [report] } });
  const lease = { taskId, subnetId, address: "10.0.0.5", lanPort: 5, term: 1 };
  await fixture.call("POST", "/v1/agent/lease", { credential, json: lease });
}

/** Rows of each table that a task or a package causes. */
async function rowCounts(): Promise<Record<string, number>> {
  const { catalog } = fixture;
  const [tasks, packages] = [await catalog.tasks.list(), await catalog.packages.list()];
  let [progress, leases] = [0, 0];
  for (const { id } of tasks) progress += (await catalog.tasks.reportsFor(id, { first: "", last: "~" })).size;
  for (const { id } of packages) leases += (await catalog.leases.ofPackage(id)).size;
  return { tasks: tasks.length, packages: packages.length, progress, leases };
}

test("removes a task 90 days after its cancellation, with reports, lease and account", async () => {
  const packageId = await publish("tool", "bytes");
  const device = await fixture.device("h1");
  const [cancelled, active] = [await createTask("tool"), await createTask("tool")];
  for (const id of [cancelled, active]) await work(device, id, packageId);
  await fixture.call("POST", `/v1/tasks/${cancelled}/cancel`);
  fixture.clock.nowMs += 90 * day;
  // A second cancellation does not prolong its life.
  await fixture.call("POST", `/v1/tasks/${cancelled}/cancel`);
  await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
  expect(await rowCounts()).toEqual({ tasks: 2, packages: 1, progress: 2, leases: 1 });
  fixture.clock.nowMs += 1;
  await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
  expect(await rowCounts()).toEqual({ tasks: 1, packages: 1, progress: 1, leases: 1 });
  expect([...(await fixture.catalog.wan.ofTask(active)).values()]).toEqual([5]);
  await fixture.call("POST", `/v1/tasks/${active}/cancel`);
  fixture.clock.nowMs += 90 * day + 1;
  await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
  expect(await rowCounts()).toEqual({ tasks: 0, packages: 1, progress: 0, leases: 0 });
  // The next task begins with an empty account, and with an id of its own.
  const next = await createTask("tool");
  expect(next).toBeGreaterThan(active);
  expect([...(await fixture.catalog.wan.ofTask(next)).values()]).toEqual([]);
});

test("removes many reports in parts", async () => {
  const packageId = await publish("tool", "bytes");
  const taskId = await createTask("tool");
  const tokenId = (await fixture.catalog.tokens.named("enroll.token"))!.id;
  const terms = { tokenId, name: "enroll.token", tags: [], needsApproval: false, isImaging: false };
  const devices = Array.from({ length: 12_000 }, (_, index) => index.toString(16).padStart(16, "0"));
  for (const id of devices) {
    const about = {
      hostname: "h",
      os: "o",
      arch: "a",
      agentVersion: "1",
      enrolledAtMs: 0,
      machine: null,
      instance: null,
    };
    const device = { id, credentialSha256: id, ...about };
    await fixture.catalog.life.enroll(device, terms, () => ({
      kind: "new",
      suspended: false,
      why: "unknown",
    }));
    const report = {
      taskId,
      state: "complete",
      way: "none",
      wanBytesFetched: 0,
      lanBytesSent: 0,
      bytesVerified: 0,
    };
    await fixture.catalog.tasks.recordProgress(id, [report as never], 0);
  }
  await fixture.catalog.tasks.change(taskId, () => ({ state: "cancelled", endedAtMs: 1 }));
  expect(await fixture.catalog.tasks.removePart(taskId)).toBe(false);
  expect((await fixture.catalog.tasks.reportsFor(taskId, { first: "", last: "~" })).size).toBe(7_000);
  await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
  expect(await fixture.catalog.tasks.list()).toEqual([]);
  expect(await fixture.catalog.packages.byId(packageId)).not.toBeNull();
}, 60_000);

test("removes a package whose upload was not finished within a week, and the bytes of a replaced one", async () => {
  const folderOf = (id: string): string => join(fixture.folder, "packages", id);
  const replaced = await publish("tool", "first", false);
  await mkdir(folderOf(replaced), { recursive: true });
  const unfinished = await publish("tool", "second", false);
  expect(existsSync(folderOf(replaced))).toBe(false);
  await mkdir(folderOf(unfinished), { recursive: true });
  const ready = await publish("editor", "bytes");
  fixture.clock.nowMs += 7 * day + 1;
  await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
  expect((await fixture.catalog.packages.list()).map(({ id }) => id)).toEqual([ready]);
  expect([unfinished, ready].map((id) => existsSync(folderOf(id)))).toEqual([false, true]);
});

test("a package that cannot be removed hinders no other", async () => {
  const [first, second] = [await publish("a", "1", false), await publish("b", "2", false)];
  fixture.clock.nowMs += 8 * day;
  const content = {
    ...fixture.content,
    remove: async (id: string) => {
      if (id === first) throw new Error("EACCES");
      await fixture.content.remove(id);
    },
  };
  await removeExpired({ ...fixture, content, nowMs: () => fixture.clock.nowMs });
  expect(await fixture.catalog.packages.byId(second)).toBeNull();
});

test("the bytes of an upload that ends during a removal stay", async () => {
  const [first, second] = [await publish("a", "1", false), await publish("b", "2", false)];
  fixture.clock.nowMs += 8 * day;
  const content = {
    ...fixture.content,
    remove: async (id: string) => {
      if (id === first) await fixture.call("PUT", `/v1/packages/${second}/content`, { body: "2" });
      await fixture.content.remove(id);
    },
  };
  await removeExpired({ ...fixture, content, nowMs: () => fixture.clock.nowMs });
  expect(await fixture.catalog.packages.byId(second)).toMatchObject({ state: "ready" });
  expect(await fixture.content.has(second, 1)).toBe(true);
});

test("removes sessions that have ended, and users of the provider after 400 days without a login", async () => {
  const { users, sessions } = fixture.catalog;
  const atMs = fixture.clock.nowMs;
  await users.add({ name: "anna", role: "viewer", scope: [], createdAtMs: atMs, passwordHash: "hash" });
  const person = {
    issuer: "https://id.example",
    subject: "1",
    name: "ben",
    role: "viewer",
    scope: [],
  } as const;
  const ben = await users.recordProviderUser(person, atMs);
  if (typeof ben === "string") throw new Error(ben);
  const anna = (await users.byName("anna"))!;
  for (const user of [anna, ben]) await sessions.begin(user.id, { secretSha256: user.name, beganAtMs: atMs });
  fixture.clock.nowMs += 29 * 60_000;
  await sessions.noteUse("anna", fixture.clock.nowMs);
  fixture.clock.nowMs += 60_000;
  await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
  expect([await sessions.bySecret("anna"), await sessions.bySecret("ben")]).toEqual([
    expect.anything(),
    null,
  ]);
  fixture.clock.nowMs = atMs + 400 * day + 1;
  await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
  expect([await users.byName("anna"), await users.byName("ben")]).toEqual([expect.anything(), null]);
});

test("keeps reports, account and order of a task that was opened again before its removal", async () => {
  const packageId = await publish("tool", "bytes");
  const device = await fixture.device("h1");
  const taskId = await createTask("tool");
  await work(device, taskId, packageId);
  const before = [await rowCounts(), await fixture.catalog.trust.order("task", String(taskId))];
  // A removal has found the task ended, and an edit came first.
  expect(await fixture.catalog.tasks.removePart(taskId)).toBe(true);
  expect([await rowCounts(), await fixture.catalog.trust.order("task", String(taskId))]).toEqual(before);
});
