/**
 * One run of the chaos lab: a new package and a new task while the faults of a timetable happen,
 * until every device has a right copy or the time is over. Then it checks copies, reports, commands
 * and bytes.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { secondsText } from "../rig/figures.ts";
import { askAgent } from "../lab/agent-status.ts";
import { readCounters, trafficBetween, type SiteTraffic } from "../lab/counters.ts";
import type { WorldDevice } from "../lab/world.ts";
import { ledgerTasks } from "../rig/ledger-reader.ts";
import { logTail } from "../rig/process.ts";
import { differenceFrom } from "../rig/verify.ts";
import { injectFault, prepareFault, type ActiveRun } from "./fault-actions.ts";
import { untilReady, type Testbed } from "./testbed.ts";
import type { Fault } from "./timetable.ts";

type SiteAccount = {
  readonly site: string;
  readonly wanRatio: number;
  readonly lanRatio: number;
  /** Multicast frames that peers without a fault sent. */
  readonly feedbackFrames: number;
  readonly representatives: readonly string[];
};
export type RunResult = {
  readonly seed: number;
  /** Faults as they were injected: "+2.1 s kill -9 s1-d2 (representative), 1.4 s long". */
  readonly story: readonly string[];
  /** Time until the last device without a fault was complete; null: not in time. */
  readonly healthyMs: number | null;
  /** Time until the last device of all was complete; null: not in time. */
  readonly allMs: number | null;
  readonly verified: number;
  readonly expected: number;
  readonly sites: readonly SiteAccount[];
  readonly problems: readonly string[];
};

const pollMs = 100;
const reportLimitMs = 30_000;
/** Appends a line to `receipts` in the data folder, three levels above the package's folder. */
const command = 'echo "$FLOCKCAST_TASK" >> ../../../receipts';

/**
 * Injects a fault at its time and ends it after its duration. Returns a function that ends a fault
 * without a duration, and returns the problems found while the fault lasted.
 */
async function playFault(
  fault: Fault,
  run: ActiveRun,
  begunAtMs: number,
  story: string[],
): Promise<() => Promise<string[]>> {
  await Bun.sleep(Math.max(0, begunAtMs + fault.atMs - performance.now()));
  const injected = await injectFault(fault, run);
  const length = fault.lastsMs === null ? "" : `, ${secondsText(fault.lastsMs)} long`;
  const text = `+${secondsText(performance.now() - begunAtMs)} ${injected.text}${length}`;
  story.push(text);
  console.error(`  ${text}`);
  const end = async (): Promise<string[]> => (await injected.end()) ?? [];
  if (fault.lastsMs === null) return end;
  await Bun.sleep(fault.lastsMs);
  const wrong = await end();
  return async () => wrong;
}

/** Returns the time since `begunAtMs` at which each device's ledger had the task complete. */
async function follow(
  { devices, options }: Testbed,
  taskId: number,
  begunAtMs: number,
): Promise<Map<WorldDevice, number>> {
  const completeMs = new Map<WorldDevice, number>();
  const giveUpAtMs = begunAtMs + options.timeout * 1_000;
  while (completeMs.size < devices.length && performance.now() < giveUpAtMs) {
    for (const device of devices) {
      if (completeMs.has(device)) continue;
      const task = ledgerTasks(device.data).find((one) => one.taskId === taskId);
      if (task?.life === "complete") completeMs.set(device, performance.now() - begunAtMs);
    }
    await Bun.sleep(pollMs);
  }
  return completeMs;
}

/** Waits until all devices have reported completion; returns the ids of those that did in time. */
async function reportedComplete({ world, devices }: Testbed, taskId: number): Promise<Set<string>> {
  let reported = new Set<string>();
  const giveUpAtMs = performance.now() + reportLimitMs;
  const abort = new AbortController();
  for await (const { deviceList } of world.taskStream(taskId, abort.signal)) {
    reported = new Set(
      deviceList.filter(({ state }) => state === "complete").map(({ deviceId }) => deviceId),
    );
    if (devices.every(({ id }) => reported.has(id)) || performance.now() > giveUpAtMs) break;
  }
  return reported;
}

