/**
 * One run of the imaging lab: three machines start from the network and get the image. One of them
 * loses its power at 50 %, a fourth one starts at 80 %. At the end all start from their disks.
 */
import { join } from "node:path";
import * as v from "valibot";
import type { TaskDetail, TaskDevice } from "../../shared/api/schema/admin.ts";
import { settingViewSchema } from "../../shared/api/schema/settings.ts";
import { reasonsText } from "../../shared/model/reason.ts";
import type { SettingValues } from "../../shared/model/setting.ts";
import { version } from "../../shared/version.ts";
import { build } from "../build/build.ts";
import { parseTargets } from "../build/targets.ts";
import { makeDeb } from "../package/deb.ts";
import { epochSeconds } from "../package/make-packages.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { enrollTokenOf } from "../rig/deployment.ts";
import { installedName, makeDebianDisk } from "./debian-disk.ts";
import { bytesToSend, firstDifference } from "./disk-bytes.ts";
import { openImagingLan, type ImagingLan } from "./imaging-lan.ts";
import type { ImagingOptions } from "./options.ts";
import { payloadSent } from "./port-counter.ts";
import type { ImagingReport, MachineResult } from "./report.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

const mib = 1_048_576;
const machineCount = 4;
/** Number of the machine that starts late. */
const lateNumber = 4;
const cutShare = 0.5;
const lateShare = 0.8;
const pollMs = 1_000;
/** Upper bounds on the wait for one step; without KVM, under load. */
const bootLimitMs = 10 * 60_000;
const taskLimitMs = 30 * 60_000;
/** Upper bound on a whole run, since the start of this process. */
const totalLimitMs = 45 * 60_000;

type Image = { readonly path: string; readonly sizeBytes: number; readonly sentBytes: number };
type Events = {
  cut: { number: number; bytesVerified: number } | null;
  lateAt: number | null;
  /** Number of a machine → its complete part of the task. The source forgets ended machines. */
  readonly complete: Map<number, TaskDevice>;
};

export async function runImaging(options: ImagingOptions, cleanup: Cleanup): Promise<ImagingReport> {
  const startedAtMs = performance.now();
  const timesMs: Record<string, number> = {};
  let sinceMs = startedAtMs;
  const note = (step: string): void => {
    const nowMs = performance.now();
    timesMs[step] = nowMs - sinceMs;
    console.error(`${step}: ${((nowMs - sinceMs) / 1_000).toFixed(0)} s`);
    sinceMs = nowMs;
  };
  const { lan, image } = await prepare(options, cleanup, note);
  const early = lan.machines.filter(({ number }) => number !== lateNumber);
  for (const machine of early) machine.start("network");
  await untilEnrolled(lan, early);
  note("three machines started from the network and enrolled");
  const packageId = await lan.source.admin("publish", image.path, "--name", "desktop", "--version", "1");
  const before = await payloadSent(lan.network.source);
  // The disks are compared between the restart, at which qemu ends, and the start from them.
  const words = ["--action", "image", "--then", "reboot"];
  const taskId = Number(await lan.source.admin("task", "create", packageId, ...words));
  const events: Events = { cut: null, lateAt: null, complete: new Map() };
  await followTask(lan, taskId, image, events);
  const wanBytes = (await payloadSent(lan.network.source)) - before;
  note("every machine has the image");
  await until(lan, bootLimitMs, "a machine does not restart", () => lan.machines.every(({ isOff }) => isOff));
  note("every machine has restarted itself");
  const machines = await resultsOf(lan, events, image);
  note("the disks were compared");
  for (const machine of lan.machines) machine.start("disk");
  await untilInstalled(lan);
  note("every machine started from its disk, and its agent enrolled");
  const multicastBps = rateOf(machines, timesMs["every machine has the image"]!);
  const { lanRateBps } = await settingOf(lan);
  const totalMs = performance.now() - startedAtMs;
  const { cut } = events;
  return { image, machines, wanBytes, cut, lateNumber, lanRateBps, multicastBps, timesMs, totalMs };
}

/** Returns the setting of the machines. */
async function settingOf({ source }: ImagingLan): Promise<SettingValues> {
  const shown = await source.admin("setting", "show", "default", "--json");
  return v.parse(settingViewSchema, JSON.parse(shown)).values;
}

/** Cards of both kinds are on the LAN. */
const hasChecksums = (number: number): boolean => number % 2 === 1;

async function prepare(
  { image: imageMib, wanRate }: ImagingOptions,
  cleanup: Cleanup,
  note: (step: string) => void,
): Promise<{ lan: ImagingLan; image: Image }> {
  const sizeBytes = imageMib * mib;
  const settings = ["reportInterval=500ms", "checkInInterval=5s", `wanRate=${wanRate}mbit`];
  const shape = {
    machines: machineCount,
    diskBytes: sizeBytes + 64 * mib,
    settings,
    agent: null,
    hasChecksums,
  };
  const lan = await openImagingLan(shape, cleanup);
  note("network, source and boot files");
  const { folder, source } = lan;
  const [executable] = await build(parseTargets([]), ["peer"], join(folder, "peer"));
  const deb = await makeDeb({
    name: "flockcast-peer",
    version,
    architecture: "x64",
    executable: executable!,
    out: join(folder, "packages"),
    epochSeconds: await epochSeconds(),
    isFast: true,
  });
  const path = join(folder, "desktop.img");
  const token = await enrollTokenOf(source);
  await makeDebianDisk({ path, sizeBytes, folder, deb, sourceUrl: source.url, token });
  note("image of a Debian with the agent");
  return { lan, image: { path, sizeBytes, sentBytes: await bytesToSend(path, sizeBytes) } };
}

