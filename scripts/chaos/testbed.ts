/**
 * Testbed of the chaos lab: a lab whose programs keep running from run to run. The first site has
 * spare places for a second deployment and an intruder. If disks are to be filled, the last device
 * of each site has a small disk of its own.
 */
import { join } from "node:path";
import type { Cleanup } from "../rig/cleanup.ts";
import { askAgent } from "../lab/agent-status.ts";
import { mountSmallDisk, type SmallDisk } from "../lab/small-disk.ts";
import type { LabDevice, LabSite } from "../lab/site.ts";
import { openWorld, type World, type WorldDevice } from "../lab/world.ts";
import { logTail } from "../rig/process.ts";
import type { ChaosOptions } from "./options.ts";
import { openSecondDeployment, type SecondDeployment } from "./second-deployment.ts";

export type Testbed = {
  readonly world: World;
  readonly options: ChaosOptions;
  readonly sites: readonly LabSite[];
  /** Devices of the deployment under test; `world.devices` also has the spare places. */
  readonly devices: readonly WorldDevice[];
  /** Places of the first site without a device. */
  readonly spares: readonly LabDevice[];
  readonly disks: ReadonlyMap<WorldDevice, SmallDisk>;
  /** Starts the second deployment at the first call. */
  readonly secondDeployment: () => Promise<SecondDeployment>;
};

const sparePlaces = 2;
/**
 * Size of a small disk in packages. The cache keeps up to 2.5 packages, and the ledger, the spilled
 * symbols and the file system need room as well.
 */
const diskPackages = 5;
const readyLimitMs = 60_000;

/** Builds the network, starts source and agents, and waits until all are ready. */
export async function openTestbed(options: ChaosOptions, cleanup: Cleanup): Promise<Testbed> {
  const world = await openWorld(
    { ...options, loss: 0, web: "nginx", devices: options.devices + sparePlaces },
    cleanup,
  );
  const { sites } = world.network;
  const places = new Set(sites.flatMap((site) => site.devices.slice(0, options.devices)));
  const devices = world.devices.filter(({ place }) => places.has(place));
  const disks = new Map<WorldDevice, SmallDisk>();
  if (options.kinds.includes("disk-full")) {
    for (const site of sites) {
      const device = devices.findLast((one) => one.site === site)!;
      const image = join(world.folder, `${device.place.name}.ext4`);
      disks.set(device, await mountSmallDisk(device.data, image, world.sent.sizeBytes * diskPackages));
    }
  }
  await world.source.admin("setting", "set", "default", ...settingWords(world, options));
  const spares = sites[0]!.devices.slice(options.devices);
  let second: Promise<SecondDeployment> | null = null;
  const testbed: Testbed = {
    world,
    options,
    sites,
    devices,
    spares,
    disks,
    secondDeployment: () => (second ??= openSecondDeployment(world, spares, options)),
  };
  for (const device of devices) await world.start(device);
  await world.untilEnrolled(devices);
  await untilReady(testbed);
  return testbed;
}

const settingWords = (world: World, options: ChaosOptions): string[] => [
  `sessionStartDelay=${Math.round(options.delay * 1_000)}ms`,
  `lanRate=${Math.round(options.lanRate * 1e6)}`,
  `cacheMaxBytes=${Math.round(2.5 * world.sent.sizeBytes)}`,
  // Upper bound on when a device without its wake stream learns of a task.
  "checkInInterval=5s",
  "reportInterval=500ms",
  "wanStall=2s",
];

/**
 * Waits until every device is connected to the source and is on its own subnet.
 * @throws Error with the tail of the log of a device that is not ready in time
 */
export async function untilReady({ devices }: Testbed): Promise<void> {
  const giveUpAtMs = performance.now() + readyLimitMs;
  for (;;) {
    const notYet: WorldDevice[] = [];
    for (const device of devices) {
      const status = await askAgent(device).catch(() => null);
      const isReady = status?.connected && status.subnetId !== null;
      if (!isReady || status.interface?.address !== device.place.address) notYet.push(device);
    }
    if (notYet.length === 0) return;
    if (performance.now() > giveUpAtMs) {
      const [first] = notYet;
      throw new Error(
        `${first!.place.name} is not ready after ${readyLimitMs / 1_000} s:\n${await logTail(first!.device!.program, 30)}`,
      );
    }
    await Bun.sleep(200);
  }
}
