/**
 * Wake-on-LAN at the source: which devices are asked to wake which others, within which limits, and
 * what an administrator is shown. Devices are requests to the API, with open change streams.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PublishResponse, TaskChanged, TaskDetail } from "../api/schema/admin.ts";
import type { CheckInResponse, WakeRequest } from "../api/schema/agent.ts";
import type { Inventory } from "../api/schema/common.ts";
import type { TaskWake, TaskWakeList } from "../api/schema/wakes.ts";
import { reasonsText } from "../model/reason.ts";
import { wakeAgainMs, wakeAttemptsMax, wakesPerMinute } from "../model/wake-on-lan.ts";
import { inventoryOf, openFixture, reportOf, type Fixture, type TestDevice } from "./app-fixture.ts";
import { wakeAnswerMs } from "./wake-requests.ts";
import { WakeRounds } from "./wake-rounds.ts";

const minute = 60_000;
let fixture: Fixture;
let rounds: WakeRounds;
/** Requests that devices were given, by host name; each device answers that it has sent all. */
let given: { readonly by: string; readonly macs: readonly string[] }[];
beforeEach(async () => {
  fixture = await openFixture();
  rounds = new WakeRounds({ ...fixture, acceptsWishes: false, nowMs: () => fixture.clock.nowMs });
  given = [];
});
afterEach(() => fixture.close());

type Machine = TestDevice & { readonly hostname: string; readonly inventory: Inventory };

async function enrol(hostname: string, host: number, more: Partial<Inventory> = {}): Promise<Machine> {
  const device = await fixture.device(hostname, `10.0.0.${host}`);
  const whole = inventoryOf(hostname, `10.0.0.${host}`);
  const interfaces = whole.interfaces.map((one) =>
    Object.assign({}, one, { mac: `02:00:00:00:00:${String(host).padStart(2, "0")}` }),
  );
  const inventory = { ...whole, interfaces, ...more };
  const { subnetId } = await answerTo(device, inventory);
  return { ...device, subnetId: subnetId!, hostname, inventory };
}

async function answerTo({ credential }: TestDevice, inventory: Inventory): Promise<CheckInResponse> {
  const init = { credential, json: { inventory } };
  return (await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", init)).body;
}
const checkIn = async (machine: Machine): Promise<readonly WakeRequest[]> =>
  (await answerTo(machine, machine.inventory)).wakes;

/** Opens the change stream of a device, which checks in and obeys when it is asked. */
function connect(machine: Machine, { answers = true } = {}): void {
  const known = new Set<string>();
  const stream = fixture.changeHub.open(machine.id, () => {}, machine.subnetId);
  void (async () => {
    for await (const bytes of stream) {
      if (!new TextDecoder().decode(bytes).includes("event: wake")) continue;
      for (const { id, macs } of await checkIn(machine)) {
        if (!known.has(id)) given.push({ by: machine.hostname, macs });
        known.add(id);
        const json = { id, sent: macs, refused: null };
        if (answers)
          await fixture.call("POST", "/v1/agent/wake-result", { credential: machine.credential, json });
      }
    }
  })().catch(() => {});
}

async function createTask(more: Record<string, unknown> = {}): Promise<number> {
  const path = join(fixture.folder, "tool.bin");
  await writeFile(path, "tool!");
  const { json } = await fixture.signedPackage(path, { name: "tool", version: "1" });
  const { body } = await fixture.call<PublishResponse>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: "tool!" });
  const task = { package: "tool", action: "pre-cache", setting: null, target: "all", startAtMs: null };
  const answer = await fixture.call<TaskChanged>("POST", "/v1/tasks", {
    json: { ...task, wakes: true, ...more },
  });
  expect(answer.status).toBe(200);
  return answer.body.taskId;
}

const wakesOf = async (taskId: number): Promise<TaskWake[]> =>
  (await fixture.call<TaskWakeList>("GET", `/v1/tasks/${taskId}/wakes`)).body.wakes;
