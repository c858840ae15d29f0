/**
 * `bun run lab -- [options]`: the real programs in network namespaces, measured with the kernel's
 * counters (Linux, as root). The lab removes all that it built, also after an error or Ctrl-C. The
 * next run removes what a killed run left. Exit status 0 only when every device holds a right copy
 * and each WAN link carried the package once.
 */
import { truncate } from "node:fs/promises";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { runWithCleanup, type Cleanup } from "./rig/cleanup.ts";
import { prepareUpgrade, upgradeSettingWords } from "./lab/agent-upgrade.ts";
import { readCounters } from "./lab/counters.ts";
import { labReportText, problemsOf, type LabReport } from "./lab/report.ts";
import { labPrograms, prepareMachine } from "./lab/machine.ts";
import { measureTask } from "./lab/measurement.ts";
import { labCommand, type LabOptions } from "./lab/options.ts";
import { nextVersion } from "./lab/package.ts";
import { startScenario } from "./lab/scenario.ts";
import { createUsageMeter } from "./lab/usage.ts";
import { timeCurl } from "./lab/web.ts";
import { crowdedEnvironment, openWorld, type World, type WorldDevice } from "./lab/world.ts";
import { logTail } from "./rig/process.ts";

/** Time for new devices to open their wake streams, and for the LAN to become quiet. */
const settleMs = 1_500;

function programsOf({ loss, nat, multicast }: LabOptions): Record<string, string> {
  const filters = loss > 0 || nat || multicast !== "works";
  return { ...labPrograms, ...(filters && { nft: "nftables" }) };
}

/** Measures one `curl` for a file of the package's size over the idle WAN link, in seconds. */
async function measureCurl(world: World): Promise<number> {
  const file = join(world.folder, "curl", "same-size.bin");
  await Bun.write(file, "");
  await truncate(file, world.sent.sizeBytes);
  const { source: namespace, sourceAddress: address, sites } = world.network;
  return timeCurl(
    { namespace, address },
    sites[0]!.devices[0]!.namespace,
    file,
    join(world.folder, "curl-nginx"),
  );
}

const settingWords = (options: LabOptions): string[] => [
  `sessionStartDelay=${Math.round(options.delay * 1_000)}ms`,
  `lanRate=${Math.round(options.lanRate * 1e6)}`,
  `useMulticast=${options.multicast !== "off"}`,
  // A standby takes its chunks by unicast, and hides what multicast does not deliver.
  ...(options.scenario === "mtu" ? ["useDeputy=false"] : []),
  // Scenarios act on reported progress, and delivery modes are measured by it.
  ...(options.scenario === "agent-upgrade" ? upgradeSettingWords(options.broken === true) : []),
  ...(options.scenario === undefined && options.multicast === "works" ? [] : ["reportInterval=500ms"]),
];

function warnOfLoad(): void {
  const [busy = 0] = loadavg();
  if (busy > 1)
    console.error(`The machine is busy (load ${busy.toFixed(1)}): times will be longer than on an idle one`);
}

