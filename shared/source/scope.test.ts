/** Requests of people with a scope, on the real app and catalog. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openFixture, reportOf, type Fixture, type TestDevice } from "./app-fixture.ts";

let fixture: Fixture;
let operator: string;
let inside: TestDevice;
let outside: TestDevice;
beforeEach(async () => {
  fixture = await openFixture();
  operator = (await fixture.token("operator", { scope: ["berlin"] })).text;
  inside = await fixture.device("pc-b", "10.0.0.5");
  outside = await fixture.device("pc-h", "10.0.1.5");
  await tag(inside.id, { add: ["berlin"] });
  await tag(outside.id, { add: ["hamburg"] });
  const path = `${fixture.folder}/tool.bin`;
  await Bun.write(path, "bytes");
  const { json } = await fixture.signedPackage(path, { name: "tool", version: "1" });
  const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: "bytes" });
});
afterEach(() => fixture.close());

/** Changes tags as an administrator. */
async function tag(devices: string, change: { add?: string[]; remove?: string[] }): Promise<void> {
  expect((await fixture.call("POST", "/v1/tags", { json: { devices, ...change } })).status).toBe(200);
}
const as = <T = Record<string, unknown>>(method: string, path: string, json?: unknown) =>
  fixture.call<T>(method, path, { credential: operator, ...(json === undefined ? {} : { json }) });
const taskOf = (target: string) => ({
  package: "tool",
  action: "pre-cache",
  command: null,
  setting: null,
  target,
  startAtMs: null,
});
async function create(target: string, credential = fixture.adminToken): Promise<number> {
  const { status, body } = await fixture.call<{ taskId: number }>("POST", "/v1/tasks", {
    credential,
    json: taskOf(target),
  });
  expect(status).toBe(200);
  return body.taskId;
}
const devicesOf = async (taskId: number): Promise<string[]> =>
  (
    await fixture.call<{ deviceList: { deviceId: string }[] }>("GET", `/v1/tasks/${taskId}`)
  ).body.deviceList.map(({ deviceId }) => deviceId);