const resultOf = async (taskId: number, { id }: Machine): Promise<string | undefined> => {
  const wake = (await wakesOf(taskId)).find(({ deviceId }) => deviceId === id);
  return wake && reasonsText(wake.reasons);
};
/** Waits until the devices have answered. */
async function untilGiven(requests: number): Promise<void> {
  for (let tries = 0; given.length < requests && tries < 500; tries += 1) await Bun.sleep(10);
  await Bun.sleep(20);
  expect(given).toHaveLength(requests);
}
/** Sets the clock ahead, and looks at the tasks again. */
async function roundAfter(ms: number): Promise<void> {
  fixture.clock.nowMs += ms;
  await rounds.round();
}
const setDefault = (set: Record<string, unknown>) =>
  fixture.call("PATCH", "/v1/settings/default", { json: { set } });

test("two awake devices of the subnet are asked, wired ones on mains first", async () => {
  const awake = [
    await enrol("battery", 1, { onBattery: true }),
    await enrol("desk-a", 2),
    await enrol("desk-b", 3),
    await enrol("desk-c", 4, { onBattery: true }),
  ];
  for (const machine of awake) connect(machine);
  const asleep = await enrol("asleep", 9);
  const taskId = await createTask();
  await rounds.round();
  await untilGiven(2);
  expect(given.map(({ by }) => by).toSorted()).toEqual(["desk-a", "desk-b"]);
  for (const { macs } of given) expect(macs).toEqual(["02:00:00:00:00:09"]);
  expect(await resultOf(taskId, asleep)).toMatch(/^desk-[ab], desk-[ab] sent it a wake-up packet at /);
  // A later round neither asks again nor shows another device.
  await roundAfter(minute);
  await untilGiven(2);
  expect(await wakesOf(taskId)).toHaveLength(1);
  // The next attempt is for devices that were not asked.
  await roundAfter(wakeAgainMs);
  await untilGiven(4);
  expect(
    given
      .slice(2)
      .map(({ by }) => by)
      .toSorted(),
  ).toEqual(["battery", "desk-c"]);
});

test("a device that checks in counts as woken, and its row names by whom", async () => {
  connect(await enrol("desk", 1));
  const asleep = await enrol("asleep", 9);
  const taskId = await createTask();
  await rounds.round();
  await untilGiven(1);
  const unseen = await fixture.call<TaskDetail>("GET", `/v1/tasks/${taskId}?devices=all`);
  const row = unseen.body.deviceList.find(({ deviceId }) => deviceId === asleep.id)!;
  expect(reasonsText(row.reasons)).toContain("not reported yet; desk sent it a wake-up packet");
  fixture.clock.nowMs += 20_000;
  await checkIn(asleep);
  const at = new Date(fixture.clock.nowMs).toISOString();
  expect(await resultOf(taskId, asleep)).toBe(`woken by desk at ${at}`);
});

test("attempts for a device end at their bound, with minutes between them", async () => {
  connect(await enrol("desk", 1));
  const asleep = await enrol("asleep", 9);
  const taskId = await createTask();
  await rounds.round();
  await untilGiven(1);
  await roundAfter(wakeAgainMs - 1);
  await untilGiven(1);
  for (let attempt = 2; attempt <= wakeAttemptsMax; attempt += 1) {
    await roundAfter(wakeAgainMs);
    await untilGiven(attempt);
  }
  await roundAfter(wakeAgainMs);
  await roundAfter(wakeAgainMs);
  await untilGiven(wakeAttemptsMax);
  expect(await resultOf(taskId, asleep)).toStartWith("did not wake: 3 attempts, the last one by desk at ");
});

test("two tasks do not wake one device twice within minutes", async () => {
  connect(await enrol("desk", 1));
  await enrol("asleep", 9);
  await createTask();
  await createTask();
  await rounds.round();
  await roundAfter(2 * minute);
  await untilGiven(1);
});

