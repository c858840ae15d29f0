import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PublishResponse, Subnet, TaskDetail } from "../api/schema/admin.ts";
import type { Device } from "../api/schema/device.ts";
import type { CheckInResponse, LeaseResponse, Probe } from "../api/schema/agent.ts";
import { inventoryOf, openFixture, type Fixture, type TestDevice } from "./app-fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

type Site = {
  readonly address: string;
  /** Null: the device does not know its gateway. */
  readonly gatewayMac: string | null;
  /** Public address of the site. */
  readonly remote: string;
  readonly group?: string;
};
const east = { gatewayMac: "a4:2b:b0:00:00:01", remote: "203.0.113.1" };
const west = { gatewayMac: "a4:2b:b0:00:00:02", remote: "203.0.113.2" };

/** Checks a device in; each device listens on TCP port 7067. */
async function checkIn({ credential }: TestDevice, site: Site): Promise<CheckInResponse> {
  const inventory = inventoryOf("h", site.address);
  Object.assign(inventory.interfaces[0]!, { gatewayMac: site.gatewayMac, group: site.group ?? "" });
  const init = { credential, json: { inventory, lanPort: 7_067 } };
  return (await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", init, site.remote)).body;
}

/** Enrols a device, opens its event stream and checks it in. */
async function joined(site: Site): Promise<TestDevice & { probes: Probe[] }> {
  // Devices are listed in the order of their enrolment.
  fixture.clock.nowMs++;
  const device = await fixture.device("h", site.address);
  fixture.changeHub.open(device.id);
  const { subnetId, probes } = await checkIn(device, site);
  return { ...device, subnetId: subnetId!, probes };
}

const confirm = async ({ credential }: TestDevice, probe: string): Promise<void> => {
  const answer = await fixture.call("POST", "/v1/agent/neighbour", { credential, json: { probe } });
  expect(answer.status).toBe(200);
};
const subnets = async (): Promise<Subnet[]> =>
  (await fixture.call<{ subnets: Subnet[] }>("GET", "/v1/subnets")).body.subnets;
const sites = async () =>
  (await subnets())
    .map(({ gateway, mergedGateways, devices }) => [[gateway].concat(mergedGateways), devices] as const)
    .toSorted(([, a], [, b]) => b - a);
const lease = async ({ credential }: TestDevice, taskId: number, subnetId: string, address: string) => {
  const json = { taskId, subnetId, address, lanPort: 7_067, term: 1 };
  return fixture.call<LeaseResponse>("POST", "/v1/agent/lease", { credential, json });
};

async function createTask(): Promise<number> {
  const path = join(fixture.folder, "tool.bin");
  await writeFile(path, randomBytes(100_000));
  const { json } = await fixture.signedPackage(path, { name: "tool", version: "1" });
  const { packageId } = (await fixture.call<PublishResponse>("POST", "/v1/packages", { json })).body;
  await fixture.call("PUT", `/v1/packages/${packageId}/content`, { body: await Bun.file(path).bytes() });
  const task = { action: "pre-cache", command: null, setting: null, target: "all", startAtMs: null };
  const created = await fixture.call<{ taskId: number }>("POST", "/v1/tasks", {
    json: { package: "tool", ...task },
  });
  return created.body.taskId;
}

const report = {
  taskId: 1,
  state: "receiving",
  role: "peer",
  term: 1,
  bytesTotal: 1,
  bytesVerified: 0,
  from: { wan: 0, multicast: 0, peers: 0, cache: 0 },
  wanBytesFetched: 0,
  lanBytesSent: 0,
  rateBps: 0,
  reasons: [],
  command: null,
};

test("a device that waits for an approval is nobody's neighbour, and asks about none", async () => {
  const terms = { kind: "enrolment", name: "w", needsApproval: true, uses: null, expiresAtMs: null };
  const { body: token } = await fixture.call<{ text: string }>("POST", "/v1/tokens", { json: terms });
  const json = { token: token.text, hostname: "h", os: "l", arch: "x", agentVersion: "1" };
  const init = { credential: null, json };
  const { body } = await fixture.call<{ deviceId: string; credential: string }>(
    "POST",
    "/v1/agent/enroll",
    init,
  );
  const waiting = { id: body.deviceId, credential: body.credential, subnetId: "", address: "192.168.1.10" };
  const place = { ...east, address: "192.168.1.10" };
  fixture.changeHub.open(waiting.id);
  await checkIn(waiting, place);
  expect((await joined({ ...west, address: "192.168.1.11" })).probes).toEqual([]);
  expect((await checkIn(waiting, place)).probes).toEqual([]);
  await fixture.call("POST", `/v1/devices/${waiting.id}/approve`);
  expect((await checkIn(waiting, place)).probes).toHaveLength(1);
});

test("subnets are merged once both devices of a probe confirm, not on the word of one", async () => {
  const a = await joined({ ...east, address: "192.168.1.10" });
  const b = await joined({ ...west, address: "192.168.1.11" });
  expect(a.probes).toEqual([]);
  expect(b.probes).toMatchObject([{ deviceId: a.id, address: "192.168.1.10", lanPort: 7_067 }]);
  const [probe] = (await checkIn(a, { ...east, address: "192.168.1.10" })).probes;
  expect(probe).toEqual({ ...b.probes[0]!, deviceId: b.id, address: "192.168.1.11" });

  const stranger = await joined({ ...west, address: "10.9.9.9" });
  await confirm(a, probe!.id);
  await confirm(a, probe!.id);
  await confirm(stranger, probe!.id);
  expect(await sites()).toHaveLength(3);
  await confirm(b, probe!.id);
  expect(await sites()).toEqual([
    [["gateway:a42bb0000001", "gateway:a42bb0000002"], 2],
    [["gateway:a42bb0000002"], 1],
  ]);
  // Also after a restart of the device, and for a device that comes later.
  expect((await checkIn(b, { ...west, address: "192.168.1.11" })).subnetId).toBe(a.subnetId);
  const later = await joined({ ...west, address: "192.168.1.12" });
  expect(later).toMatchObject({ subnetId: a.subnetId, probes: [] });
});

test("a probe that was not confirmed in time merges nothing, and is repeated with back-off", async () => {
  const a = await joined({ ...east, address: "192.168.1.10" });
  const b = await joined({ ...west, address: "192.168.1.11" });
  const again = async () => (await checkIn(b, { ...west, address: "192.168.1.11" })).probes;
  await confirm(a, b.probes[0]!.id);
  expect(await again()).toEqual(b.probes);
  fixture.clock.nowMs += 60_000;
  await confirm(b, b.probes[0]!.id);
  expect(await sites()).toHaveLength(2);
  expect(await again()).toHaveLength(1);
  fixture.clock.nowMs += 60_000;
  expect(await again()).toEqual([]);
  fixture.clock.nowMs += 60_000;
  expect(await again()).toHaveLength(1);
});

test("a merge moves tasks, leases and the WAN account: one holder keeps the lease", async () => {
  const a = await joined({ ...east, address: "192.168.1.10" });
  const b = await joined({ ...west, address: "192.168.1.11" });
  const taskId = await createTask();
  const holder = { deviceId: a.id, address: "192.168.1.10", lanPort: 7_067, term: 1 };
  expect((await lease(a, taskId, a.subnetId, "192.168.1.10")).body.result).toBe("granted");
  expect((await lease(b, taskId, b.subnetId, "192.168.1.11")).body.result).toBe("granted");
  const { packageId } = (await fixture.call<TaskDetail>("GET", `/v1/tasks/${taskId}`)).body;
  for (const { credential } of [a, b])
    await fixture
      .raw("GET", `/v1/packages/${packageId}/content`, { credential })
      .then((answer) => answer.bytes());
  const probe = b.probes[0]!.id;
  await confirm(a, probe);
  await confirm(b, probe);
  const { body } = await fixture.call<TaskDetail>("GET", `/v1/tasks/${taskId}`);
  expect(body.subnets).toMatchObject([{ subnetId: a.subnetId, devices: 2, wanBytes: 200_000 }]);
  // b has not checked in since, and asks with its former subnet.
  expect((await lease(b, taskId, b.subnetId, "192.168.1.11")).body).toMatchObject({
    result: "refused",
    holder,
  });
  expect((await lease(a, taskId, a.subnetId, "192.168.1.10")).body.result).toBe("granted");
});

test("a device that knows no gateway is merged alone, until its identity changes", async () => {
  const a = await joined({ ...east, address: "192.168.1.10" });
  const bare = { remote: east.remote, gatewayMac: null };
  const b = await joined({ ...bare, address: "192.168.1.11" });
  await confirm(a, b.probes[0]!.id);
  await confirm(b, b.probes[0]!.id);
  expect(await sites()).toEqual([[["gateway:a42bb0000001", `egress:${east.remote}`], 2]]);

  // The provider gives the public address to another site of the same CIDR.
  await checkIn(a, { ...east, remote: "203.0.113.77", address: "192.168.1.10" });
  const elsewhere = await joined({ ...bare, address: "192.168.1.12" });
  expect(elsewhere.subnetId).not.toBe(a.subnetId);
  // The device goes to another site, and its neighbour there to the first one.
  const moved = await checkIn(b, { ...bare, remote: "198.51.100.4", address: "192.168.1.11" });
  expect(moved.subnetId).not.toBe(a.subnetId);
  expect((await checkIn(b, { ...bare, address: "192.168.1.11" })).subnetId).toBe(elsewhere.subnetId);
});

test("devices of another CIDR or group are not probed, nor those of many sites with one CIDR", async () => {
  await joined({ ...east, address: "192.168.1.10" });
  expect((await joined({ ...west, address: "192.168.2.10" })).probes).toEqual([]);
  const group = "239.192.7.1:7400";
  expect((await joined({ ...west, address: "192.168.1.11", group })).probes).toEqual([]);
  for (let site = 3; site <= 10; site++) {
    const gatewayMac = `a4:2b:b0:00:01:${String(site).padStart(2, "0")}`;
    await joined({ gatewayMac, remote: `198.51.100.${site}`, address: `192.168.1.${site}` });
  }
  expect((await joined({ ...west, address: "192.168.1.12" })).probes).toEqual([]);
  // A device that receives a representative by multicast is probed with it, whatever the site.
  const [a] = (await fixture.call<{ devices: Device[] }>("GET", "/v1/devices")).body.devices;
  const south = { gatewayMac: "a4:2b:b0:00:00:09", remote: "203.0.113.9", address: "192.168.1.14" };
  const far = await joined(south);
  const { credential } = far;
  const json = { reports: [{ ...report, taskId: await createTask(), follows: a!.id }] };
  expect((await fixture.call("POST", "/v1/agent/progress", { credential, json })).status).toBe(200);
  const { probes } = await checkIn(far, south);
  expect(probes).toMatchObject([{ deviceId: a!.id, address: "192.168.1.10", lanPort: 7_067 }]);
  // One public address singles a site out, and is another one than that of the device's subnet.
  const { probes: both } = await joined({ ...west, remote: east.remote, address: "192.168.1.13" });
  expect(new Set(both.map(({ address }) => address))).toEqual(new Set(["192.168.1.10", "192.168.1.12"]));
});

test("an administrator splits a merged subnet", async () => {
  const a = await joined({ ...east, address: "192.168.1.10" });
  const b = await joined({ ...west, address: "192.168.1.11" });
  await confirm(a, b.probes[0]!.id);
  await confirm(b, b.probes[0]!.id);
  const path = `/v1/subnets/${a.subnetId}/split`;
  expect((await fixture.call("POST", path, { credential: a.credential })).status).toBe(403);
  expect(await sites()).toHaveLength(1);
  expect((await fixture.call("POST", path)).status).toBe(200);
  expect(await sites()).toHaveLength(2);
  expect((await fixture.call("POST", path)).status).toBe(404);
  expect((await checkIn(b, { ...west, address: "192.168.1.11" })).subnetId).toBe(b.subnetId);
  // Bytes of b count as those of its own subnet again.
  const task = `/v1/tasks/${await createTask()}`;
  const { packageId } = (await fixture.call<TaskDetail>("GET", task)).body;
  const content = `/v1/packages/${packageId}/content`;
  await (await fixture.raw("GET", content, { credential: b.credential })).bytes();
  const accounts = (await fixture.call<TaskDetail>("GET", task)).body.subnets;
  expect(accounts.find(({ subnetId }) => subnetId === b.subnetId)?.wanBytes).toBe(100_000);
});

test("subnets that are merged one after the other end in one", async () => {
  const a = await joined({ ...east, address: "192.168.1.10" });
  const b = await joined({ ...west, address: "192.168.1.11" });
  const north = { gatewayMac: "a4:2b:b0:00:00:03", remote: "203.0.113.3", address: "192.168.1.12" };
  const c = await joined(north);
  const others = new Map([a, b, c].map((device) => [device.id, device]));
  const merge = async (device: TestDevice, probes: readonly Probe[], withId: string): Promise<void> => {
    const probe = probes.find(({ deviceId }) => deviceId === withId)!;
    await confirm(device, probe.id);
    await confirm(others.get(withId)!, probe.id);
  };
  await merge(c, c.probes, b.id);
  await merge(b, b.probes, a.id);
  expect(await sites()).toHaveLength(1);
  const ids = [
    await checkIn(a, { ...east, address: "192.168.1.10" }),
    await checkIn(b, { ...west, address: "192.168.1.11" }),
    await checkIn(c, north),
  ].map(({ subnetId }) => subnetId);
  expect(new Set(ids).size).toBe(1);
});