describe("an operator with a scope", () => {
  test.each(["all", "pc-b,pc-h", "os=linux or tag=hamburg"])(
    "creates a task for %s that is for the devices of the scope alone, also later ones",
    async (target) => {
      const taskId = await create(target, operator);
      expect(await devicesOf(taskId)).toEqual([inside.id]);
      await fixture.device("pc-later", "10.0.2.5");
      expect(await devicesOf(taskId)).toEqual([inside.id]);
      const edited = await as("PATCH", `/v1/tasks/${taskId}`, { target: "all" });
      expect(edited).toMatchObject({ status: 200, body: { devices: 1 } });
      const preview = await as("POST", `/v1/tasks/${taskId}/dry-run`, { target: "pc-h" });
      expect(preview.body).toMatchObject({ devices: 0 });
    },
  );

  test("sees and changes the tasks within the scope only", async () => {
    const [own, other] = [await create("tag=berlin and os=linux"), await create("all")];
    const { body } = await as<{ tasks: { id: number }[] }>("GET", "/v1/tasks");
    expect(body.tasks.map(({ id }) => id)).toEqual([own]);
    for (const [id, status] of [
      [own, 200],
      [other, 403],
    ] as const) {
      expect((await as("GET", `/v1/tasks/${id}`)).status).toBe(status);
      expect((await as("POST", `/v1/tasks/${id}/pause`)).status).toBe(status);
      expect((await as("PATCH", `/v1/tasks/${id}`, { notWhile: [] })).status).toBe(status);
      expect((await as("POST", `/v1/tasks/${id}/cancel`)).status).toBe(status);
      expect((await as("DELETE", `/v1/tasks/${id}`)).status).toBe(status);
    }
  });

  test("sees and removes the devices of the scope only", async () => {
    const { body } = await as<{ devices: { id: string }[] }>("GET", "/v1/devices");
    expect(body.devices.map(({ id }) => id)).toEqual([inside.id]);
    const subnets = await as<{ subnets: { id: string }[] }>("GET", "/v1/subnets");
    expect(subnets.body.subnets.map(({ id }) => id)).toEqual([inside.subnetId]);
    const holders = await as<{ devices: object[] }>("GET", "/v1/packages/tool/devices?lacking=true");
    expect(holders.body.devices).toHaveLength(1);
    expect((await as<{ groups: object[] }>("GET", "/v1/groups")).body.groups).toMatchObject([
      { name: "berlin", devices: 1 },
    ]);
    await fixture.call("PUT", "/v1/sites/north");
    await fixture.call("PATCH", `/v1/subnets/${outside.subnetId}`, { json: { site: "north" } });
    expect((await as<{ sites: object[] }>("GET", "/v1/sites")).body.sites).toEqual([]);
    for (const path of [`/v1/devices/${outside.id}`, "/v1/devices/pc-h"]) {
      expect((await as("GET", path)).status).toBe(403);
      expect((await as("GET", `${path}/tasks`)).status).toBe(403);
      expect((await as("PATCH", path, { name: "x" })).status).toBe(403);
      expect((await as("DELETE", path)).status).toBe(403);
    }
    expect((await as("DELETE", `/v1/devices/${inside.id}`)).status).toBe(200);
  });

  test("tags the devices of the scope, and takes part in no group, device or task of others by it", async () => {
    expect(await as("POST", "/v1/tags", { devices: "all", add: ["floor-2"] })).toMatchObject({
      status: 200,
      body: { devices: [{ deviceId: inside.id }] },
    });
    expect((await as("POST", "/v1/tags", { devices: "pc-h", add: ["floor-2"] })).status).toBe(404);
    await fixture.call("PUT", "/v1/groups/payroll");
    await create("tag=lab*");
    await create("not tag=floor-2");
    for (const change of [
      { add: ["hamburg"] },
      { add: ["payroll"] },
      // A pattern and a negation in the targets of others.
      { add: ["lab-1"] },
      { remove: ["floor-2"] },
    ])
      expect(await as("POST", "/v1/tags", { devices: "pc-b", ...change })).toMatchObject({
        status: 403,
        body: { error: expect.any(String), hint: expect.any(String) },
      });
    expect((await fixture.catalog.devices.byId(inside.id))!.tags).toEqual(["berlin", "floor-2"]);
  });

  test("gives a device that waits for an approval no tag by which it would get tasks of others", async () => {
    const json = { kind: "enrolment", name: "w", needsApproval: true, uses: null, expiresAtMs: null };
    const { text } = (await fixture.call<{ text: string }>("POST", "/v1/tokens", { json })).body;
    const about = { hostname: "pc-w", os: "linux", arch: "x64", agentVersion: "0.1.0" };
    const enrolled = await fixture.call<{ deviceId: string }>("POST", "/v1/agent/enroll", {
      credential: null,
      json: { token: text, ...about },
    });
    const { deviceId } = enrolled.body;
    await tag(deviceId, { add: ["berlin"] });
    await create("tag=lab*");
    expect(await as("POST", "/v1/tags", { devices: deviceId, add: ["lab-1"] })).toMatchObject({
      status: 403,
      body: { error: expect.stringContaining("pc-w") },
    });
  });

  test("names its device by a host name that devices outside have too, and sees no id of these", async () => {
    const twin = await fixture.device("pc-b", "10.0.3.5");
    expect(await as("GET", "/v1/devices/pc-b")).toMatchObject({ status: 200, body: { id: inside.id } });
    const other = await fixture.device("pc-h", "10.0.4.5");
    const refused = await as("GET", "/v1/devices/pc-h");
    expect(refused.status).toBe(403);
    for (const id of [twin.id, outside.id, other.id]) expect(JSON.stringify(refused.body)).not.toContain(id);
    expect((await as("DELETE", "/v1/devices/pc-b")).body).toMatchObject({ deviceId: inside.id });
    expect((await fixture.catalog.devices.byId(twin.id))?.life.state).toBe("active");
  });

  test("cannot edit a task that leaves the scope while the request is on its way", async () => {
    const taskId = await create("tag=berlin");
    const before = (await fixture.catalog.tasks.byId(taskId))!;
    const [begun, widened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          begun.resolve();
          await widened.promise;
          controller.enqueue(new TextEncoder().encode(JSON.stringify({ setting: "default" })));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const headers = { authorization: `Bearer ${operator}`, "content-type": "application/json" };
    const answer = fixture.app.request(
      `/v1/tasks/${taskId}`,
      { method: "PATCH", headers, body },
      { remoteAddress: "10.0.0.5", tlsSpki: null, allowIdle: () => {} },
    );
    await begun.promise;
    await fixture.call("PATCH", `/v1/tasks/${taskId}`, { json: { target: "all" } });
    widened.resolve();
    expect((await answer).status).toBe(403);
    const after = (await fixture.catalog.tasks.byId(taskId))!;
    expect([after.target, after.setting]).toEqual(["all", before.setting]);
  });

  test("sees no device outside that has done a task, or failed, before the task was narrowed", async () => {
    const failed = await fixture.device("pc-f", "10.0.5.5");
    const taskId = await create("all");
    for (const [{ credential }, state] of [
      [outside, "complete"],
      [failed, "failed"],
    ] as const)
      await fixture.call("POST", "/v1/agent/progress", {
        credential,
        json: { reports: [reportOf(taskId, state)] },
      });
    await fixture.call("PATCH", `/v1/tasks/${taskId}`, { json: { target: "tag=berlin" } });
    expect((await devicesOf(taskId)).toSorted()).toEqual([inside.id, outside.id].toSorted());
    const { body } = await as<{ deviceList: { deviceId: string }[]; devices: object }>(
      "GET",
      `/v1/tasks/${taskId}`,
    );
    expect(body.deviceList.map(({ deviceId }) => deviceId)).toEqual([inside.id]);
    expect(body.devices).toMatchObject({ total: 1, complete: 0 });
    const retried = await as("POST", `/v1/tasks/${taskId}/retry`);
    expect(retried).toMatchObject({ status: 200, body: { retried: [] } });
  });
});
