/** Tokens of enrolments and of people, on the real app and catalog. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { EnrollResponse } from "../api/schema/agent.ts";
import type { Device } from "../api/schema/device.ts";
import type { TokenCreated } from "../api/schema/tokens.ts";
import { readToken } from "../api/token.ts";
import { enrollToken, inventoryOf, openFixture, type Fixture } from "./app-fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

type Terms = Record<string, unknown>;
async function enrolmentToken(terms: Terms = {}): Promise<TokenCreated> {
  const always = { kind: "enrolment", name: "room-5", uses: null, expiresAtMs: null };
  const { status, body } = await fixture.call<TokenCreated>("POST", "/v1/tokens", {
    json: { ...always, ...terms },
  });
  expect(status).toBe(200);
  return body;
}
let enrolments = 0;
const enrol = (text: string, more: Terms = {}, address = "10.0.0.5") => {
  const hostname = `h${++enrolments}`;
  const json = { token: text, hostname, os: "linux", arch: "x64", agentVersion: "1", ...more };
  return fixture.call<EnrollResponse & { error: string }>(
    "POST",
    "/v1/agent/enroll",
    { credential: null, json },
    address,
  );
};
const deviceOf = async (id: string): Promise<Device> =>
  (await fixture.call<Device>("GET", `/v1/devices/${id}`)).body;
async function createTask(target: string): Promise<void> {
  const path = `${fixture.folder}/tool.bin`;
  await Bun.write(path, "bytes");
  const { json, manifest } = await fixture.signedPackage(path, { name: "tool", version: "1" });
  const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: "bytes" });
  expect(manifest.files).toHaveLength(1);
  const task = {
    package: "tool",
    action: "pre-cache",
    command: null,
    setting: null,
    target,
    startAtMs: null,
  };
  expect((await fixture.call("POST", "/v1/tasks", { json: task })).status).toBe(200);
}
const tasksOf = async ({ credential }: { credential: string }, groups: string[] = []): Promise<number> =>
  (await fixture.checkIn({ credential }, inventoryOf("h", "10.0.0.5", groups))).body.tasks.length;

test("a token's text names its kind, and the catalog and the list have no secret", async () => {
  const { token, text } = await enrolmentToken();
  expect(text).toStartWith("fc_e");
  expect((await fixture.token("viewer")).text).toStartWith("fc_p");
  const { secret } = readToken(text)!;
  const listed = await (await fixture.raw("GET", "/v1/tokens")).text();
  expect(listed).toContain(token.id);
  expect(listed).not.toContain(secret);
  const stored = `${fixture.folder}/snapshot.db`;
  await fixture.catalog.snapshot(stored);
  const bytes = Buffer.from(await Bun.file(stored).arrayBuffer());
  expect(bytes.includes(token.id)).toBe(true);
  expect(bytes.includes(secret)).toBe(false);
});

describe("an enrolment token", () => {
  test("enrols as many devices as it is for, and repeats the enrolment whose answer was lost", async () => {
    const { text } = await enrolmentToken({ uses: 2 });
    const machine = { machine: "ab".repeat(32), instance: "0123456789abcdef" };
    const first = await enrol(text, machine);
    expect((await enrol(text)).status).toBe(200);
    expect(await enrol(text)).toMatchObject({
      status: 401,
      body: { error: expect.stringContaining("used") },
    });
    expect(await enrol(text, machine)).toMatchObject({ body: { deviceId: first.body.deviceId } });
  });

  test("enrols nobody after its expiry or its revocation, and devices of it stay", async () => {
    const expiring = await enrolmentToken({ name: "a", expiresAtMs: fixture.clock.nowMs + 1_000 });
    const revoked = await enrolmentToken({ name: "b" });
    const { body } = await enrol(revoked.text);
    expect((await fixture.call("DELETE", "/v1/tokens/b")).status).toBe(200);
    expect((await fixture.call("DELETE", `/v1/tokens/${revoked.token.id}`)).status).toBe(409);
    fixture.clock.nowMs += 1_000;
    for (const { text } of [expiring, revoked]) expect((await enrol(text)).status).toBe(401);
    expect((await fixture.checkIn(body, inventoryOf("h"))).status).toBe(200);
    expect(await deviceOf(body.deviceId)).toMatchObject({ enrolledWith: "b" });
  });

  test("gives its tags, and a device that states a group itself gets nothing of it", async () => {
    await createTask("tag=payroll");
    const { text } = await enrolmentToken({ tags: ["payroll"] });
    expect(await tasksOf((await enrol(text)).body)).toBe(1);
    expect(await tasksOf((await enrol(enrollToken)).body, ["payroll"])).toBe(0);
  });

  test("with approval enrols a device that gets no task, key or package before device approve", async () => {
    await createTask("all");
    const { text } = await enrolmentToken({ needsApproval: true });
    const { body: device } = await enrol(text);
    expect(await deviceOf(device.deviceId)).toMatchObject({ state: "waiting" });
    expect(await tasksOf(device)).toBe(0);
    const [published] = await fixture.catalog.packages.list();
    const content = { credential: device.credential };
    const path = `/v1/packages/${published!.id}/content`;
    expect((await fixture.raw("GET", path, content)).status).toBe(403);
    const { subnet } = (await fixture.catalog.devices.byId(device.deviceId))!;
    const request = { taskId: 1, subnetId: subnet!.id, address: "10.0.0.5", lanPort: 1, term: 1 };
    const lease = await fixture.call("POST", "/v1/agent/lease", { ...content, json: request });
    expect(lease).toMatchObject({ status: 409 });
    const { body: task } = await fixture.call<{ devices: { total: number } }>("GET", "/v1/tasks/1");
    expect(task.devices.total).toBe(0);
    await fixture.call("POST", `/v1/devices/${device.deviceId}/approve`);
    expect(await tasksOf(device)).toBe(1);
    expect((await fixture.raw("GET", path, content)).status).toBe(200);
  });

  test("with approval leaves a device waiting that enrols again with another token, and its copies", async () => {
    await createTask("all");
    const { text } = await enrolmentToken({ needsApproval: true });
    const machine = { machine: "cd".repeat(32), instance: "0".repeat(16) };
    const { body: first } = await enrol(text, machine);
    await fixture.checkIn(first, inventoryOf("h"));
    const { body: again } = await enrol(enrollToken, { ...machine, instance: "1".repeat(16) });
    expect(again.deviceId).toBe(first.deviceId);
    expect(await tasksOf(again)).toBe(0);
    await fixture.catalog.life.remove([again.deviceId], "cloned", fixture.clock.nowMs);
    const about = { hostname: "h", os: "linux", arch: "x64", agentVersion: "1" };
    const json = { ...about, machine: machine.machine, instance: "2".repeat(16) };
    const init = { credential: again.credential, json };
    const { body: clone } = await fixture.call<EnrollResponse>("POST", "/v1/agent/enroll/clone", init);
    expect(await deviceOf(clone.deviceId)).toMatchObject({ state: "waiting" });
  });

  test("lets takeovers keep their tags if it says so, and only then", async () => {
    const trusting = await enrolmentToken({ name: "t", approvesTakeovers: true });
    for (const [text, state] of [
      [enrollToken, "suspended"],
      [trusting.text, "active"],
    ] as const) {
      const machine = { machine: String(state.length).repeat(64), instance: "0".repeat(16) };
      const { body } = await enrol(text, machine);
      await fixture.checkIn(body, inventoryOf("h"));
      await enrol(text, { ...machine, instance: "1".repeat(16) });
      expect(await deviceOf(body.deviceId)).toMatchObject({ state });
    }
  });

  test("admits a room at once and then a rate, by address and by token, with the time to wait", async () => {
    const statuses: number[] = [];
    for (let at = 0; at < 201; at++) statuses.push((await enrol(enrollToken)).status);
    expect(statuses.indexOf(429)).toBe(200);
    const refused = await enrol(enrollToken);
    expect(Number(refused.headers.get("retry-after"))).toBe(1);
    expect((await enrol(enrollToken, {}, "10.0.0.6")).status).toBe(200);
    fixture.clock.nowMs += 1_000;
    expect((await enrol(enrollToken)).status).toBe(200);
    // The second address uses up the rest of the token's 500.
    let last = 200;
    for (let at = 0; last === 200 && at < 600; at++)
      last = (await enrol(enrollToken, {}, `10.1.${at}.1`)).status;
    expect(last).toBe(429);
    const other = await enrolmentToken();
    expect((await enrol(other.text, {}, "10.2.0.1")).status).toBe(200);
  }, 30_000);
});

describe("the creation of a token is refused", () => {
  const person = { kind: "person", name: "ci", role: "viewer", scope: [], expiresAtMs: null };
  test.each([
    ["a scope for a role that concerns all devices", { ...person, role: "publisher", scope: ["a"] }, 400],
    ["an expiry that has passed", { ...person, expiresAtMs: 1 }, 422],
    ["the name of a file's token", { ...person, name: "Admin.token" }, 409],
    ["an unknown role", { ...person, role: "root" }, 400],
    ["the uses of a person's token", { ...person, uses: 5 }, 400],
  ])("for %s", async (_, json, status) => {
    expect(await fixture.call("POST", "/v1/tokens", { json })).toMatchObject({ status });
  });

  test("for a name that a valid token has, and not for that of a revoked one", async () => {
    expect((await fixture.call("POST", "/v1/tokens", { json: person })).status).toBe(200);
    const other = { ...person, name: "CI" };
    expect((await fixture.call("POST", "/v1/tokens", { json: other })).status).toBe(409);
    await fixture.call("DELETE", "/v1/tokens/ci");
    expect((await fixture.call("POST", "/v1/tokens", { json: other })).status).toBe(200);
  });
});
