/**
 * Injects the faults of a timetable into a running testbed, and ends them. What each kind is, and
 * how long it lasts, is decided in `fault-kinds.ts` and `timetable.ts`.
 */
import { join } from "node:path";
import { defaultGroup } from "../../shared/net/lan/multicast-group.ts";
import { askAgent } from "../lab/agent-status.ts";
import { portOf } from "../lab/site.ts";
import { inside, ip } from "../lab/namespace.ts";
import { cutWan, restoreWan } from "../lab/topology.ts";
import { returnDevice, moveDevice } from "../lab/roaming.ts";
import type { WorldDevice } from "../lab/world.ts";
import { launch } from "../rig/process.ts";
import { faultNameOf } from "./fault-kinds.ts";
import type { Testbed } from "./testbed.ts";
import type { Fault } from "./timetable.ts";

export type ActiveRun = {
  readonly testbed: Testbed;
  readonly taskId: number;
  /** Devices that a fault affected directly. */
  readonly affected: Set<WorldDevice>;
};
type InjectedFault = {
  /** Line of the run's story: "kill -9 s1-d2 (representative)". */
  readonly text: string;
  /** Ends the fault and returns the problems found while it lasted. */
  readonly end: () => Promise<string[] | void>;
};

/** Prepares what a fault needs before the task is created. */
export async function prepareFault(fault: Fault, testbed: Testbed, version: string): Promise<void> {
  if (fault.kind === "second-deployment") await (await testbed.secondDeployment()).publish(version);
}

/** Injects a fault, which lasts until `end` of the result is called. */
export function injectFault(fault: Fault, run: ActiveRun): Promise<InjectedFault> {
  switch (faultNameOf(fault)) {
    case "crash":
    case "stall":
    case "roam":
    case "port-down":
      return injectAtDevice(fault, run);
    case "line-cut":
      return cutSiteWan(fault, run);
    case "disk-full":
      return fillDisk(fault, run);
    case "source-restart":
    case "web-restart":
    case "web-errors":
      return injectAtServer(fault, run);
    case "second-deployment":
      return startSecondDeployment(run);
    case "intruder":
      return startIntruder(run);
  }
}

/**
 * Chooses a device of the fault's site that no fault has affected yet. The device is the
 * representative if the timetable asks for it and the site has one.
 */
async function chooseDevice(fault: Fault, run: ActiveRun): Promise<{ device: WorldDevice; role: string }> {
  const site = run.testbed.sites[fault.site]!;
  const free = run.testbed.devices.filter((device) => device.site === site && !run.affected.has(device));
  const roles = await Promise.all(
    free.map(async (device) => {
      const status = await askAgent(device).catch(() => null);
      return status?.tasks.find(({ taskId }) => taskId === run.taskId)?.role ?? "none";
    }),
  );
  const leads = roles.indexOf("representative");
  const others = free.filter((_, at) => at !== leads);
  const isLeader = fault.whom === "representative" && leads >= 0;
  const device = isLeader ? free[leads]! : (others[Math.floor(fault.pick * others.length)] ?? free[0]!);
  run.affected.add(device);
  return { device, role: isLeader ? "representative" : "peer" };
}

async function injectAtDevice(fault: Fault, run: ActiveRun): Promise<InjectedFault> {
  const { testbed } = run;
  const { device, role } = await chooseDevice(fault, run);
  const name = `${device.place.name} (${role})`;
  const { pid } = device.device!.program;
  switch (faultNameOf(fault)) {
    case "crash":
      await device.device!.kill();
      return { text: `kill -9 ${name}`, end: () => testbed.world.start(device) };
    case "stall":
      process.kill(pid, "SIGSTOP");
      return { text: `SIGSTOP ${name}`, end: async () => void process.kill(pid, "SIGCONT") };
    case "roam": {
      const elsewhere = testbed.sites.find((site) => site !== device.site)!;
      await moveDevice(device, elsewhere, testbed.options.lan);
      return { text: `${name} moves to ${elsewhere.name}`, end: () => returnDevice(device, elsewhere) };
    }
    default: {
      const port = portOf(device.site.devices.indexOf(device.place));
      await ip(device.site.router, [`link set ${port} down`]);
      return {
        text: `the link of ${name} is down`,
        end: () => ip(device.site.router, [`link set ${port} up`]),
      };
    }
  }
}

async function cutSiteWan(fault: Fault, { testbed }: ActiveRun): Promise<InjectedFault> {
  const site = testbed.sites[fault.site]!;
  await cutWan(site);
  return { text: `the WAN link of ${site.name} is down`, end: () => restoreWan(site) };
}

async function fillDisk(fault: Fault, { testbed, affected }: ActiveRun): Promise<InjectedFault> {
  const site = testbed.sites[fault.site]!;
  const [device, disk] = [...testbed.disks].find(([one]) => one.site === site)!;
  affected.add(device);
  await disk.fill();
  return { text: `the disk of ${device.place.name} is full`, end: disk.free };
}

async function injectAtServer(fault: Fault, { testbed: { world } }: ActiveRun): Promise<InjectedFault> {
  const web = world.web()!;
  switch (faultNameOf(fault)) {
    case "source-restart":
      await world.source.program.stop("SIGKILL");
      return { text: "kill -9 the source", end: () => world.source.restart() };
    case "web-restart":
      await web.program.stop();
      return { text: "the web site stops", end: () => web.restart() };
    default:
      // The restart aborts the download in flight, so that the next request is refused.
      await web.refuse(true);
      await web.program.stop();
      await web.restart();
      return { text: "the web site answers 503", end: () => web.refuse(false) };
  }
}

async function startSecondDeployment({ testbed }: ActiveRun): Promise<InjectedFault> {
  const second = await testbed.secondDeployment();
  return { text: "the second deployment distributes", end: await second.distribute() };
}

async function startIntruder({ testbed: { world, spares } }: ActiveRun): Promise<InjectedFault> {
  const place = spares.at(-1)!;
  const group = `${defaultGroup.address}:${defaultGroup.port}`;
  const script = join(import.meta.dir, "..", "lab", "intruder.ts");
  const intruder = launch({
    name: "intruder",
    command: [...inside(place.namespace), process.execPath, script, group, place.address],
    logFile: join(world.folder, "intruder.log"),
  });
  return {
    text: `an intruder sends at ${place.name}`,
    end: async () => {
      const status = intruder.exitStatus();
      await intruder.stop();
      return status === null ? [] : [`the intruder exited early with status ${status}`];
    },
  };
}
