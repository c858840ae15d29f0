/** The demo: publishes a package, runs a task, watches it, verifies every copy, prints the cost. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { reasonsText } from "../../shared/model/reason.ts";
import type { AdminClient } from "../../shared/api/agent-client.ts";
import { formatSize } from "../../shared/model/quantity.ts";
import type { TaskDetail } from "../../shared/api/schema/admin.ts";
import { version } from "../../shared/version.ts";
import { build } from "../build/build.ts";
import { parseTargets } from "../build/targets.ts";
import { startSource, type Source } from "../rig/deployment.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { followTask, originText, pollTask, shareOf } from "../rig/task-watch.ts";
import { logTail, stopAll } from "../rig/process.ts";
import { programsFromSource } from "../rig/programs.ts";
import { outcomeProblems, outcomeTable, type SubnetOutcome } from "../rig/table.ts";
import { openScreen, type Screen } from "../rig/screen.ts";
import { differenceFrom, digestTree, sizeOfTree, type Digests } from "../rig/verify.ts";
import { consoleLink, demoUser, showInBrowser, untilSeen } from "./console-link.ts";
import { startDemoDevices, untilEnrolled, type DemoDevice } from "./demo-devices.ts";

type DemoOptions = {
  readonly path: string | null;
  readonly subnets: number;
  readonly devices: number;
  readonly keep: boolean;
  /** Whether the default browser shows the console. */
  readonly open: boolean;
};

/** Settings that two processor cores can sustain with eight devices and the source. */
const settingWords = ["sessionStartDelay=2s", "reportInterval=250ms", "lanRate=200mbit"];
/** The disk of the machine may be nearly full. */
settingWords.push("cacheKeepFree=0", "guardDisk=allow");
const pollMs = 250;
const bytesPerSecondMin = 1_000_000;

type PackageToSend = {
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly sizeBytes: number;
  readonly digests: Digests;
};

async function preparePackage(path: string | null, folder: string): Promise<PackageToSend> {
  let chosen = path;
  if (chosen === null) {
    console.log("Building the peer's executable …");
    [chosen = ""] = await build(parseTargets([]), ["peer"], join(folder, "build"));
  }
  return {
    path: chosen,
    name: path === null ? "flockcast-peer" : basename(chosen).replaceAll(/[^\w.-]/g, "-"),
    version: path === null ? version : "1",
    sizeBytes: await sizeOfTree(chosen),
    digests: await digestTree(chosen),
  };
}

function show(screen: Screen, devices: readonly DemoDevice[], detail: TaskDetail): void {
  const lines = devices.map(({ subnet, name, id }) => {
    const device = detail.deviceList.find(({ deviceId }) => deviceId === id);
    return {
      subnet,
      device: name,
      state: device?.state ?? "pending",
      role: device?.role ?? "none",
      share: device ? shareOf(device) : 0,
      from: device ? originText(device) : "",
    };
  });
  const { complete, total } = detail.devices;
  screen.show(lines, `${complete} of ${total} devices complete`);
}

/**
 * Returns the devices without a right copy → the difference of the files, or the state of the task.
 */
async function checkCopies(
  devices: readonly DemoDevice[],
  sent: PackageToSend,
  detail: TaskDetail,
): Promise<Map<DemoDevice, string>> {
  const wrong = new Map<DemoDevice, string>();
  for (const device of devices) {
    const known = detail.deviceList.find(({ deviceId }) => deviceId === device.id);
    const copy = join(device.data, "cache", sent.name, sent.version);
    const difference = await differenceFrom(sent.digests, copy);
    if (known?.state !== "complete")
      wrong.set(device, `${known?.state ?? "unknown"}: ${reasonsText(known?.reasons ?? [])}`);
    else if (difference !== null) wrong.set(device, difference);
  }
  return wrong;
}

function outcomesOf(
  devices: readonly DemoDevice[],
  sent: PackageToSend,
  detail: TaskDetail,
  completeAfterMs: ReadonlyMap<string, number>,
  wrong: ReadonlyMap<DemoDevice, string>,
): SubnetOutcome[] {
  const subnets = [...new Set(devices.map(({ subnet }) => subnet))];
  return subnets.map((subnet) => {
    const members = devices.filter((device) => device.subnet === subnet);
    const reported = detail.deviceList.find(({ deviceId }) => members.some(({ id }) => id === deviceId));
    const known = detail.subnets.find(({ subnetId }) => subnetId === reported?.subnetId);
    const times = members.map(({ id }) => completeAfterMs.get(id));
    return {
      subnet,
      representative: members.find(({ id }) => id === known?.representative?.deviceId)?.name ?? "–",
      packageBytes: sent.sizeBytes,
      wanBytes: known?.wanBytes ?? 0,
      lanBytes: known?.lanBytes ?? 0,
      timeMs: times.includes(undefined) ? null : Math.max(...times.map((time) => time ?? 0)),
      devices: members.length,
      verified: members.filter((device) => !wrong.has(device)).length,
    };
  });
}

