/** Requests of an enrolled device that claims the subnet of others: what it can and cannot do. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TaskDetail } from "../api/schema/admin.ts";
import type {
  CheckInResponse,
  FallbackResponse,
  LeaseResponse,
  ManifestAnswer,
  Probe,
} from "../api/schema/agent.ts";
import type { ReceivedFrom } from "../api/schema/common.ts";
import { leaseIdleMs, leaseUnservedMs } from "../model/lease-service.ts";
import { termStepMax } from "../model/lease.ts";
import { inventoryOf, openFixture, reportOf, type Fixture, type TestDevice } from "./app-fixture.ts";
import { fallbackTokensMax } from "./fallback-tokens.ts";

let fixture: Fixture;
let packageId: string;
let taskId: number;
beforeEach(async () => {
  fixture = await openFixture();
  packageId = await publish("tool");
  taskId = await createTask("tool");
});
afterEach(() => fixture.close());

async function publish(name: string): Promise<string> {
  const path = join(fixture.folder, `${name}.bin`);
  await writeFile(path, name);
  const { json } = await fixture.signedPackage(path, { name, version: "1" });
  const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: name });
  return body.packageId;
}

async function createTask(name: string, target = "all"): Promise<number> {
  const json = { package: name, action: "pre-cache", command: null, setting: null, target, startAtMs: null };
  return (await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json })).body.taskId;
}

/** Public address of the subnet, and the one of a stranger that claims it. */
const [home, elsewhere] = ["203.0.113.1", "198.51.100.9"];
const gatewayMac = "a4:2b:b0:00:00:01";