async function measure(world: World, options: LabOptions, cleanup: Cleanup): Promise<LabReport> {
  warnOfLoad();
  const curlSeconds = await measureCurl(world);
  console.error(`One curl over the idle link: ${curlSeconds.toFixed(2)} s`);
  await world.source.admin("setting", "set", "default", ...settingWords(options));
  const packageId = await world.publish();
  const scenario = startScenario(
    world,
    options.scenario,
    options.scenario === "kill-representative" ? options.killAt / 100 : undefined,
  );
  cleanup.add("end the scenario", scenario.cancel);
  const early = world.devices.filter((device) => !scenario.heldBack.includes(device));
  for (const device of early) await world.start(device);
  await world.untilEnrolled(early);
  await Bun.sleep(settleMs);
  const usage = createUsageMeter();
  const common = { limitMs: options.timeout * 1_000, usage, signal: cleanup.interrupted };
  const upgrade =
    options.scenario === "agent-upgrade" ? await prepareUpgrade(world, options.broken === true) : null;
  let toldAtMs = 0;
  const onDetail = (detail: Parameters<typeof scenario.onDetail>[0]) => {
    scenario.onDetail(detail);
    upgrade?.onDetail(detail);
    if (performance.now() - toldAtMs < 2_000) return;
    toldAtMs = performance.now();
    console.error(progressText(detail));
  };
  console.error("The task begins.");
  const expected: readonly WorldDevice[] = options.scenario === "cached" ? early : world.devices;
  const first = await measureTask(world, packageId, expected, { ...common, onDetail });
  let second: LabReport["second"] = null;
  if (options.scenario === "cached") {
    console.error("A second task for the same package, with a new device at every site.");
    // The counters start before the new devices do. The first task is not meant for those devices.
    await world.source.admin("task", "cancel", String(first.taskId));
    const since = await readCounters(world.network);
    for (const device of scenario.heldBack) await world.start(device);
    await world.untilEnrolled(scenario.heldBack);
    await Bun.sleep(settleMs);
    second = await measureTask(world, packageId, world.devices, { ...common, since, onDetail });
  }
  if (options.scenario === "new-version") {
    console.error("A task for the next version of the package.");
    const sent = await nextVersion(world.sent);
    const nextId = await world.publish(sent);
    second = await measureTask(world, nextId, world.devices, { ...common, sent, onDetail });
  }
  scenario.cancel();
  const { sizeBytes: packageBytes, sentBytes } = world.sent;
  return {
    packageBytes,
    sentBytes,
    curlSeconds,
    first,
    second,
    upgrade: upgrade && (await upgrade.result(common.limitMs)),
    source: usage.of("source"),
  };
}

function progressText(detail: Parameters<Parameters<typeof measureTask>[3]["onDetail"]>[0]): string {
  const rows = detail.deviceList.map((device) =>
    device.bytesTotal > 0 ? Math.floor((100 * device.bytesVerified) / device.bytesTotal) : 0,
  );
  const spread = rows.length === 0 ? "" : ` (${Math.min(...rows)} to ${Math.max(...rows)} %)`;
  return `  ${detail.devices.complete} of ${detail.devices.total} devices complete${spread}`;
}

async function keepLogs(world: World, report: LabReport): Promise<void> {
  const failed = report.first.devices.filter(({ wrong }) => wrong !== null).slice(0, 3);
  for (const { name } of failed) {
    const device = world.devices.find(({ place }) => place.name === name)?.device;
    if (device) console.error(`The end of ${name}'s log:\n${await logTail(device.program)}\n`);
  }
}

async function runLab(options: LabOptions, cleanup: Cleanup): Promise<number> {
  await prepareMachine(programsOf(options), options.package);
  const world = await openWorld(
    {
      ...options,
      ...(options.scenario === "agent-upgrade" && { compiled: true, ownExecutables: true }),
      content: options.scenario === "new-version" ? "program" : options.content,
      ...(options.scenario === "mtu" && { siteMtus: options.mtu }),
      deviceEnvironment: crowdedEnvironment,
      // The last device of a site may have the smallest MTU, and must not lead.
      roleOf: ({ name }) => (options.scenario === "mtu" && name.endsWith("-d1") ? "representative" : "peer"),
    },
    cleanup,
  );
  const report = await measure(world, options, cleanup);
  const problems = problemsOf(report, options);
  if (options.json) console.log(JSON.stringify({ ...report, options, problems }, null, 2));
  else console.log(labReportText(report));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) await keepLogs(world, report);
  if (options.keep) {
    console.error(`Kept until Ctrl-C: ${world.folder}; for example
  ip netns exec ${world.network.source} curl -k -H "Authorization: Bearer $(cat ${world.source.data}/admin.token)" ${world.source.url}/metrics
  ip netns exec ${world.devices[0]!.place.namespace} bash`);
    await cleanup.untilInterrupted();
  }
  return problems.length === 0 ? 0 : 1;
}

const options = labCommand.parse().opts();
if (options.package !== undefined) options.package = resolve(options.package);
await runWithCleanup((cleanup) => runLab(options, cleanup));
