import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { problemReason, reasonsText } from "../model/reason.ts";
import type { PublishResponse, TaskDetail, TaskSummary } from "../api/schema/admin.ts";
import type { FallbackResponse, LeaseResponse } from "../api/schema/agent.ts";
import type { CheckInResponse } from "../api/schema/agent.ts";
import type { Progress } from "../api/schema/common.ts";
import { defaultSettingValues } from "../model/setting.ts";
import { readOrder } from "../model/trust/index.ts";
import { inventoryOf, openFixture, publishBody, type Fixture, type TestDevice } from "./app-fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

const bytes = new Uint8Array(randomBytes(700_000));

async function publishFile(name = "tool", version = "1.0", content: Uint8Array = bytes): Promise<string> {
  const path = join(fixture.folder, "tool.bin");
  await writeFile(path, content);
  const { json } = await fixture.signedPackage(path, { name, version });
  const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
  const upload = await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: content });
  expect(upload.status).toBe(200);
  return body.packageId;
}

async function createTask(target = "all", more: Record<string, unknown> = {}): Promise<number> {
  const json = {
    package: "tool",
    action: "pre-cache",
    command: null,
    setting: null,
    target,
    startAtMs: null,
  };
  const answer = await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json: { ...json, ...more } });
  expect(answer.status).toBe(200);
  return answer.body.taskId;
}

const report = (taskId: number, more: Partial<Progress>): Progress => ({
  taskId,
  state: "receiving",
  role: "peer",
  term: 1,
  bytesTotal: bytes.length,
  bytesVerified: 0,
  from: { wan: 0, multicast: 0, peers: 0, cache: 0 },
  wanBytesFetched: 0,
  lanBytesSent: 0,
  rateBps: 0,
  way: "none",
  reasons: [problemReason("receives")],
  command: null,
  follows: null,
  wrongFrom: [],
  receivedFrom: [],
  attempt: 1,
  epoch: "",
  createdAtMs: 0,
  ...more,
});
const send = (device: TestDevice, ...reports: Progress[]) =>
  fixture.call("POST", "/v1/agent/progress", { credential: device.credential, json: { reports } });
const tasksOf = async (device: TestDevice, hostname = "h", address = "10.0.0.5"): Promise<number[]> =>
  (await fixture.checkIn(device, inventoryOf(hostname, address))).body.tasks.map((task) => task.id);

describe("authentication", () => {
  test("answers an unknown route and a missing or wrong credential with a JSON error and a hint", async () => {
    const unknown = await fixture.call("GET", "/v2/nothing");
    expect(unknown).toMatchObject({ status: 404, body: { error: "No GET /v2/nothing" } });
    for (const credential of [null, "nonsense", `fc_p${"b".repeat(43)}.${"0".repeat(64)}`]) {
      const answer = await fixture.call("GET", "/v1/tasks", { credential });
      expect(answer).toMatchObject({
        status: 401,
        body: { error: expect.any(String), hint: expect.any(String) },
      });
    }
  });

  test("refuses devices on routes of administrators and administrators on routes of devices", async () => {
    const device = await fixture.device("h1");
    const { credential } = device;
    expect((await fixture.call("GET", "/v1/tasks", { credential })).status).toBe(403);
    const json = { inventory: inventoryOf("h1") };
    expect((await fixture.call("POST", "/v1/agent/check-in", { json })).status).toBe(403);
  });

  test("enrols a device with the enrolment token of this source only", async () => {
    const json = { token: fixture.adminToken, hostname: "h", os: "l", arch: "x", agentVersion: "1" };
    const answer = await fixture.call("POST", "/v1/agent/enroll", { credential: null, json });
    expect(answer).toMatchObject({
      status: 401,
      body: { error: expect.stringContaining("not one of this source") },
    });
  });

  test("refuses every invalid body and names the place of the fault", async () => {
    const headers = { "content-type": "application/json" };
    for (const body of ["", "{", "null", "[]", "7", '{"set":7}', '{"set":{"lanRateBps":-1}}']) {
      const answer = await fixture.call("PATCH", "/v1/settings/default", { body, headers });
      expect(answer).toMatchObject({ status: 400, body: { error: expect.any(String) } });
    }
    const large = JSON.stringify({ set: "x".repeat(70_000) });
    const answer = await fixture.call("PATCH", "/v1/settings/default", { body: large, headers });
    expect(answer).toMatchObject({ status: 413 });
    expect((await fixture.call("GET", "/v1/tasks/none")).status).toBe(400);
    expect((await fixture.call("GET", "/v1/tasks/7")).status).toBe(404);
  });

  test("lists every route in the OpenAPI document", async () => {
    const { body } = await fixture.call<{ paths: Record<string, Record<string, unknown>> }>(
      "GET",
      "/openapi.json",
    );
    expect(Object.keys(body.paths)).toContain("/v1/packages/{id}/content");
    expect(Object.keys(body.paths)).toContain("/v1/agent/lease/release");
    expect(body.paths["/v1/tasks"]).toHaveProperty("post.requestBody");
  });
});