async function checkIn({ credential }: { credential: string }, address: string, remote: string) {
  const inventory = inventoryOf("h", address);
  Object.assign(inventory.interfaces[0]!, { gatewayMac });
  const init = { credential, json: { inventory, lanPort: 7_067 } };
  return (await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", init, remote)).body;
}

/** Enrols a device with an address of the subnet, opens its event stream and checks it in. */
async function joined(address: string, remote: string): Promise<TestDevice & { probes: Probe[] }> {
  const device = await fixture.device("h", address);
  fixture.changeHub.open(device.id);
  const { subnetId, probes } = await checkIn(device, address, remote);
  return { ...device, subnetId: subnetId!, probes };
}

const body = (device: TestDevice, more: object) => ({
  credential: device.credential,
  json: { taskId, subnetId: device.subnetId, ...more },
});
const ask = async (device: TestDevice, term = 1, more: object = {}): Promise<LeaseResponse> => {
  const init = body(device, { address: device.address, lanPort: 7_067, term, ...more });
  return (await fixture.call<LeaseResponse>("POST", "/v1/agent/lease", init)).body;
};
const release = (device: TestDevice, failure: string | null = null, uselessBytes = 0) =>
  fixture.call("POST", "/v1/agent/lease/release", body(device, { failure, uselessBytes }));
const askToken = async (device: TestDevice): Promise<FallbackResponse["result"]> =>
  (await fixture.call<FallbackResponse>("POST", "/v1/agent/fallback", body(device, {}))).body.result;
const askManifest = async (device: TestDevice): Promise<ManifestAnswer> => {
  const init = body(device, { address: device.address, lanPort: 7_067, attempt: 0 });
  return (await fixture.call<ManifestAnswer>("POST", "/v1/agent/manifest", init)).body;
};
const reports = (device: TestDevice, receivedFrom: ReceivedFrom[]) =>
  fixture.call("POST", "/v1/agent/progress", {
    credential: device.credential,
    json: { reports: [reportOf(taskId, "receiving", { receivedFrom })] },
  });
const bytesFrom = (deviceId: string): ReceivedFrom[] => [
  { deviceId, bytes: 100, signAgoMs: 0, bytesAgoMs: 0 },
];
const download = async (device: TestDevice, id = packageId): Promise<number> =>
  (await fixture.raw("GET", `/v1/packages/${id}/content`, { credential: device.credential })).status;

/** Renews the lease of `holder` while `other` asks; returns the time until `other` gets it. */
async function contest(holder: TestDevice, other: TestDevice, untilMs: number): Promise<number | null> {
  const fromMs = fixture.clock.nowMs;
  while (fixture.clock.nowMs < fromMs + untilMs) {
    await ask(holder, 1);
    if ((await ask(other, 2)).result === "granted") return fixture.clock.nowMs - fromMs;
    fixture.clock.nowMs += 2_000;
  }
  return null;
}

describe("a lease", () => {
  test("goes to another device of the subnet when nobody receives its holder", async () => {
    const [hostile, honest] = [await joined("10.0.0.66", home), await joined("10.0.0.5", home)];
    expect(await contest(hostile, honest, 60_000)).toBe(leaseUnservedMs);
    expect(await ask(hostile, 9)).toMatchObject({ result: "refused", holder: { deviceId: honest.id } });
    // The former holder does not get it at once when it is free.
    await release(honest);
    expect((await ask(hostile, 9)).result).toBe("refused");
    expect((await ask(honest, 9)).result).toBe("granted");
  });

  test("stays while another device reports bytes of its holder, and not by reports of the holder", async () => {
    const [hostile, honest, third] = [
      await joined("10.0.0.66", home),
      await joined("10.0.0.5", home),
      await joined("10.0.0.6", home),
    ];
    for (let times = 0; times < 8; times++) {
      await reports(third, bytesFrom(honest.id));
      expect(await contest(honest, hostile, 10_000)).toBeNull();
    }
    expect(await contest(honest, hostile, 60_000)).toBe(leaseIdleMs - 10_000);
    await release(hostile);
    fixture.clock.nowMs += 60_000;
    await ask(hostile, 9);
    await reports(hostile, bytesFrom(hostile.id));
    await reports(third, bytesFrom(honest.id));
    expect(await contest(hostile, third, 60_000)).not.toBeNull();
  });

  test("is refused with a term far above the known one, with the highest possible one", async () => {
    const device = await joined("10.0.0.66", home);
    expect(await ask(device, 4_294_967_295)).toEqual({ result: "term-too-high", termMax: termStepMax });
    expect((await ask(device, termStepMax)).result).toBe("granted");
  });

  test("is refused with an address that is not the one of the device", async () => {
    const device = await joined("10.0.0.66", home);
    for (const address of ["10.0.0.5", "127.0.0.1", "169.254.169.254", "8.8.8.8"]) {
      const init = body(device, { address, lanPort: 7_067, term: 1 });
      expect((await fixture.call("POST", "/v1/agent/lease", init)).status).toBe(409);
      const wanted = body(device, { address, lanPort: 7_067, attempt: 0 });
      expect((await fixture.call("POST", "/v1/agent/manifest", wanted)).status).toBe(409);
    }
  });

  test("is not ended for others by the failures and useless bytes of one device", async () => {
    const [hostile, honest] = [await joined("10.0.0.66", home), await joined("10.0.0.5", home)];
    for (let times = 0; times < 5; times++) {
      await ask(hostile, 1);
      await release(hostile, "no", 1e12 * (times + 1));
    }
    expect((await ask(honest, 2)).result).toBe("granted");
  });
});

describe("a device with another egress than the others of its subnet", () => {
  test("has a lease, a token and a manifest of its own, and no part in those of the subnet", async () => {
    const honest = [await joined("10.0.0.5", home), await joined("10.0.0.6", home)] as const;
    const stranger = await joined("10.0.0.66", elsewhere);
    expect(stranger.subnetId).toBe(honest[0].subnetId);
    expect((await ask(stranger)).result).toBe("granted");
    expect(await ask(honest[0], 1, { starting: true })).toMatchObject({ result: "granted", present: 1 });
    expect(await ask(honest[1])).toMatchObject({ result: "refused", holder: { deviceId: honest[0].id } });
    expect([await askToken(stranger), await askToken(honest[1])]).toEqual(["granted", "granted"]);
    expect([(await askManifest(stranger)).result, (await askManifest(honest[0])).result]).toEqual([
      "granted",
      "granted",
    ]);
    expect(await askManifest(honest[1])).toMatchObject({ holders: [{ deviceId: honest[0].id }] });
    await release(stranger, "no");
    await release(honest[0]);
    expect((await ask(honest[1], 2)).result).toBe("granted");
  });

  test("also where it is the first of the subnet", async () => {
    const stranger = await joined("10.0.0.66", elsewhere);
    await ask(stranger);
    const [a, b] = [await joined("10.0.0.5", home), await joined("10.0.0.6", home)];
    expect((await ask(a)).result).toBe("granted");
    expect(await ask(b)).toMatchObject({ result: "refused", holder: { deviceId: a.id } });
  });

  test("shares them once it and a device of the subnet have confirmed each other", async () => {
    const a = await joined("10.0.0.5", home);
    const b = await joined("10.0.0.6", elsewhere);
    expect(b.probes).toMatchObject([{ deviceId: a.id, address: "10.0.0.5" }]);
    const [probe] = (await checkIn(a, "10.0.0.5", home)).probes;
    const confirm = (device: TestDevice) => {
      const init = { credential: device.credential, json: { probe: probe!.id } };
      return fixture.call("POST", "/v1/agent/neighbour", init);
    };
    await ask(a);
    await confirm(b);
    expect((await ask(b)).result).toBe("granted");
    await release(b);
    await confirm(a);
    expect(await ask(b)).toMatchObject({ result: "refused", holder: { deviceId: a.id } });
    // Later devices of that egress share them too.
    const c = await joined("10.0.0.7", elsewhere);
    expect(c.probes).toEqual([]);
    expect((await ask(c)).result).toBe("refused");
  });
});

test("one device holds one fallback token, whatever subnets it states", async () => {
  const hostile = await joined("10.0.0.66", home);
  for (let site = 1; site <= 2 * fallbackTokensMax; site++) {
    const address = `10.1.${site}.66`;
    const { subnetId } = await checkIn(hostile, address, home);
    await askToken({ ...hostile, subnetId: subnetId! });
  }
  let granted = 0;
  for (let site = 1; site <= fallbackTokensMax; site++)
    if ((await askToken(await joined(`10.1.${site}.5`, home))) === "granted") granted++;
  expect(granted).toBeGreaterThanOrEqual(fallbackTokensMax - 1);
});

describe("the content of a package", () => {
  test("is refused to a device without an open task for it", async () => {
    const device = await joined("10.0.0.66", home);
    const secret = await publish("secret");
    expect(await download(device, secret)).toBe(403);
    await createTask("secret", "group:payroll");
    expect(await download(device, secret)).toBe(403);
    expect(await download(device)).toBe(200);
    await fixture.call("POST", `/v1/tasks/${taskId}/cancel`);
    expect(await download(device)).toBe(403);
  });

  test("is refused while another device has the lease, and given with a token", async () => {
    const [holder, other] = [await joined("10.0.0.5", home), await joined("10.0.0.6", home)];
    await ask(holder);
    expect([await download(holder), await download(other)]).toEqual([200, 403]);
    await askToken(other);
    expect(await download(other)).toBe(200);
  });
});

test("reports of tasks that are not for the device are dropped", async () => {
  const device = await joined("10.0.0.66", home);
  const other = await createTask("tool", "group:payroll");
  const json = { reports: [reportOf(other, "complete"), reportOf(taskId, "complete")] };
  await fixture.call("POST", "/v1/agent/progress", { credential: device.credential, json });
  const devicesOf = async (id: number) =>
    (await fixture.call<TaskDetail>("GET", `/v1/tasks/${id}`)).body.deviceList.map(({ state }) => state);
  expect([await devicesOf(other), await devicesOf(taskId)]).toEqual([[], ["complete"]]);
});
