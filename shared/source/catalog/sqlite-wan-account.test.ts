/** The WAN account, by the routes of the source with a clock that tests set. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TaskDetail, WanReport } from "../../api/schema/admin.ts";
import { inventoryOf, openFixture, type Fixture, type TestDevice } from "../app-fixture.ts";

const sizeBytes = 1_000;
const hourMs = 3_600_000;
let fixture: Fixture;
let packageId: string;
let devices: TestDevice[];

beforeEach(async () => {
  fixture = await openFixture();
  packageId = await publish("tool", "1");
  devices = [
    await fixture.device("a", "10.0.0.5"),
    await fixture.device("b", "10.0.0.6"),
    await fixture.device("c", "10.0.9.5", [], "203.0.113.9"),
  ];
});
afterEach(() => fixture.close());

async function publish(name: string, version: string, urls: readonly string[] = []): Promise<string> {
  const path = join(fixture.folder, `${name}.bin`);
  const bytes = new Uint8Array(sizeBytes).fill(version.charCodeAt(0));
  await writeFile(path, bytes);
  const { json } = await fixture.signedPackage(path, { name, version });
  const places = urls.map((url) => ({ url, layout: "file" }));
  const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", {
    json: { ...json, urls: places },
  });
  if (urls.length === 0) await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: bytes });
  return body.packageId;
}

async function createTask(name = "tool"): Promise<number> {
  const json = { package: name, action: "pre-cache", setting: null, target: "all", startAtMs: null };
  return (await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json })).body.taskId;
}

const fetchFrom = async ({ credential }: TestDevice, id = packageId, range = "bytes=0-999") =>
  (await fixture.raw("GET", `/v1/packages/${id}/content`, { credential, headers: { range } })).bytes();

async function lease({ credential, subnetId, address }: TestDevice, taskId: number): Promise<void> {
  const json = { taskId, subnetId, address, lanPort: 5, term: 1 };
  await fixture.call("POST", "/v1/agent/lease", { credential, json });
}

type Reported = { fetched?: number; verified?: number; state?: string; attempt?: number };

async function report({ credential }: TestDevice, taskId: number, reported: Reported): Promise<void> {
  const { fetched = 0, verified = 0, state = "downloading", attempt = 1 } = reported;
  const one = {
    taskId,
    state,
    role: "none",
    term: 1,
    bytesTotal: sizeBytes,
    bytesVerified: verified,
    from: { wan: 0, multicast: 0, peers: 0, cache: 0 },
    wanBytesFetched: fetched,
    lanBytesSent: 0,
    rateBps: 0,
    reasons: [],
    command: null,
    attempt,
  };
  const answer = await fixture.call("POST", "/v1/agent/progress", { credential, json: { reports: [one] } });
  expect(answer.status).toBe(200);
}

const wanReport = async (query = ""): Promise<WanReport> =>
  (await fixture.call<WanReport>("GET", `/v1/reports/wan?by=package${query}`)).body;
const totals = async () => (await wanReport()).total;
const wanOf = async (taskId: number): Promise<number[]> =>
  (await fixture.call<TaskDetail>("GET", `/v1/tasks/${taskId}`)).body.subnets
    .toSorted((a, b) => (a.cidr < b.cidr ? -1 : 1))
    .map(({ wanBytes }) => wanBytes);

describe("bytes that the source sends", () => {
  test("count once, for the task whose lease the device holds, whatever the number of tasks", async () => {
    const [a] = devices;
    const [first, second] = [await createTask(), await createTask()];
    await lease(a!, second);
    await fetchFrom(a!);
    await report(a!, second, { fetched: sizeBytes, verified: sizeBytes, state: "complete" });
    await report(a!, first, { verified: sizeBytes, state: "complete" });
    expect([await wanOf(first), await wanOf(second)]).toEqual([
      [0, 0],
      [sizeBytes, 0],
    ]);
    expect(await totals()).toEqual({
      sourceBytes: sizeBytes,
      webBytes: 0,
      crossedBytes: sizeBytes,
      directBytes: sizeBytes,
    });
  });

  test("leave tasks that were cancelled before they began at 0", async () => {
    const begun = await createTask();
    const cancelled = await Promise.all(Array.from({ length: 5 }, () => createTask()));
    for (const id of cancelled) await fixture.call("POST", `/v1/tasks/${id}/cancel`);
    await lease(devices[0]!, begun);
    await fetchFrom(devices[0]!);
    for (const id of cancelled) expect(await wanOf(id)).toEqual([0, 0]);
    expect(await wanOf(begun)).toEqual([sizeBytes, 0]);
  });

  test("stay in the account when task and package are removed", async () => {
    const taskId = await createTask();
    await lease(devices[0]!, taskId);
    await fetchFrom(devices[0]!);
    const before = await wanReport();
    await fixture.call("POST", `/v1/tasks/${taskId}/cancel`);
    await fixture.call("DELETE", `/v1/tasks/${taskId}`);
    expect((await fixture.call("DELETE", `/v1/packages/${packageId}`)).status).toBe(200);
    expect(await wanReport()).toEqual(before);
    expect(before.rows).toMatchObject([{ id: packageId, name: "tool 1", crossedBytes: sizeBytes }]);
  });
});

describe("bytes of other web sites", () => {
  test("count by the growth of the reports, once per device, also across tasks", async () => {
    const id = await publish("web", "1", ["https://files.example/web.bin"]);
    const [a, b, c] = devices;
    const [first, second] = [await createTask("web"), await createTask("web")];
    for (const fetched of [400, 400, 900]) await report(a!, first, { fetched });
    // The process was killed and lost count of some bytes, and fetches on.
    for (const fetched of [800, 900]) await report(a!, first, { fetched });
    await report(a!, second, { fetched: 50 });
    await report(c!, second, { fetched: sizeBytes });
    await report(b!, second, { fetched: 0, verified: sizeBytes });
    expect((await wanReport()).rows).toMatchObject([
      { id, sourceBytes: 0, webBytes: 1_000 + 50 + sizeBytes, directBytes: sizeBytes },
    ]);
    expect([await wanOf(first), await wanOf(second)]).toEqual([
      [1_000, 0],
      [50, sizeBytes],
    ]);
  });

  test("do not contain what the source sent to the same device", async () => {
    const [a] = devices;
    const taskId = await createTask();
    await fixture.call("POST", `/v1/packages/tool/urls`, { json: { url: "https://files.example/tool.bin" } });
    await fetchFrom(a!, packageId, "bytes=0-299");
    await report(a!, taskId, { fetched: 300 });
    await report(a!, taskId, { fetched: sizeBytes });
    expect(await totals()).toMatchObject({ sourceBytes: 300, webBytes: 700, crossedBytes: sizeBytes });
    expect(await wanOf(taskId)).toEqual([sizeBytes, 0]);
  });

  test("of another attempt count too", async () => {
    await publish("web", "1", ["https://files.example/web.bin"]);
    const [a] = devices;
    const taskId = await createTask("web");
    await report(a!, taskId, { fetched: 600, state: "failed" });
    await fixture.call("POST", `/v1/tasks/${taskId}/retry`);
    await report(a!, taskId, { fetched: 700, attempt: 2 });
    expect((await totals()).webBytes).toBe(1_300);
  });
});

test("what would have crossed counts a package once per device, whatever the number of tasks", async () => {
  const [a, b] = devices;
  const [first, second] = [await createTask(), await createTask()];
  await report(a!, first, { verified: sizeBytes - 1 });
  expect((await totals()).directBytes).toBe(0);
  for (const state of ["verifying", "complete"]) await report(a!, first, { verified: sizeBytes, state });
  // A command that failed needed the package all the same.
  await report(b!, first, { verified: sizeBytes, state: "failed" });
  for (const device of [a!, b!]) await report(device, second, { verified: sizeBytes, state: "complete" });
  expect((await totals()).directBytes).toBe(2 * sizeBytes);
  await publish("tool", "2");
  await report(a!, await createTask(), { verified: sizeBytes, state: "complete" });
  expect((await totals()).directBytes).toBe(3 * sizeBytes);
});

describe("a report", () => {
  test("has the hours of its time, by site, subnet, package and month of a time zone", async () => {
    const [a, , c] = devices;
    await createTask();
    // Midnight of 1 March in Berlin.
    fixture.clock.nowMs = Date.UTC(2027, 1, 28, 23);
    await fetchFrom(a!, packageId, "bytes=0-99");
    await wanReport();
    fixture.clock.nowMs -= hourMs;
    await fetchFrom(c!, packageId, "bytes=0-9");
    const by = async (what: string): Promise<unknown[][]> =>
      (await fixture.call<WanReport>("GET", `/v1/reports/wan?${what}`)).body.rows
        .map((row) => [row.name, row.crossedBytes])
        .toSorted((one, other) => Number(one[1]) - Number(other[1]));
    expect(await by("by=month")).toEqual([["2027-02", 110]]);
    expect(await by("by=month&zone=Europe/Berlin")).toEqual([
      ["2027-02", 10],
      ["2027-03", 100],
    ]);
    expect(await by(`by=package&since=${Date.UTC(2027, 1, 28, 23)}`)).toEqual([["tool 1", 100]]);
    expect(await by(`by=package&until=${Date.UTC(2027, 1, 28, 23)}`)).toEqual([["tool 1", 10]]);
    expect(await by("by=site")).toEqual([
      ["egress:203.0.113.9", 10],
      ["routed", 100],
    ]);
    expect(await by("by=subnet")).toEqual([
      ["10.0.9.0/24 egress:203.0.113.9", 10],
      ["10.0.0.0/24 routed", 100],
    ]);
  });

  test.each(["by=device", "zone=Mars/Base&by=month", "since=-1", "until=tomorrow"])(
    "refuses the query %p",
    async (query) => {
      expect((await fixture.call("GET", `/v1/reports/wan?${query}`)).status).toBe(400);
    },
  );
});

test("the metrics have the totals of the account, which stay when old hours are removed", async () => {
  const [a] = devices;
  const taskId = await createTask();
  await fetchFrom(a!);
  await report(a!, taskId, { fetched: sizeBytes, verified: sizeBytes, state: "complete" });
  await fixture.catalog.wan.removeBefore(fixture.clock.nowMs + hourMs);
  expect((await wanReport()).rows).toEqual([]);
  const metrics = await (await fixture.raw("GET", "/metrics")).text();
  expect(metrics).toContain(`\nflockcast_source_wan_bytes_total ${sizeBytes}\n`);
  expect(metrics).toContain(`\nflockcast_source_wan_direct_bytes_total ${sizeBytes}\n`);
});

test("a device that moved to another subnet takes no bytes along", async () => {
  const [a] = devices;
  const taskId = await createTask();
  await fetchFrom(a!);
  await report(a!, taskId, { fetched: sizeBytes });
  await fixture.checkIn(a!, inventoryOf("a", "10.0.9.7"), "203.0.113.9");
  await report(a!, taskId, { fetched: sizeBytes });
  const { body } = await fixture.call<WanReport>("GET", "/v1/reports/wan?by=subnet");
  expect(body.rows.map(({ name, crossedBytes }) => [name.split(" ")[0], crossedBytes])).toEqual([
    ["10.0.0.0/24", sizeBytes],
  ]);
});