describe("packages", () => {
  test("stay unchanged when published again, and refuse other content for a version", async () => {
    const id = await publishFile();
    const path = join(fixture.folder, "tool.bin");
    const again = await fixture.signedPackage(path, { name: "tool", version: "1.0" });
    const same = await fixture.call("POST", "/v1/packages", { json: again.json });
    expect(same.body).toEqual({ packageId: id, contentNeeded: false });
    await writeFile(path, "something else");
    const other = await fixture.signedPackage(path, { name: "tool", version: "1.0" });
    const refused = await fixture.call("POST", "/v1/packages", { json: other.json });
    expect(refused).toMatchObject({ status: 409, body: { hint: expect.stringContaining("never changes") } });
  });

  test("are refused under a name that differs by case only, which devices would take for the same", async () => {
    const id = await publishFile();
    const path = join(fixture.folder, "tool.bin");
    for (const [name, version] of [
      ["Tool", "1.0"],
      ["TOOL", "1.0"],
    ] as const) {
      const other = await fixture.signedPackage(path, { name, version });
      const refused = await fixture.call("POST", "/v1/packages", { json: other.json });
      expect(refused).toMatchObject({
        status: 409,
        body: {
          error: `tool 1.0 is published with other content (${id})`,
          hint: expect.stringContaining("case"),
        },
      });
    }
    const next = await fixture.signedPackage(path, { name: "tool", version: "1.1" });
    expect((await fixture.call("POST", "/v1/packages", { json: next.json })).status).toBe(200);
  });

  test("are refused from a second publisher and with a changed manifest", async () => {
    await publishFile();
    const path = join(fixture.folder, "tool.bin");
    const otherKey = join(fixture.folder, "other.key");
    const foreign = await fixture.signedPackage(path, { name: "tool", version: "2" }, otherKey);
    expect(await fixture.call("POST", "/v1/packages", { json: foreign.json })).toMatchObject({
      status: 409,
      body: { hint: expect.stringContaining("--key") },
    });
    const own = await fixture.signedPackage(path, { name: "tool", version: "2" });
    const manifest = own.envelope.manifest.slice();
    manifest[manifest.length - 20]! ^= 1;
    const json = await publishBody({ ...own.envelope, manifest });
    expect(await fixture.call("POST", "/v1/packages", { json })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("signature") },
    });
  });

  test("store nothing of a wrong, short or long upload", async () => {
    const path = join(fixture.folder, "tool.bin");
    await writeFile(path, bytes);
    const { json } = await fixture.signedPackage(path, { name: "tool", version: "1.0" });
    const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
    const content = `/v1/packages/${body.packageId}/content`;
    const damaged = bytes.slice();
    damaged[500_000]! ^= 1;
    for (const wrong of [
      damaged,
      bytes.subarray(0, 600_000),
      Buffer.concat([bytes, Buffer.of(1)]),
      undefined,
    ]) {
      const answer = await fixture.call("PUT", content, wrong === undefined ? {} : { body: wrong });
      expect(answer).toMatchObject({ status: 422, body: { error: expect.any(String) } });
    }
    expect((await fixture.call("GET", content)).status).toBe(503);
    expect(await readdir(join(fixture.folder, "packages", body.packageId))).toEqual([]);
    const task = {
      package: "tool@1.0",
      action: "pre-cache",
      command: null,
      setting: null,
      target: "all",
      startAtMs: null,
    };
    expect((await fixture.call("POST", "/v1/tasks", { json: task })).status).toBe(409);
    expect((await fixture.call("PUT", content, { body: bytes })).status).toBe(200);
    expect(new Uint8Array(await (await fixture.raw("GET", content)).arrayBuffer())).toEqual(bytes);
  });

  test("have the files of a folder in manifest order as content, and may be empty", async () => {
    const folder = join(fixture.folder, "folder");
    await mkdir(join(folder, "sub"), { recursive: true });
    await writeFile(join(folder, "a.txt"), "first ");
    await writeFile(join(folder, "sub", "b.txt"), "second");
    const { json, manifest } = await fixture.signedPackage(folder, { name: "folder", version: "1" });
    const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
    expect(manifest.files.map((file) => file.path)).toEqual(["a.txt", "sub/b.txt"]);
    const content = `/v1/packages/${body.packageId}/content`;
    expect((await fixture.call("PUT", content, { body: "first second" })).status).toBe(200);
    const part = await fixture.raw("GET", content, { headers: { range: "bytes=4-7" } });
    expect([part.status, await part.text()]).toEqual([206, "t se"]);

    await writeFile(join(fixture.folder, "empty"), "");
    const empty = await fixture.signedPackage(join(fixture.folder, "empty"), { name: "empty", version: "1" });
    const published = await fixture.call<PublishResponse>("POST", "/v1/packages", { json: empty.json });
    const emptyContent = `/v1/packages/${published.body.packageId}/content`;
    expect((await fixture.call("PUT", emptyContent)).status).toBe(200);
    expect((await fixture.raw("GET", emptyContent)).status).toBe(200);
  });

  test("are ready at once and not served when their bytes are on another web site", async () => {
    const path = join(fixture.folder, "tool.bin");
    await writeFile(path, bytes);
    const { json } = await fixture.signedPackage(path, { name: "web", version: "1" });
    const urls = [{ url: "https://web.example/tool.bin?sig=secret", layout: "file" }];
    const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json: { ...json, urls } });
    expect(body.contentNeeded).toBe(false);
    const content = `/v1/packages/${body.packageId}/content`;
    expect(await fixture.call("GET", content)).toMatchObject({
      status: 404,
      body: { hint: "fetch it from https://web.example/tool.bin?…" },
    });
    // The copy of the source is one more place.
    const again = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
    expect(again.body.contentNeeded).toBe(true);
    expect((await fixture.call("PUT", content, { body: bytes })).status).toBe(200);
    expect((await fixture.raw("GET", content)).status).toBe(200);
    const { body: list } = await fixture.call("GET", "/v1/packages/web@1/urls");
    expect(list).toEqual({
      urls: [{ url: "https://web.example/tool.bin?…", layout: "file" }],
      atSource: true,
    });
  });

  test("get and lose URLs, which no answer shows with a secret", async () => {
    const path = join(fixture.folder, "tool.bin");
    await writeFile(path, bytes);
    const { json } = await fixture.signedPackage(path, { name: "web", version: "1" });
    const first = { url: "https://a.example/tool.bin?sig=secret", layout: "file" };
    const published = await fixture.call("POST", "/v1/packages", { json: { ...json, urls: [first] } });
    expect(published.status).toBe(200);
    const urls = "/v1/packages/web/urls";
    const add = (url: string) => fixture.call<{ error: string }>("POST", urls, { json: { url } });
    const remove = (url: string) => fixture.call<{ error: string }>("DELETE", urls, { json: { url } });
    expect((await add("https://user:secret@b.example/x")).body.error).toContain("contains credentials");
    expect((await add("ftp://b.example/x")).status).toBe(400);
    const last = await remove(first.url);
    expect([last.status, last.body.error]).toEqual([409, expect.stringContaining("has no copy")]);
    expect((await add("https://b.example/x?sig=secret")).body).toMatchObject({ atSource: false });
    expect((await add("https://b.example/x?sig=other")).status).toBe(200);
    expect((await remove("https://b.example/x?…")).body.error).toContain("Several URLs");
    const left = await remove("https://a.example/tool.bin?…");
    expect(left.body).toMatchObject({
      urls: [{ url: "https://b.example/x?…" }, { url: "https://b.example/x?…" }],
    });
    expect((await remove("https://c.example/")).status).toBe(404);
    const all = await (await fixture.raw("GET", "/v1/packages")).text();
    expect(all).not.toContain("sig=");
  });

  test("are named to the device that may download, with URLs added since", async () => {
    const path = join(fixture.folder, "tool.bin");
    await writeFile(path, bytes);
    const { json } = await fixture.signedPackage(path, { name: "tool", version: "1.0" });
    const first = { url: "https://a.example/tool.bin?sig=secret", layout: "file" };
    await fixture.call("POST", "/v1/packages", { json: { ...json, urls: [first] } });
    const device = await fixture.device("h1", "10.0.0.5");
    const taskId = await createTask();
    expect((await ask(device, taskId)).body).toMatchObject({ urls: [first], atSource: false });
    const second = { url: "https://b.example/", layout: "folder" };
    await fixture.call("POST", "/v1/packages/tool@1.0/urls", { json: { url: second.url } });
    expect((await ask(device, taskId)).body).toMatchObject({ urls: [first, second], atSource: false });
    expect((await askToken(device, taskId)).body).toMatchObject({ urls: [first, second], atSource: false });
  });

  test("are served with Range, If-Range, ETag and HEAD of RFC 9110", async () => {
    const id = await publishFile();
    const content = `/v1/packages/${id}/content`;
    const get = (headers: Record<string, string>, method = "GET") =>
      fixture.raw(method, content, { headers });
    const part = await get({ range: "bytes=300000-300009" });
    expect(part.status).toBe(206);
    expect(part.headers.get("content-range")).toBe(`bytes 300000-300009/${bytes.length}`);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.slice(300_000, 300_010));
    const beyond = await get({ range: `bytes=${bytes.length}-` });
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, `bytes */${bytes.length}`]);
    const etag = part.headers.get("etag")!;
    expect((await get({ range: "bytes=0-1", "if-range": etag })).status).toBe(206);
    expect((await get({ range: "bytes=0-1", "if-range": '"other"' })).status).toBe(200);
    expect((await get({ "if-none-match": etag })).status).toBe(304);
    const head = await get({}, "HEAD");
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(bytes.length)]);
  });
});