/** @throws Error with the consoles of the machines */
async function until(
  lan: ImagingLan,
  limitMs: number,
  problem: string,
  holds: () => Promise<boolean> | boolean,
): Promise<void> {
  const giveUpAtMs = Math.min(performance.now() + limitMs, totalLimitMs);
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(`${problem}:\n${await lan.consoles()}`);
    await Bun.sleep(pollMs);
  }
}

const untilEnrolled = (lan: ImagingLan, machines: readonly VirtualMachine[]): Promise<void> =>
  until(lan, bootLimitMs, "a machine does not enrol", async () => {
    const devices = await lan.devices();
    return machines.every(({ number }) => devices.has(number));
  });

const untilInstalled = (lan: ImagingLan): Promise<void> =>
  until(lan, bootLimitMs, "an installed agent does not enrol", async () => {
    const devices = await lan.devices();
    return lan.machines.every(({ number }) => {
      const device = devices.get(number);
      return device?.hostname === installedName && device.connected;
    });
  });

/** Share of the bytes that are sent; chunks of zeros are verified at once. */
const shareOf = ({ bytesVerified }: TaskDevice, { sizeBytes, sentBytes }: Image): number =>
  (bytesVerified - (sizeBytes - sentBytes)) / sentBytes;

/** Follows the task to its end, cuts the power of a machine, and starts the late one. */
async function followTask(lan: ImagingLan, taskId: number, image: Image, events: Events): Promise<void> {
  let detail = await lan.task(taskId);
  let toldAtMs = 0;
  const states = (): string =>
    detail.deviceList
      .map((part) => `${part.state} ${(100 * shareOf(part, image)).toFixed(0)} % ${part.role}`)
      .join(", ");
  const failed = (): string =>
    detail.deviceList.map(({ deviceId, reasons }) => `${deviceId}: ${reasonsText(reasons)}`).join("\n");
  await until(lan, taskLimitMs, "the task does not end", async () => {
    detail = await lan.task(taskId);
    if (performance.now() - toldAtMs > 10_000) {
      toldAtMs = performance.now();
      console.error(`  ${states()}`);
    }
    if (detail.deviceList.some(({ state }) => state === "failed"))
      throw new Error(`a machine failed:\n${failed()}`);
    await act(lan, detail, image, events);
    await noteComplete(lan, detail, events);
    return events.complete.size === machineCount;
  });
}

/** Notes the machines that have become complete. */
async function noteComplete(lan: ImagingLan, { deviceList }: TaskDetail, events: Events): Promise<void> {
  const known = new Set([...events.complete.values()].map(({ deviceId }) => deviceId));
  for (const part of deviceList) {
    if (part.state !== "complete" || known.has(part.deviceId)) continue;
    const machine = await machineOf(lan, part.deviceId);
    if (machine !== undefined) events.complete.set(machine.number, part);
  }
}

async function act(lan: ImagingLan, detail: TaskDetail, image: Image, events: Events): Promise<void> {
  if (events.cut === null) {
    const part = detail.deviceList.find(
      (each) => each.role === "peer" && each.state !== "complete" && shareOf(each, image) >= cutShare,
    );
    const machine = part && (await machineOf(lan, part.deviceId));
    if (!part || !machine) return;
    await machine.cutPower();
    events.cut = { number: machine.number, bytesVerified: part.bytesVerified };
    console.error(`  machine ${machine.number} lost its power`);
    machine.start("network");
  }
  if (events.lateAt !== null) return;
  const share = Math.max(...detail.deviceList.map((part) => shareOf(part, image)));
  if (share < lateShare) return;
  events.lateAt = share;
  console.error(`  machine ${lateNumber} starts`);
  lan.machines.find(({ number }) => number === lateNumber)!.start("network");
}

async function machineOf(lan: ImagingLan, deviceId: string): Promise<VirtualMachine | undefined> {
  const devices = await lan.devices();
  return lan.machines.find(({ number }) => devices.get(number)?.id === deviceId);
}

async function resultsOf(lan: ImagingLan, { complete }: Events, image: Image): Promise<MachineResult[]> {
  const results: MachineResult[] = [];
  for (const { number, disk } of lan.machines) {
    const { from, wanBytesFetched } = complete.get(number)!;
    const differsAt = await firstDifference(disk, image.path, image.sizeBytes);
    results.push({ number, from, wanBytesFetched, differsAt });
  }
  return results;
}

/** Bits per second of multicast that the machine with the most of it received, on average. */
const rateOf = (machines: readonly MachineResult[], timeMs: number): number =>
  (8 * Math.max(...machines.map(({ from }) => from.multicast))) / (timeMs / 1_000);