test("a subnet without an awake device is named, and woken once one is there", async () => {
  const other = await enrol("desk", 1);
  const asleep = await enrol("asleep", 9);
  const taskId = await createTask();
  await rounds.round();
  expect(await resultOf(taskId, asleep)).toBe("not woken: no device of its subnet is awake and may wake it");
  connect(other);
  await roundAfter(minute);
  await untilGiven(1);
});

test("a device that does not answer is asked after others the next time", async () => {
  connect(await enrol("a-silent", 1), { answers: false });
  const asleep = await enrol("asleep", 9);
  const taskId = await createTask();
  await rounds.round();
  await untilGiven(1);
  fixture.clock.nowMs += minute;
  expect(await resultOf(taskId, asleep)).toBe(
    "not woken: no packet was sent in 1 attempt, asked the last time: a-silent",
  );
  connect(await enrol("b", 2));
  connect(await enrol("c", 3));
  await roundAfter(wakeAgainMs);
  await untilGiven(3);
  expect(given.map(({ by }) => by).toSorted()).toEqual(["a-silent", "b", "c"]);
});

test("a device whose stream is open but that does not check in is woken", async () => {
  connect(await enrol("desk", 1));
  const frozen = await enrol("frozen", 9);
  fixture.changeHub.open(frozen.id, () => {}, frozen.subnetId);
  fixture.clock.nowMs += minute;
  await createTask();
  await rounds.round();
  await untilGiven(0);
  await roundAfter(minute);
  await untilGiven(1);
  expect(given[0]!.macs).toEqual(["02:00:00:00:00:09"]);
});

test("nobody is woken without the option, without a signature, while paused, or when done", async () => {
  connect(await enrol("desk", 1));
  const asleep = await enrol("asleep", 9);
  const plain = await createTask({ wakes: false });
  const paused = await createTask();
  await fixture.call("POST", `/v1/tasks/${paused}/pause`);
  const done = await createTask();
  const report = { reports: [reportOf(done, "complete")] };
  await fixture.call("POST", "/v1/agent/progress", { credential: asleep.credential, json: report });
  await rounds.round();
  await roundAfter(minute);
  await untilGiven(0);
  for (const taskId of [plain, paused, done]) expect(await wakesOf(taskId)).toEqual([]);
});

test("a task whose awake devices are complete waits for the attempts to wake the others", async () => {
  const asleep = await enrol("asleep", 9);
  fixture.clock.nowMs += 600 * minute;
  const desk = await enrol("desk", 1);
  connect(desk);
  const taskId = await createTask();
  const stateNow = async (): Promise<string> => {
    fixture.noted.add(taskId);
    await fixture.endTasks();
    return (await fixture.call<TaskDetail>("GET", `/v1/tasks/${taskId}?devices=none`)).body.state;
  };
  const report = { reports: [reportOf(taskId, "complete")] };
  await fixture.call("POST", "/v1/agent/progress", { credential: desk.credential, json: report });
  expect(await stateNow()).toBe("running");
  await rounds.round();
  for (let attempt = 1; attempt < wakeAttemptsMax; attempt += 1) {
    await untilGiven(attempt);
    expect(await stateNow()).toBe("running");
    await roundAfter(wakeAgainMs);
  }
  await untilGiven(wakeAttemptsMax);
  expect(await stateNow()).toBe("running");
  await roundAfter(wakeAgainMs);
  expect(await stateNow()).toBe("done");
  expect(await resultOf(taskId, asleep)).toStartWith("did not wake: 3 attempts");
});

test("a scheduled task wakes its devices the lead time before the start", async () => {
  expect((await setDefault({ wakeLeadMs: 10 * minute })).status).toBe(200);
  connect(await enrol("desk", 1));
  await enrol("asleep", 9);
  await createTask({ startAtMs: fixture.clock.nowMs + 120 * minute });
  await rounds.round();
  await roundAfter(109 * minute);
  await untilGiven(0);
  await roundAfter(minute);
  await untilGiven(1);
});