describe("tasks", () => {
  test("reach the targeted devices, also those that enrol later, until complete or cancelled", async () => {
    await publishFile();
    const first = await fixture.device("h1", "10.0.0.5");
    const all = await createTask();
    const subnet = await createTask("subnet:10.0.1.0/24");
    const labs = await createTask("group:labs");
    expect(await tasksOf(first)).toEqual([all]);
    const later = await fixture.device("h2", "10.0.1.7", ["labs"]);
    await fixture.call("POST", "/v1/tags", { json: { devices: "h2", add: ["labs"] } });
    const answer = await fixture.checkIn(later, inventoryOf("h2", "10.0.1.7", ["labs"]), "10.0.1.7");
    expect(answer.body.tasks.map((task) => task.id)).toEqual([all, subnet, labs]);
    expect(answer.body.trust.files).toHaveLength(2);

    await send(first, report(all, { state: "failed", reasons: [problemReason("disk full")] }));
    expect(await tasksOf(first)).toEqual([all]);
    await send(first, report(all, { state: "complete", bytesVerified: bytes.length }));
    expect(await tasksOf(first)).toEqual([]);
    await fixture.call("POST", `/v1/tasks/${all}/cancel`);
    expect(await tasksOf(later, "h2", "10.0.1.7")).toEqual([subnet, labs]);
  });

  test("contain a key of their own, the package's key, and the newest version of their setting", async () => {
    await publishFile();
    const device = await fixture.device("h1");
    const values = { ...defaultSettingValues, lanRateBps: 1_000_000 };
    await fixture.call("POST", "/v1/settings", {
      json: { name: "slow", differences: { lanRateBps: 1_000_000 } },
    });
    await createTask("all", { setting: "slow", startAtMs: fixture.clock.nowMs + 60_000 });
    await createTask();
    await createTask("all", { setting: "slow" });
    const { tasks: before } = (await fixture.checkIn(device, inventoryOf("h1"))).body;
    expect(before[0]).toMatchObject({
      startAtMs: fixture.clock.nowMs + 60_000,
      setting: { name: "slow", version: 1 },
    });
    const parents = [{ name: "default", version: 1 }];
    expect(before[0]!.setting).toEqual({ name: "slow", version: 1, parents, values });
    expect(before[1]!.setting.name).toBe("default");
    expect(before[0]!.taskKey).not.toBe(before[1]!.taskKey);
    expect(before[0]!.packageKey).toBe(before[1]!.packageKey);
    expect(Buffer.from(before[0]!.taskKey, "base64")).toHaveLength(16);
    await fixture.call("PATCH", "/v1/settings/slow", { json: { set: { lanRateBps: 2_000_000 } } });
    const after = (await fixture.checkIn(device, inventoryOf("h1"))).body;
    expect(after.tasks[0]!.setting.version).toBe(2);
    expect(after.tasks[0]!.setting.values.lanRateBps).toBe(2_000_000);
    // Orders of settings travel once, whatever the number of tasks.
    expect(after.settings.map((signed) => readOrder("setting", signed).name)).toEqual(["default", "slow"]);
  });

  test("are sent again to a device that serves them after its own end, until they are cancelled", async () => {
    await publishFile();
    const device = await fixture.device("h1");
    const taskId = await createTask();
    await send(device, report(taskId, { state: "complete", bytesVerified: bytes.length }));
    const servedTasks = async (): Promise<number[]> => {
      const json = { inventory: inventoryOf("h1"), serving: [taskId] };
      const init = { credential: device.credential, json };
      const { body } = await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", init);
      return body.tasks.map(({ id }) => id);
    };
    expect(await tasksOf(device, "h1")).toEqual([]);
    expect(await servedTasks()).toEqual([taskId]);
    await fixture.call("POST", `/v1/tasks/${taskId}/cancel`);
    expect(await servedTasks()).toEqual([]);
  });

  test("are cancelled at the holder of the lease first, which the other devices do not delay", async () => {
    await publishFile();
    const [holder, ...others] = [
      await fixture.device("h1"),
      await fixture.device("h2"),
      await fixture.device("h3"),
    ];
    const taskId = await createTask();
    const lease = { taskId, subnetId: holder.subnetId, address: "10.0.0.5", lanPort: 5, term: 1 };
    await fixture.call("POST", "/v1/agent/lease", { credential: holder.credential, json: lease });
    const readers = [holder, ...others].map(({ id }) => fixture.changeHub.open(id).getReader());
    const next = () =>
      Promise.all(readers.map(async (reader) => new TextDecoder().decode((await reader.read()).value)));
    await next();
    await fixture.call("POST", `/v1/tasks/${taskId}/cancel`);
    const wakes = [4, 8, 8].map((spreadMs) => `event: wake\ndata: {"spreadMs":${spreadMs}}\n\n`);
    expect(await next()).toEqual(wakes);
  });

  test("count the other connected devices that a session is for before it starts", async () => {
    await publishFile();
    const devices = [];
    for (const n of [1, 2, 3, 4, 5]) devices.push(await fixture.device(`h${n}`, `10.0.0.${n}`));
    const [holder, done, passedOver, present] = devices as [TestDevice, TestDevice, TestDevice, TestDevice];
    const taskId = await createTask();
    for (const { id } of [holder, done, passedOver, present]) fixture.changeHub.open(id);
    await send(done, report(taskId, { state: "complete", bytesVerified: bytes.length }));
    await send(passedOver, report(taskId, { state: "superseded", bytesVerified: 0 }));
    const json = {
      taskId,
      subnetId: holder.subnetId,
      address: "10.0.0.1",
      lanPort: 5,
      term: 1,
      starting: true,
    };
    const answer = await fixture.call("POST", "/v1/agent/lease", { credential: holder.credential, json });
    // One is complete, one superseded, and one not connected.
    expect(answer.body).toMatchObject({ result: "granted", present: 1 });
  });

  test("send their manifest in no more bytes than it has, although JSON carries it as text", async () => {
    await publishFile("tool", "1.0", new Uint8Array(randomBytes(40_000_000)));
    const device = await fixture.device("h1");
    const taskId = await createTask();
    const json = { taskId, subnetId: device.subnetId, address: "10.0.0.5", lanPort: 7_067, attempt: 0 };
    const headers = { "accept-encoding": "gzip" };
    const answer = await fixture.raw("POST", "/v1/agent/manifest", {
      credential: device.credential,
      json,
      headers,
    });
    expect(answer.headers.get("content-encoding")).toBe("gzip");
    const { length } = Buffer.from(await answer.arrayBuffer());
    // 153 chunks with a digest of 32 bytes, which do not compress.
    expect(length).toBeGreaterThan(153 * 32);
    expect(length).toBeLessThan(1.1 * 153 * 32);
  });

  test("name a command of the package, and a package by its highest version", async () => {
    const path = join(fixture.folder, "tool.bin");
    const commands = [{ name: "install", lines: [{ os: "linux", shell: "sh", line: "./install" }] }] as const;
    for (const version of ["1.10", "1.9"]) {
      await writeFile(path, version);
      const { json } = await fixture.signedPackage(path, { name: "tool", version, commands });
      const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
      await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: Buffer.from(version) });
    }
    const device = await fixture.device("h1", "10.0.0.5");
    const unknown = await fixture.call<{ error: string; hint: string }>("POST", "/v1/tasks", {
      json: { package: "tool", action: "run", run: "remove", setting: null, target: "all", startAtMs: null },
    });
    expect([unknown.status, unknown.body.hint]).toEqual([422, "it has: install"]);
    await createTask("all", { action: "run", run: "install" });
    const { body } = await fixture.checkIn(device, inventoryOf("h1"));
    expect(body.tasks).toMatchObject([{ packageVersion: "1.10", run: "install", command: null }]);
  });

  test("are refused when package, action, command, target or setting is invalid", async () => {
    await publishFile();
    const base = {
      package: "tool",
      action: "pre-cache",
      command: null,
      setting: null,
      target: "all",
      startAtMs: null,
    };
    const cases: [Record<string, unknown>, number][] = [
      [{ package: "tool@9" }, 404],
      [{ action: "run" }, 400],
      [{ action: "erase" }, 400],
      [{ command: "ls" }, 400],
      [{ action: "upgrade", command: "ls" }, 400],
      [{ action: "upgrade", run: "install" }, 400],
      [{ action: "run", run: "install" }, 422],
      [{ action: "run", run: "install", command: "ls" }, 400],
      [{ run: "install" }, 400],
      [{ target: "everyone" }, 404],
      [{ target: "oss=linux" }, 400],
      [{ target: "subnet:10.0.0.0/99" }, 400],
      [{ target: "device:0000000000000000" }, 404],
      [{ setting: "none-such" }, 404],
      [{ startAtMs: fixture.clock.nowMs + 3_651 * 86_400_000 }, 422],
      [{ startAtMs: fixture.clock.nowMs + 3_651 * 86_400_000, startIsLocal: true }, 422],
      [{ notWhile: ["EXCEL.EXE"] }, 400],
      [{ deadlineAtMs: fixture.clock.nowMs + 60_000 }, 400],
      ...[
        { notWhile: ["C:\\\\EXCEL.EXE"] },
        { notWhile: [""] },
        { notWhile: ["a,b"] },
        { notWhile: Array<string>(33).fill("a") },
      ].map((change): [Record<string, unknown>, number] => [
        { action: "run", command: "ls", ...change },
        400,
      ]),
      [{ action: "run", command: "ls", deadlineAtMs: fixture.clock.nowMs }, 422],
      [{ action: "run", command: "ls", deadlineAtMs: fixture.clock.nowMs + 91 * 86_400_000 }, 422],
      // Nanoseconds: no time that a device could print.
      [{ startAtMs: fixture.clock.nowMs * 1_000_000 }, 400],
    ];
    for (const [change, status] of cases) {
      const answer = await fixture.call("POST", "/v1/tasks", { json: { ...base, ...change } });
      expect([change, answer.status]).toEqual([change, status]);
    }
    expect((await fixture.call<{ tasks: TaskSummary[] }>("GET", "/v1/tasks")).body.tasks).toEqual([]);
  });

  test("show representative, progress and WAN bytes of each subnet", async () => {
    const id = await publishFile();
    const [lead, peer] = [await fixture.device("h1", "10.0.0.5"), await fixture.device("h2", "10.0.0.6")];
    expect(lead.subnetId).toBe(peer.subnetId);
    const elsewhere = await fixture.device("h3", "10.0.0.7", [], "203.0.113.9");
    expect(elsewhere.subnetId).not.toBe(lead.subnetId);
    const taskId = await createTask();
    const content = `/v1/packages/${id}/content`;
    await (await fixture.raw("GET", content, { credential: lead.credential })).arrayBuffer();
    await send(
      lead,
      report(taskId, {
        state: "downloading",
        role: "representative",
        term: 2,
        bytesVerified: 350_000,
        rateBps: 8_000,
      }),
    );
    await send(
      peer,
      report(taskId, { state: "failed", reasons: [problemReason("disk full")], bytesVerified: 350_000 }),
    );
    const { body } = await fixture.call<TaskDetail>("GET", `/v1/tasks/${taskId}`);
    expect(body.devices).toMatchObject({ total: 3, complete: 0, failed: 1, offline: 2 });
    expect(body.subnets.find((one) => one.subnetId === lead.subnetId)).toMatchObject({
      cidr: "10.0.0.0/24",
      representative: { deviceId: lead.id, hostname: "h1", term: 2 },
      state: "downloading",
      devices: 2,
      failed: 1,
      bytesVerified: 700_000,
      bytesTotal: 1_400_000,
      rateBps: 8_000,
      wanBytes: bytes.length,
    });
    expect(body.subnets.find((one) => one.subnetId === elsewhere.subnetId)).toMatchObject({
      state: "pending",
      representative: null,
      wanBytes: 0,
    });
    const failed = await fixture.call<TaskDetail>("GET", `/v1/tasks/${taskId}?devices=failed`);
    expect(failed.body.deviceList.map((device) => [device.hostname, reasonsText(device.reasons)])).toEqual([
      ["h2", "disk full"],
    ]);

    const second = await createTask();
    const cached = await fixture.call<TaskDetail>("GET", `/v1/tasks/${second}`);
    expect(cached.body.subnets.map((one) => one.wanBytes)).toEqual([0, 0]);
  });

  test("refuses manifest, lease and token to a device that means another task with the id", async () => {
    await publishFile();
    const { credential, subnetId } = await fixture.device("h1");
    const taskId = await createTask();
    const place = { subnetId, address: "10.0.0.5", lanPort: 7 };
    const requests = {
      manifest: { ...place, attempt: 0 },
      lease: { ...place, term: 1 },
      "lease/release": { subnetId, failure: "the disk is full" },
      fallback: { subnetId },
    };
    for (const [path, request] of Object.entries(requests)) {
      const ask = async (epoch: string): Promise<number> => {
        const json = { taskId, epoch, ...request };
        return (await fixture.call("POST", `/v1/agent/${path}`, { credential, json })).status;
      };
      expect([path, await ask("0".repeat(16)), await ask(fixture.catalog.epoch)]).toEqual([path, 409, 200]);
    }
  });

  test("leaves out reports of another task that had the id", async () => {
    await publishFile();
    const device = await fixture.device("h1");
    const taskId = await createTask();
    const { body } = await fixture.checkIn(device, inventoryOf("h1"));
    const { epoch, createdAtMs } = body.tasks[0]!;
    expect(epoch).toBe(fixture.catalog.epoch);
    const stateAfter = async (names: Partial<Progress>): Promise<string> => {
      await send(device, report(taskId, { state: "complete", ...names }));
      return (await fixture.call<TaskDetail>("GET", `/v1/tasks/${taskId}`)).body.deviceList[0]!.state;
    };
    expect(await stateAfter({ epoch: "0".repeat(16), createdAtMs })).toBe("pending");
    expect(await stateAfter({ epoch, createdAtMs: createdAtMs! + 1 })).toBe("pending");
    expect(await stateAfter({ epoch, createdAtMs })).toBe("complete");
  });
});

