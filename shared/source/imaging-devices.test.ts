/** Machines that were started for an image: what they get, how they wait, and when they end. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { approvalCodeText } from "../model/approval-code-text.ts";
import { approvalCode } from "../model/approval-code.ts";
import type { CheckInResponse, EnrollResponse } from "../api/schema/agent.ts";
import type { Device } from "../api/schema/device.ts";
import type { TokenCreated } from "../api/schema/tokens.ts";
import { enrollToken, inventoryOf, openFixture, reportOf, type Fixture } from "./app-fixture.ts";
import { endImagingDevices } from "./imaging-devices.ts";
import { pendingMax } from "./routes/enrolment-pending.ts";
import { sha256Hex } from "./sha256-hex.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture({ acceptsPendingImaging: true });
});
afterEach(() => fixture.close());

const about = (hostname: string) => ({ hostname, os: "linux", arch: "x64", agentVersion: "0.1.0" });
const machine = "ab".repeat(32);
type Enrolled = { deviceId: string; credential: string };

async function imagingToken(more: Record<string, unknown> = {}): Promise<string> {
  const name = `boot-${Math.random().toString(36).slice(2)}`;
  const json = { kind: "enrolment", name, isImaging: true, uses: null, expiresAtMs: null, ...more };
  return (await fixture.call<TokenCreated>("POST", "/v1/tokens", { json })).body.text;
}
async function enroll(token: string, hostname: string, more = {}): Promise<Enrolled> {
  const json = { token, ...about(hostname), ...more };
  const answer = await fixture.call<EnrollResponse>("POST", "/v1/agent/enroll", { credential: null, json });
  expect(answer.status).toBe(200);
  return answer.body;
}
const enrolPending = (hostname: string, address = "10.0.0.5", more = {}) =>
  fixture.call<EnrollResponse & { hint?: string; error?: string }>(
    "POST",
    "/v1/agent/enroll/imaging",
    { credential: null, json: { ...about(hostname), ...more } },
    address,
  );
async function checkIn({ credential }: Enrolled, hostname: string, address?: string) {
  const json = { inventory: inventoryOf(hostname, address) };
  return fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", { credential, json });
}
const tasksOf = async (device: Enrolled, hostname: string): Promise<number[]> =>
  (await checkIn(device, hostname)).body.tasks.map(({ id }) => id);
const deviceOf = async (words: string): Promise<Device> =>
  (await fixture.call<Device>("GET", `/v1/devices/${words}`)).body;

async function createTask(name: string, more: Record<string, unknown>): Promise<number> {
  const path = join(fixture.folder, "given", name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, name);
  const { json: signed } = await fixture.signedPackage(path, { name, version: "1" });
  const urls = [{ url: "https://web.example/a", layout: "file" }];
  await fixture.call("POST", "/v1/packages", { json: { ...signed, urls } });
  const json = { package: name, setting: null, target: "all", startAtMs: null, ...more };
  const { status, body } = await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json });
  expect(status).toBe(200);
  return body.taskId;
}
const approve = (id: string) => fixture.call("POST", `/v1/devices/${id}/approve`);
const disk = { path: null, model: null, serial: null, minBytes: null, maxBytes: null };
const image = { disk, overwrite: false, machineEnd: "reboot" };
const createImage = (): Promise<number> => createTask("desktop.img", { action: "image", image });
const end = (): Promise<void> => endImagingDevices({ ...fixture, nowMs: () => fixture.clock.nowMs });
const report = ({ credential }: Enrolled, taskId: number, state: "complete" | "failed") =>
  fixture.call("POST", "/v1/agent/progress", {
    credential,
    json: { reports: [reportOf(taskId, state)] },
  });

describe("a token for imaging", () => {
  test("enrols devices that get images and no other task, at check-in and by request", async () => {
    const device = await enroll(await imagingToken({ tags: ["lab"] }), "m1");
    const installed = await enroll(enrollToken, "pc");
    const [imageTask, cacheTask] = [await createImage(), await createTask("tool", { action: "pre-cache" })];
    expect(await tasksOf(device, "m1")).toEqual([imageTask]);
    expect(await tasksOf(installed, "pc")).toEqual([imageTask, cacheTask]);
    const { isImaging, tags } = await deviceOf("m1");
    expect({ isImaging, tags }).toEqual({ isImaging: true, tags: ["lab"] });
    expect((await deviceOf("pc")).isImaging).toBe(false);
    // A device that asks for the package of another task gets nothing either.
    const { subnetId } = (await checkIn(device, "m1")).body;
    const json = { taskId: cacheTask, subnetId, address: "10.0.0.5", lanPort: 1, term: 1 };
    const lease = await fixture.call("POST", "/v1/agent/lease", { credential: device.credential, json });
    expect([lease.status, lease.body]).toMatchObject([
      409,
      { error: `Task ${cacheTask} no longer targets this device` },
    ]);
  });

  test("never takes the row of the installed system over, nor the installed system its row", async () => {
    const token = await imagingToken();
    const installed = await enroll(enrollToken, "pc", { machine });
    const booted = await enroll(token, "pc", { machine });
    expect(booted.deviceId).not.toBe(installed.deviceId);
    const again = await enroll(enrollToken, "pc", { machine });
    expect(again.deviceId).toBe(installed.deviceId);
  });

  test("gives a machine that lost its power its row again, which needs no approval", async () => {
    const token = await imagingToken({ tags: ["lab"] });
    const first = await enroll(token, "m1", { machine });
    await checkIn(first, "m1");
    const second = await enroll(token, "m1", { machine });
    expect(second.deviceId).toBe(first.deviceId);
    expect((await deviceOf("m1")).state).toBe("active");
  });
});

describe("a machine that was started for an image", () => {
  test("is removed some minutes after its image and its last contact, and its result stays", async () => {
    const [token, task] = [await imagingToken(), await createImage()];
    const device = await enroll(token, "m1", { machine });
    const other = await enroll(token, "m2");
    for (const [one, name] of [
      [device, "m1"],
      [other, "m2"],
    ] as const)
      await checkIn(one, name);
    await report(device, task, "complete");
    await report(other, task, "failed");
    fixture.clock.nowMs += 4 * minuteMs;
    await end();
    expect((await deviceOf(device.deviceId)).state).toBe("active");
    fixture.clock.nowMs += minuteMs;
    await end();
    const removed = await deviceOf(device.deviceId);
    expect([removed.state, removed.removedWhy]).toEqual(["removed", "imaging-ended"]);
    expect((await deviceOf(other.deviceId)).state).toBe("active");
    expect((await checkIn(device, "m1")).status).toBe(403);
    const detail = await fixture.call<{ deviceList: { deviceId: string; state: string }[] }>(
      "GET",
      `/v1/tasks/${task}`,
    );
    const states = detail.body.deviceList.map(({ deviceId, state }) => [deviceId, state] as const);
    expect(new Map(states).get(device.deviceId)).toBe("complete");
    // The installed system of the machine is a device of its own, with its tags.
    const installed = await enroll(enrollToken, "m1", { machine });
    const { state, isImaging } = await deviceOf(installed.deviceId);
    expect([state, isImaging]).toEqual(["active", false]);
  });

  test("stays while it is connected, and is removed after hours without contact otherwise", async () => {
    const [token, task] = [await imagingToken(), await createImage()];
    const serving = await enroll(token, "m1");
    const lost = await enroll(token, "m2");
    await checkIn(serving, "m1");
    await checkIn(lost, "m2");
    await report(serving, task, "complete");
    const stream = await fixture.raw("GET", "/v1/agent/events", { credential: serving.credential });
    fixture.clock.nowMs += 6 * hourMs;
    await end();
    expect((await deviceOf(serving.deviceId)).state).toBe("active");
    expect((await deviceOf(lost.deviceId)).state).toBe("removed");
    await stream.body!.cancel();
  });

  test("of an ordinary token stays for ever", async () => {
    const device = await enroll(enrollToken, "pc");
    await checkIn(device, "pc");
    fixture.clock.nowMs += 48 * hourMs;
    await end();
    expect((await deviceOf(device.deviceId)).state).toBe("active");
  });
});

describe("a machine without a token", () => {
  test("waits with a code that it and the source derive, and gets an image after its approval", async () => {
    const task = await createImage();
    const { body: device } = await enrolPending("localhost");
    const code = approvalCode(sha256Hex(device.credential));
    expect(await tasksOf(device, "localhost")).toEqual([]);
    expect((await checkIn(device, "localhost")).body.approval).toBe("waiting");
    const listed = await fixture.call<{ devices: Device[] }>("GET", "/v1/devices?state=waiting");
    expect(listed.body.devices.map(({ id, approvalCode: one }) => [id, one])).toEqual([
      [device.deviceId, code],
    ]);
    const typed = encodeURIComponent(approvalCodeText(code).toLowerCase());
    const approved = await fixture.call<Device>("POST", `/v1/devices/${typed}/approve`);
    expect([approved.status, approved.body.id, approved.body.state, approved.body.approvalCode]).toEqual([
      200,
      device.deviceId,
      "active",
      null,
    ]);
    expect(approved.body.tags).toEqual(["imaging"]);
    expect(await tasksOf(device, "localhost")).toEqual([task]);
  });

  test("replaces its earlier row at its approval, and no row of another device", async () => {
    const installed = await enroll(enrollToken, "pc", { machine });
    const { body: first } = await enrolPending("m1", "10.0.0.5", { machine });
    await approve(first.deviceId);
    const { body: second } = await enrolPending("m1", "10.0.0.5", { machine });
    expect((await deviceOf(first.deviceId)).state).toBe("active");
    // The claim of the machine that waits counts for nothing.
    const byToken = await enroll(await imagingToken(), "m1", { machine });
    expect([byToken.deviceId, (await deviceOf(byToken.deviceId)).state]).toEqual([first.deviceId, "active"]);
    await approve(second.deviceId);
    expect((await deviceOf(first.deviceId)).removedWhy).toBe("imaging-ended");
    expect((await deviceOf(second.deviceId)).state).toBe("active");
    expect((await deviceOf(installed.deviceId)).state).toBe("active");
  });

  test("is not found by a host name that looks like another machine's code", async () => {
    const { body: victim } = await enrolPending("localhost");
    const code = approvalCodeText(approvalCode(sha256Hex(victim.credential)));
    await enrolPending(code);
    fixture.clock.nowMs += 1;
    const found = await deviceOf(code);
    expect(found.id).toBe(victim.deviceId);
    await fixture.call("DELETE", `/v1/devices/${victim.deviceId}`);
    expect((await fixture.call("POST", `/v1/devices/${code}/approve`)).status).toBe(404);
  });

  test("leaves the list after an hour, and the rows of such machines are deleted after a day", async () => {
    const { body: device } = await enrolPending("localhost");
    fixture.clock.nowMs += hourMs - 1;
    await end();
    expect((await deviceOf(device.deviceId)).state).toBe("waiting");
    fixture.clock.nowMs += 1;
    await end();
    expect((await deviceOf(device.deviceId)).state).toBe("removed");
    expect((await checkIn(device, "localhost")).status).toBe(403);
    const code = approvalCode(sha256Hex(device.credential));
    expect((await fixture.call("POST", `/v1/devices/${code}/approve`)).status).toBe(404);
    fixture.clock.nowMs += 24 * hourMs + 1;
    await end();
    expect((await fixture.call("GET", `/v1/devices/${device.deviceId}`)).status).toBe(404);
  });

  test("is refused while the list is full, and limited by its address", async () => {
    for (let at = 0; at < pendingMax; at++) {
      const { status } = await enrolPending(`m${at}`, `10.1.${at % 4}.9`);
      expect(status).toBe(200);
    }
    const full = await enrolPending("late", "10.2.0.9");
    expect([full.status, full.body.error]).toEqual([429, "100 machines wait for an approval already"]);
    fixture.clock.nowMs += hourMs;
    await end();
    expect((await enrolPending("late", "10.2.0.9")).status).toBe(200);
    const statuses: number[] = [];
    for (let at = 0; at < 42; at++) statuses.push((await enrolPending("x", "10.3.0.9")).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(40);
    expect(statuses.at(-1)).toBe(429);
  });

  test("is refused by a source that was started without the option", async () => {
    const other = await openFixture();
    try {
      const json = about("localhost");
      const answer = await other.call<{ hint: string }>("POST", "/v1/agent/enroll/imaging", {
        credential: null,
        json,
      });
      expect([answer.status, answer.body.hint]).toEqual([
        403,
        "give the machine a token, or start the source with serve --pending-imaging",
      ]);
      expect(await other.catalog.devices.count()).toBe(0);
    } finally {
      await other.close();
    }
  });
});