test("a start on the clock of the devices is that of each sleeping device", async () => {
  connect(await enrol("desk", 1));
  await enrol("west", 8, { utcOffsetMinutes: -300 });
  await enrol("east", 9, { utcOffsetMinutes: 540 });
  await createTask({ startAtMs: fixture.clock.nowMs, startIsLocal: true });
  await rounds.round();
  await untilGiven(1);
  expect(given[0]!.macs).toEqual(["02:00:00:00:00:09"]);
  await roundAfter(300 * minute);
  await untilGiven(2);
  expect(given[1]!.macs).toContain("02:00:00:00:00:08");
});

test("devices that were asked for do not keep later ones of a large subnet waiting", async () => {
  connect(await enrol("desk", 1));
  const hosts = Array.from({ length: wakesPerMinute + 5 }, (_, index) => 10 + index);
  for (const host of hosts) await enrol(`asleep-${host}`, host);
  await createTask();
  await rounds.round();
  await untilGiven(1);
  expect(given[0]!.macs).toHaveLength(wakesPerMinute);
  await roundAfter(wakeAgainMs);
  await untilGiven(2);
  const missed = hosts.map((host) => `02:00:00:00:00:${host}`).filter((mac) => !given[0]!.macs.includes(mac));
  expect(given[1]!.macs.slice(0, 5).toSorted()).toEqual(missed);
});

test("a request that finds no room is not an attempt", async () => {
  connect(await enrol("desk", 1));
  await enrol("asleep", 9);
  const taskId = await createTask();
  for (let waker = 0; fixture.wakeRequests.hasRoom(1, fixture.clock.nowMs); waker += 1)
    fixture.wakeRequests.open({ taskId, waker: `other-${waker}`, sleepers: [] }, fixture.clock.nowMs);
  await rounds.round();
  await untilGiven(0);
  expect(await wakesOf(taskId)).toEqual([]);
  await roundAfter(wakeAnswerMs);
  await untilGiven(1);
});

test("a setting keeps devices from being woken, and from waking others", async () => {
  connect(await enrol("desk", 1));
  const asleep = await enrol("asleep", 9);
  expect((await setDefault({ wakeOnLan: "never" })).status).toBe(200);
  const taskId = await createTask();
  await rounds.round();
  await untilGiven(0);
  expect(await resultOf(taskId, asleep)).toBe("not woken: its setting says wakeOnLan=never");
});

test("a device without the address of a network card is named, and not woken", async () => {
  connect(await enrol("desk", 1));
  const { interfaces } = inventoryOf("odd", "10.0.0.9");
  const broadcast = interfaces.map((one) => Object.assign({}, one, { mac: "ff:ff:ff:ff:ff:ff" }));
  const odd = await enrol("odd", 9, { interfaces: broadcast });
  const taskId = await createTask();
  await rounds.round();
  await untilGiven(0);
  expect(await resultOf(taskId, odd)).toBe(
    "not woken: its last inventory has no address of a network card on a subnet",
  );
});

test("only the device that was asked answers a request, and only about its machines", async () => {
  const desk = await enrol("desk", 1);
  const stranger = await enrol("stranger", 2);
  const asleep = await enrol("asleep", 9);
  const taskId = await createTask();
  fixture.changeHub.open(desk.id, () => {}, desk.subnetId);
  const round = rounds.round();
  for (let tries = 0; (await wakesOf(taskId)).length === 0 && tries < 100; tries += 1) {
    await checkIn(desk);
    await Bun.sleep(10);
  }
  await round;
  const [request] = await checkIn(desk);
  const answer = ({ credential }: Machine, sent: string[]) =>
    fixture.call("POST", "/v1/agent/wake-result", {
      credential,
      json: { id: request!.id, sent, refused: null },
    });
  await answer(stranger, ["02:00:00:00:00:09"]);
  expect(await resultOf(taskId, asleep)).toBe("asked to wake it: desk");
  await answer(desk, ["02:00:00:00:00:77"]);
  expect(await resultOf(taskId, asleep)).toBe("asked to wake it: desk");
  expect(await checkIn(desk)).toEqual([]);
});