const ask = (device: TestDevice, taskId: number, more: Record<string, unknown> = {}) =>
  fixture.call<LeaseResponse>("POST", "/v1/agent/lease", {
    credential: device.credential,
    json: { taskId, subnetId: device.subnetId, address: device.address, lanPort: 7400, term: 1, ...more },
  });
const release = (device: TestDevice, taskId: number, failure: string | null, uselessBytes = 0) =>
  fixture.call("POST", "/v1/agent/lease/release", {
    credential: device.credential,
    json: { taskId, subnetId: device.subnetId, failure, uselessBytes },
  });

const askToken = (device: TestDevice, taskId: number, more: Record<string, unknown> = {}) =>
  fixture.call<FallbackResponse>("POST", "/v1/agent/fallback", {
    credential: device.credential,
    json: { taskId, subnetId: device.subnetId, ...more },
  });

describe("WAN fallback tokens", () => {
  test("are granted to one device of a subnet at a time, in turn", async () => {
    await publishFile();
    const devices: TestDevice[] = [];
    for (let at = 0; at < 6; at++) devices.push(await fixture.device(`h${at}`, `10.0.0.${at + 5}`));
    const taskId = await createTask();
    const waiting = [...devices];
    while (waiting.length > 0) {
      const results: string[] = [];
      for (const device of waiting) results.push((await askToken(device, taskId)).body.result);
      expect(results).toEqual(waiting.map((_, at) => (at === 0 ? "granted" : "refused")));
      await askToken(waiting.shift()!, taskId, { release: true });
    }
    const metrics = await (await fixture.raw("GET", "/metrics")).text();
    expect(metrics).toContain('flockcast_source_fallbacks_total{result="granted"} 6');
  });

  test("are refused to a device that is not on the subnet it names", async () => {
    await publishFile();
    const device = await fixture.device("h1", "10.0.0.5");
    const taskId = await createTask();
    expect((await askToken(device, taskId, { subnetId: "00000000000000ff" })).status).toBe(409);
  });
});