const receiptsOf = async ({ data }: WorldDevice, taskId: number): Promise<number> => {
  const text = await readFile(join(data, "receipts"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line === String(taskId)).length;
};

/** Checks a device's copy, its report and its receipts. Returns one sentence per problem. */
async function problemsOf(
  testbed: Testbed,
  device: WorldDevice,
  run: { taskId: number; version: string; isReported: boolean },
): Promise<string[]> {
  const { sent } = testbed.world;
  const { name } = device.place;
  const copy = join(device.data, "cache", sent.name, run.version);
  const difference = await differenceFrom(sent.digests, copy);
  const receipts = await receiptsOf(device, run.taskId);
  const row = ledgerTasks(device.data).find(({ taskId }) => taskId === run.taskId);
  return [
    ...(difference === null ? [] : [`${name} has no right copy: ${difference}`]),
    ...(difference !== null && run.isReported ? [`${name} REPORTED COMPLETE WITH WRONG BYTES`] : []),
    ...(run.isReported ? [] : [`${name} did not report completion (its task is ${row?.life ?? "unknown"})`]),
    ...(receipts === 1 ? [] : [`${name} ran the command ${receipts} times`]),
  ];
}

const framesSent = async (devices: readonly WorldDevice[]): Promise<Map<WorldDevice, number>> =>
  new Map(
    await Promise.all(
      devices.map(async (device): Promise<[WorldDevice, number]> => [
        device,
        (await askAgent(device).catch(() => null))?.lan.framesSent ?? 0,
      ]),
    ),
  );

/** Returns the devices that led the task at some time, according to their logs. */
async function leadersOf(devices: readonly WorldDevice[], taskId: number): Promise<Set<WorldDevice>> {
  const leaders = new Set<WorldDevice>();
  for (const device of devices) {
    const log = await readFile(device.device!.program.logFile, "utf8");
    const led = log
      .split("\n")
      .some((line) => line.includes(`"taskId":${taskId},`) && line.includes('"to":"representative"'));
    if (led) leaders.add(device);
  }
  return leaders;
}

async function accountOf(
  testbed: Testbed,
  run: { taskId: number; affected: ReadonlySet<WorldDevice>; framesBefore: ReadonlyMap<WorldDevice, number> },
  traffic: readonly SiteTraffic[],
): Promise<SiteAccount[]> {
  const leaders = await leadersOf(testbed.devices, run.taskId);
  const framesNow = await framesSent(testbed.devices);
  const { sizeBytes } = testbed.world.sent;
  return testbed.sites.map((site, at) => {
    const mine = testbed.devices.filter((device) => device.site === site);
    const peers = mine.filter((device) => !leaders.has(device) && !run.affected.has(device));
    const { wan, ports } = traffic[at]!;
    // The second deployment and the intruder use further ports of the site.
    const own = ports.filter(({ device }) => mine.some(({ place }) => place.name === device));
    const sentBytes = own.reduce((total, port) => total + port.sentBytes, 0);
    return {
      site: site.name,
      wanRatio: wan.payloadBytes / sizeBytes,
      lanRatio: sentBytes / sizeBytes,
      feedbackFrames: peers.reduce(
        (total, device) => total + framesNow.get(device)! - run.framesBefore.get(device)!,
        0,
      ),
      representatives: mine.filter((device) => leaders.has(device)).map(({ place }) => place.name),
    };
  });
}

/** Returns the largest time of the devices; null when one has none. */
const lastOf = (devices: readonly WorldDevice[], times: ReadonlyMap<WorldDevice, number>): number | null =>
  devices.every((device) => times.has(device))
    ? Math.max(...devices.map((device) => times.get(device)!))
    : null;

/** Runs one task with the faults, and cancels it in the end. Problems are returned, not thrown. */
export async function runOnce(
  testbed: Testbed,
  seed: number,
  version: string,
  faults: readonly Fault[],
): Promise<RunResult> {
  const { world, devices } = testbed;
  const packageId = await world.publish({ ...world.sent, version });
  for (const fault of faults) await prepareFault(fault, testbed, version);
  const framesBefore = await framesSent(devices);
  const before = await readCounters(world.network);
  const words = ["task", "create", packageId, "--action", "run", "--command", command];
  const taskId = Number(await world.source.admin(...words));
  const begunAtMs = performance.now();
  const run: ActiveRun = { testbed, taskId, affected: new Set() };
  const story: string[] = [];
  const plays = Promise.all(faults.map((fault) => playFault(fault, run, begunAtMs, story)));
  const [ends, times] = await Promise.all([plays, follow(testbed, taskId, begunAtMs)]);
  const wrong: string[] = [];
  for (const end of ends) wrong.push(...(await end()));
  const reported = await reportedComplete(testbed, taskId);
  const traffic = trafficBetween(before, await readCounters(world.network));
  const perDevice = await Promise.all(
    devices.map((device) =>
      problemsOf(testbed, device, { taskId, version, isReported: reported.has(device.id) }),
    ),
  );
  const sites = await accountOf(testbed, { taskId, affected: run.affected, framesBefore }, traffic);
  for (const [at, device] of devices.entries())
    if (perDevice[at]!.length > 0)
      console.error(`The end of ${device.place.name}'s log:\n${await logTail(device.device!.program, 25)}\n`);
  await world.source.admin("task", "cancel", String(taskId));
  await untilReady(testbed);
  return {
    seed,
    story,
    healthyMs: lastOf(
      devices.filter((device) => !run.affected.has(device)),
      times,
    ),
    allMs: lastOf(devices, times),
    verified: perDevice.filter((found) => found.length === 0).length,
    expected: devices.length,
    sites,
    problems: [...wrong, ...perDevice.flat()],
  };
}
