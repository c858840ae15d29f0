/**
 * World of a lab: the network, the source, and the devices as processes in their namespaces.
 * `openWorld` builds a world and registers its removal. Scenarios act on it, measurements read it.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import * as v from "valibot";
import { taskDetailSchema, type TaskDetail } from "../../shared/api/schema/admin.ts";
import { build } from "../build/build.ts";
import { parseTargets } from "../build/targets.ts";
import { enrollTokenOf, startDevice, startSource, type Device, type Source } from "../rig/deployment.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { deviceIdOf } from "../rig/ledger-reader.ts";
import { cleanEnvironment, logTail, stopAll } from "../rig/process.ts";
import { programsFromFolder, programsFromSource, type Programs } from "../rig/programs.ts";
import { raiseKernelLimits } from "./kernel-limits.ts";
import { writeRunRecord, removeRunRecord } from "./stale-runs.ts";
import { inside, insideAs } from "./namespace.ts";
import type { LabOptions } from "./options.ts";
import { preparePackage, type Content, type LabPackage } from "./package.ts";
import { buildNetwork, planNetwork, removeNetwork, type LabNetwork } from "./topology.ts";
import type { LabDevice, LabSite } from "./site.ts";
import { unmountBelow } from "./small-disk.ts";
import { startNginx, type WebSite } from "./web.ts";

/** Options of a world: a part of the lab's command line, and further ones. */
export type WorldOptions = Pick<
  LabOptions,
  "subnets" | "devices" | "wan" | "lan" | "loss" | "size" | "package" | "compiled" | "nat" | "web"
> & {
  readonly multicast?: LabOptions["multicast"];
  /** Contents of a package that the lab makes. */
  readonly content?: Content | "program";
  /** The source uses TLS; default: plain HTTP. */
  readonly tls?: boolean | undefined;
  readonly cutRuns?: boolean | undefined;
  /** Program of a device; "representative" always volunteers. Default: all run "peer". */
  readonly roleOf?: (place: LabDevice) => "peer" | "representative";
  /** Every device has its own copy of the executable, which it may replace. */
  readonly ownExecutables?: boolean;
  /** Further environment variables of the devices. */
  readonly deviceEnvironment?: Readonly<Record<string, string>>;
};

/**
 * Environment of devices that share a few processors: switches off the engine's last compiler
 * (FTL). On a machine of its own, a device loses a fraction of a second by that compiler. Sixteen
 * devices that compile at once when the multicast begins leave the representative too little time
 * to keep up with its download (docs/TESTING.md). `BUN_JSC_useFTLJIT=1 bun run lab` enables FTL.
 */
export const crowdedEnvironment = { BUN_JSC_useFTLJIT: process.env["BUN_JSC_useFTLJIT"] ?? "0" } as const;
export type WorldDevice = {
  readonly site: LabSite;
  readonly place: LabDevice;
  readonly role: "peer" | "representative";
  readonly data: string;
  /** Process of the device; null until its first start. */
  device: Device | null;
  /** Device id; empty until the device has enrolled. */
  id: string;
};
export type World = {
  readonly folder: string;
  readonly network: LabNetwork;
  readonly source: Source;
  readonly sent: LabPackage;
  readonly programs: Programs;
  readonly devices: readonly WorldDevice[];
  readonly start: (device: WorldDevice) => Promise<void>;
  /** Stops the device and deletes its data, so that the next start is that of a new device. */
  readonly reset: (device: WorldDevice) => Promise<void>;
  /** Waits until these devices have enrolled. @throws Error with the tail of a device's log */
  readonly untilEnrolled: (devices: readonly WorldDevice[]) => Promise<void>;
  /** Publishes a package, by default `sent`, and returns its id. */
  readonly publish: (version?: LabPackage) => Promise<string>;
  /** Web site with the package's bytes; null before `publish`, or when the source serves them. */
  readonly web: () => WebSite | null;
  /** Yields the details of a task several times a second, until the signal aborts. */
  readonly taskStream: (taskId: number, signal: AbortSignal) => AsyncGenerator<TaskDetail>;
};

const enrolLimitMs = 120_000;
const pollMs = 250;

async function choosePrograms(options: WorldOptions, folder: string): Promise<Programs> {
  if (!options.compiled) return programsFromSource;
  console.error("Building the executables …");
  await build(parseTargets([]), ["source", "peer", "representative"], join(folder, "build"));
  return programsFromFolder(join(folder, "build"));
}

/**
 * Builds the world; devices are not started. Registers every removal before the network is built.
 * @throws Error when a command fails; the registered steps remove what was built
 */