describe("leases", () => {
  test("are granted once per package and subnet, for 15 s", async () => {
    await publishFile();
    const [a, b] = [await fixture.device("h1", "10.0.0.5"), await fixture.device("h2", "10.0.0.6")];
    const branch = await fixture.device("h3", "10.0.0.7", [], "203.0.113.9");
    const taskId = await createTask();
    expect((await ask(a, taskId)).body).toEqual({
      result: "granted",
      expiresInMs: 15_000,
      term: 1,
      before: null,
      urls: [],
      atSource: true,
      // One of several devices can spend half of the budget.
      uselessBytesLeft: 700_000,
    });
    expect((await ask(b, taskId)).body).toMatchObject({
      result: "refused",
      holder: { deviceId: a.id, lanPort: 7400 },
    });
    expect((await ask(branch, taskId)).body.result).toBe("granted");
    // Another task for the same package causes no second WAN transfer.
    expect((await ask(b, await createTask())).body).toMatchObject({
      result: "refused",
      holder: { deviceId: a.id },
    });
    fixture.clock.nowMs += 15_000;
    expect((await ask(b, taskId)).body.result).toBe("granted");
    expect((await ask(a, taskId)).body.result).toBe("refused");
  });

  test("end with the token of their holder when it moves to another subnet", async () => {
    await publishFile();
    const [a, b] = [await fixture.device("h1", "10.0.0.5"), await fixture.device("h2", "10.0.0.6")];
    const taskId = await createTask();
    await ask(a, taskId);
    expect((await askToken(a, taskId)).body.result).toBe("granted");
    expect([(await ask(b, taskId)).body.result, (await askToken(b, taskId)).body.result]).toEqual([
      "refused",
      "refused",
    ]);
    await fixture.checkIn(a, inventoryOf("h1", "10.0.0.5"), "203.0.113.9");
    expect((await ask(a, taskId)).status).toBe(409);
    expect([(await ask(b, taskId)).body.result, (await askToken(b, taskId)).body.result]).toEqual([
      "granted",
      "granted",
    ]);
    expect((await release(a, taskId, null)).status).toBe(200);
    expect((await ask(a, taskId)).status).toBe(409);
    expect((await ask(b, taskId)).body.result).toBe("granted");
  });

  test("are refused with the reason when all devices of a subnet failed", async () => {
    await publishFile();
    const [a, b] = [await fixture.device("h1", "10.0.0.5"), await fixture.device("h2", "10.0.0.6")];
    const taskId = await createTask();
    for (const device of [a, b]) {
      await ask(device, taskId);
      await release(device, taskId, "404 Not Found");
    }
    expect((await ask(a, taskId)).body).toMatchObject({
      result: "failed",
      reason: expect.stringContaining("404 Not Found"),
    });
    fixture.clock.nowMs += 300_000;
    expect((await ask(a, taskId)).body.result).toBe("granted");
  });

  test("are refused for an unknown, cancelled or untargeted task and for another subnet", async () => {
    await publishFile();
    const device = await fixture.device("h1");
    const taskId = await createTask();
    expect((await ask(device, 99)).status).toBe(404);
    expect((await ask(device, taskId, { subnetId: "0123456789abcdef" })).status).toBe(409);
    expect((await ask(device, await createTask("group:others"))).status).toBe(409);
    await fixture.call("POST", `/v1/tasks/${taskId}/cancel`);
    expect((await ask(device, taskId)).status).toBe(409);
  });
});

