/** Does what a timetable says to a running world, and takes it back. */
import { join } from "node:path";
import { defaultGroup } from "../../shared/net/lan/multicast-group.ts";
import { askAgent } from "../lab/agent-status.ts";
import { portOf } from "../lab/site.ts";
import { inside, ip } from "../lab/namespace.ts";
import { cutWan, mendWan } from "../lab/topology.ts";
import { comeHome, visit } from "../lab/roaming.ts";
import type { WorldDevice } from "../lab/world.ts";
import { launch } from "../rig/process.ts";
import type { Ground } from "./testbed.ts";
import type { Fault } from "./timetable.ts";

export type Scene = {
  readonly ground: Ground;
  readonly taskId: number;
  /** Devices that a fault befell. */
  readonly hit: Set<WorldDevice>;
};
export type Deed = {
  readonly text: string;
  /** Ends the fault; answers what went wrong in it. */
  readonly end: () => Promise<string[] | void>;
};

/** What a fault needs before the task begins. */
export async function prepareFault(fault: Fault, ground: Ground, version: string): Promise<void> {
  if (fault.kind === "second-deployment") await (await ground.neighbour()).publish(version);
}

export function doFault(fault: Fault, scene: Scene): Promise<Deed> {
  switch (fault.kind) {
    case "kill":
    case "stop":
    case "move":
      return befall(fault, scene);
    case "link":
      return fault.whom === "wan" ? cutSite(fault, scene) : befall(fault, scene);
    case "disk-full":
      return fillDisk(fault, scene);
    case "source-restart":
    case "web-restart":
    case "web-503":
      return disturbServer(fault, scene);
    case "second-deployment":
      return distributeBeside(scene);
    case "intruder":
      return intrude(scene);
  }
}

/** A device of the site that no fault befell yet; the representative, when that is meant and there is one. */
async function chooseDevice(fault: Fault, scene: Scene): Promise<{ device: WorldDevice; role: string }> {
  const site = scene.ground.sites[fault.site]!;
  const free = scene.ground.devices.filter((device) => device.site === site && !scene.hit.has(device));
  const roles = await Promise.all(
    free.map(async (device) => {
      const status = await askAgent(device).catch(() => null);
      return status?.tasks.find(({ taskId }) => taskId === scene.taskId)?.role ?? "none";
    }),
  );
  const leads = roles.indexOf("representative");
  const others = free.filter((_, at) => at !== leads);
  const isLeader = fault.whom === "representative" && leads >= 0;
  const device = isLeader ? free[leads]! : (others[Math.floor(fault.pick * others.length)] ?? free[0]!);
  scene.hit.add(device);
  return { device, role: isLeader ? "representative" : "peer" };
}

async function befall(fault: Fault, scene: Scene): Promise<Deed> {
  const { ground } = scene;
  const { device, role } = await chooseDevice(fault, scene);
  const name = `${device.place.name} (${role})`;
  const { pid } = device.device!.program;
  switch (fault.kind) {
    case "kill":
      await device.device!.kill();
      return { text: `kill -9 ${name}`, end: () => ground.world.start(device) };
    case "stop":
      process.kill(pid, "SIGSTOP");
      return { text: `SIGSTOP ${name}`, end: async () => void process.kill(pid, "SIGCONT") };
    case "move": {
      const elsewhere = ground.sites.find((site) => site !== device.site)!;
      await visit(device, elsewhere, ground.options.lan);
      return { text: `${name} moves to ${elsewhere.name}`, end: () => comeHome(device, elsewhere) };
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

async function cutSite(fault: Fault, { ground }: Scene): Promise<Deed> {
  const site = ground.sites[fault.site]!;
  await cutWan(site);
  return { text: `the WAN link of ${site.name} is down`, end: () => mendWan(site) };
}

async function fillDisk(fault: Fault, { ground, hit }: Scene): Promise<Deed> {
  const site = ground.sites[fault.site]!;
  const [device, disk] = [...ground.disks].find(([one]) => one.site === site)!;
  hit.add(device);
  await disk.fill();
  return { text: `the disk of ${device.place.name} is full`, end: disk.free };
}

async function disturbServer(fault: Fault, { ground: { world } }: Scene): Promise<Deed> {
  const web = world.web()!;
  switch (fault.kind) {
    case "source-restart":
      await world.source.program.stop("SIGKILL");
      return { text: "kill -9 the source", end: () => world.source.restart() };
    case "web-restart":
      await web.program.stop();
      return { text: "the web site stops", end: () => web.restart() };
    default:
      // The download under way is broken off: what it asks next is refused.
      await web.refuse(true);
      await web.program.stop();
      await web.restart();
      return { text: "the web site answers 503", end: () => web.refuse(false) };
  }
}

async function distributeBeside({ ground }: Scene): Promise<Deed> {
  const neighbour = await ground.neighbour();
  return { text: "the second deployment distributes", end: await neighbour.distribute() };
}

async function intrude({ ground: { world, spares } }: Scene): Promise<Deed> {
  const place = spares.at(-1)!;
  const group = `${defaultGroup.address}:${defaultGroup.port}`;
  const script = join(import.meta.dir, "..", "lab", "intruder.ts");
  const intruder = launch({
    name: "intruder",
    command: [...inside(place.namespace), process.execPath, script, group, place.address],
    logFile: join(world.folder, "intruder.log"),
  });
  return {
    text: `an intruder speaks at ${place.name}`,
    end: async () => {
      const status = intruder.exitStatus();
      await intruder.stop();
      return status === null ? [] : [`the intruder ended by itself with status ${status}`];
    },
  };
}