export async function openWorld(options: WorldOptions, cleanup: Cleanup): Promise<World> {
  const runId = `fclab${randomBytes(3).toString("hex")}`;
  const folder = await mkdtemp(join(tmpdir(), "flockcast-lab-"));
  const network = planNetwork(runId, options);
  cleanup.add("remove the record of the run", () => removeRunRecord(runId));
  cleanup.add("remove the temporary folder", async () => {
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  cleanup.add("remove the namespaces", () => removeNetwork(network));
  cleanup.add("stop the programs", () => stopAll());
  await writeRunRecord(runId, folder);
  const sent = await preparePackage(options, folder);
  const programs = await choosePrograms(options, folder);
  console.error(`Building ${options.subnets} sites of ${options.devices} devices (namespaces ${runId}-…) …`);
  await raiseKernelLimits(cleanup);
  await buildNetwork(network, options);
  await mkdir(join(folder, "devices"));
  const source = await startSource({
    programs,
    data: join(folder, "source"),
    listen: `${network.sourceAddress}:0`,
    prefix: inside(network.source),
    // The counts of bytes in docs/BENCHMARKS.md are those of plain HTTP.
    ...(options.tls ? {} : { args: ["--no-tls"] }),
  });
  const devices = devicesOf(network, options, join(folder, "devices"));
  let web: WebSite | null = null;
  const openWeb = async (): Promise<WebSite> =>
    (web ??= await startNginx(
      network.source,
      network.sourceAddress,
      dirname(sent.path),
      join(folder, "nginx"),
    ));
  return {
    folder,
    network,
    source,
    sent,
    programs,
    devices,
    web: () => web,
    start: async (device) => {
      const own = options.ownExecutables ? await copyPrograms(device, programs) : programs;
      return startOne(device, own, source, options.deviceEnvironment);
    },
    reset: reset,
    untilEnrolled,
    publish: async (version = sent) =>
      publish(source, version, options.web === "nginx" ? urlOf(await openWeb(), sent, version) : null),
    taskStream: (taskId, signal) => taskStream(network, source, taskId, signal),
  };
}

const devicesOf = (network: LabNetwork, { roleOf }: WorldOptions, folder: string): WorldDevice[] =>
  network.sites.flatMap((site) =>
    site.devices.map((place) => ({
      site,
      place,
      role: roleOf?.(place) ?? "peer",
      data: join(folder, place.name),
      device: null,
      id: "",
    })),
  );

/** Copies the executable of a device next to its data folder, at its first start. */
async function copyPrograms({ data, role }: WorldDevice, programs: Programs): Promise<Programs> {
  const file = join(`${data}-program`, "agent");
  if (!existsSync(file)) {
    await mkdir(dirname(file));
    await copyFile(programs.commandOf(role)[0]!, file);
  }
  return { commandOf: () => [file] };
}

async function startOne(
  device: WorldDevice,
  programs: Programs,
  source: Source,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (device.device) {
    device.device.restart();
    return;
  }
  device.device = startDevice({
    programs,
    name: device.place.name,
    data: device.data,
    role: device.role,
    sourceUrl: source.url,
    enrollToken: await enrollTokenOf(source),
    prefix: insideAs(device.place.namespace, device.place.name),
    env,
  });
}

async function reset(device: WorldDevice): Promise<void> {
  await device.device?.stop();
  device.device = null;
  device.id = "";
  await rm(device.data, { recursive: true, force: true, maxRetries: 3 });
  await rm(`${device.data}.log`, { force: true });
}

async function untilEnrolled(devices: readonly WorldDevice[]): Promise<void> {
  const giveUpAtMs = performance.now() + enrolLimitMs;
  for (;;) {
    for (const each of devices) each.id ||= deviceIdOf(each.data) ?? "";
    const missing = devices.filter(({ id }) => id === "");
    if (missing.length === 0) return;
    const failed = missing.find(({ device }) => device?.program.exitStatus() !== null);
    if (failed || performance.now() > giveUpAtMs) {
      const { device, place } = failed ?? missing[0]!;
      const tail = device ? await logTail(device.program) : "it was not started";
      throw new Error(`${place.name} did not enrol:\n${tail}`);
    }
    await Bun.sleep(100);
  }
}

/** Returns the URL of a version; the web site serves the folder of the first one. */
const urlOf = ({ url }: WebSite, first: LabPackage, version: LabPackage): string =>
  [url, ...relative(dirname(first.path), version.path).split("/").map(encodeURIComponent)].join("/");

async function publish(source: Source, version: LabPackage, url: string | null): Promise<string> {
  const words = ["publish", version.path, "--name", version.name, "--version", version.version];
  return source.admin(...words, ...(url === null ? [] : ["--url", url]));
}

async function* taskStream(
  network: LabNetwork,
  source: Source,
  taskId: number,
  signal: AbortSignal,
): AsyncGenerator<TaskDetail> {
  const script = join(import.meta.dir, "task-stream.ts");
  const token = join(source.data, "admin.token");
  const child = Bun.spawn(
    [...inside(network.source), process.execPath, script, source.url, token, String(taskId), String(pollMs)],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit", env: cleanEnvironment() },
  );
  const stop = () => child.kill();
  signal.addEventListener("abort", stop);
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const piece of child.stdout) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      const last = lines.at(-1);
      if (last) yield v.parse(taskDetailSchema, JSON.parse(last));
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    await child.exited;
  }
}