async function distribute(
  source: Source,
  client: AdminClient,
  devices: readonly DemoDevice[],
  sent: PackageToSend,
  cleanup: Cleanup,
): Promise<boolean> {
  const packageId = await source.admin("publish", sent.path, "--name", sent.name, "--version", sent.version);
  const taskId = Number(await source.admin("task", "create", packageId, "--action", "pre-cache"));
  const screen = openScreen();
  screen.print(`Task ${taskId}: ${sent.name} ${sent.version}, ${formatSize(sent.sizeBytes)}`);
  const { detail, completeAfterMs } = await followTask(
    pollTask(client, taskId, pollMs, cleanup.interrupted),
    {
      devices: devices.length,
      limitMs: 60_000 + (sent.sizeBytes / bytesPerSecondMin) * 1_000,
      onDetail: (seen) => show(screen, devices, seen),
    },
  );
  screen.close();
  console.log("\nReading every copy back from the disk …");
  const wrong = await checkCopies(devices, sent, detail);
  const outcomes = outcomesOf(devices, sent, detail, completeAfterMs, wrong);
  console.log(`\n${outcomeTable(outcomes)}\n`);
  for (const [device, why] of wrong) {
    console.log(`${device.subnet} ${device.name} has no right copy: ${why}`);
    console.log(`The end of its log (${device.program.logFile}):\n${await logTail(device.program)}\n`);
  }
  const problems = outcomeProblems(outcomes);
  for (const problem of problems) console.log(problem);
  if (problems.length === 0) console.log(`All ${devices.length} devices verified.`);
  return problems.length === 0;
}

/**
 * Runs the demo and returns its exit status: 0 when every copy is right and the WAN bound was kept.
 */
export async function runDemo(options: DemoOptions, cleanup: Cleanup): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-demo-"));
  let outcome: "running" | "right" | "wrong" = "running";
  cleanup.add("remove the temporary folder", async () => {
    if (outcome === "wrong" && !cleanup.interrupted.aborted)
      console.log(`The logs and data of this run stay in ${folder}`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  cleanup.add("stop the programs", () => stopAll());
  const sent = await preparePackage(options.path, folder);
  outcome = "wrong";
  await mkdir(join(folder, "devices"));
  const source = await startSource({
    programs: programsFromSource,
    data: join(folder, "source"),
    listen: "127.0.0.1:0",
    // No browser warns of a certificate, and nothing leaves the machine.
    args: ["--no-tls"],
  });
  await source.admin("setting", "set", "default", ...settingWords);
  const client = await source.client();
  const link = await consoleLink(client, source.url);
  console.log(`The console shows all of it, signed in once by this link:\n  ${link}`);
  if (options.open) await showInBrowser(link);
  console.log(`Source at ${source.url}; starting ${options.subnets} × ${options.devices} devices …`);
  const devices = await startDemoDevices(source, join(folder, "devices"), options);
  await untilEnrolled(devices, client);
  const right = await distribute(source, client, devices, sent, cleanup);
  if (right) outcome = "right";
  if (options.keep) await keepRunning(source, devices, cleanup);
  else if (options.open) await untilSeen(cleanup);
  return right ? 0 : 1;
}

const root = join(import.meta.dir, "..", "..");
const fromHere = (path: string): string => relative(process.cwd(), path);
const role = (name: string): string => fromHere(join(root, "roles", `${name}.ts`));
/** Command for Bun as the user has to type it: a Bun in `.bun/` is not on the user's PATH. */
const bun = process.execPath.startsWith(root) ? fromHere(process.execPath) : "bun";

async function keepRunning(source: Source, devices: readonly DemoDevice[], cleanup: Cleanup): Promise<void> {
  console.log(`
Everything keeps running until Ctrl-C. To inspect it:
  export FLOCKCAST_SOURCE=${source.url}
  export FLOCKCAST_TOKEN="$(cat ${join(source.data, "admin.token")})"
  ${bun} ${role("source")} task show 1
  ${bun} ${role("source")} device list
  ${bun} ${role("source")} user link ${demoUser}
  ${bun} ${role("peer")} status --data ${devices[0]?.data ?? ""}`);
  await cleanup.untilInterrupted();
}