describe("the budget of useless bytes", () => {
  // The package has 700,000 bytes, so the budget is 1.4 MB.
  test("is shared by the lease and the fallback tokens of a subnet, and by no other subnet", async () => {
    await publishFile();
    const [lead, apart] = [await fixture.device("h1", "10.0.0.5"), await fixture.device("h2", "10.0.0.6")];
    const branch = await fixture.device("h3", "10.0.0.7", [], "203.0.113.9");
    const taskId = await createTask();
    await ask(lead, taskId);
    expect((await ask(lead, taskId, { uselessBytes: 400_000 })).body).toMatchObject({
      uselessBytesLeft: 300_000,
    });
    const token = await askToken(apart, taskId, { uselessBytes: 50_000_000 });
    expect(token.body).toMatchObject({ result: "granted", uselessBytesLeft: 700_000 });
    const renewed = await askToken(apart, taskId, { uselessBytes: 50_600_000 });
    expect(renewed.body).toMatchObject({ result: "granted", uselessBytesLeft: 100_000 });
    // A device has spent its half, and the other one has the rest of its own.
    const spent = await askToken(apart, taskId, { uselessBytes: 59_000_000 });
    expect(spent.body).toEqual({ result: "refused", retryAfterMs: 300_000 });
    expect((await ask(lead, taskId, { uselessBytes: 400_000 })).body).toMatchObject({
      result: "granted",
      uselessBytesLeft: 300_000,
    });
    await release(lead, taskId, "it breaks off", 700_000);
    expect((await ask(lead, taskId, { uselessBytes: 700_000 })).body).toMatchObject({
      result: "failed",
      reason: "it breaks off",
    });
    expect((await ask(branch, taskId)).body).toMatchObject({ uselessBytesLeft: 1_400_000 });
  });

  test("ends the lease for a rest, until an administrator adds a URL or creates another task", async () => {
    await publishFile();
    const devices = [await fixture.device("h1", "10.0.0.5"), await fixture.device("h2", "10.0.0.6")];
    const taskId = await createTask();
    const spend = async (): Promise<void> => {
      for (const device of devices) {
        expect((await ask(device, taskId)).body.result).toBe("granted");
        await release(device, taskId, "5 MB were fetched in vain", 5_000_000);
      }
      const refused = (await ask(devices[1]!, taskId)).body;
      expect(refused).toMatchObject({ result: "failed", reason: expect.stringContaining("in vain") });
    };
    await spend();
    const json = { url: "https://b.example/tool.bin" };
    await fixture.call("POST", "/v1/packages/tool/urls", { json });
    await spend();
    await createTask();
    expect((await ask(devices[1]!, taskId)).body.result).toBe("granted");
  });
});
