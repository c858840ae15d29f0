/**
 * `bench files`: what a package of many small files costs a receiver, compared with one file of the
 * same size, and the longest turn of the event loop of source and agents meanwhile.
 *
 * Source, sender and receiver are the real programs, on loopback. Each package is received by new
 * agents. The receiver is then started again and gets a second task for the package.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { reasonsText } from "../../shared/model/reason.ts";
import type { AdminClient } from "../../shared/api/agent-client.ts";
import type { TaskDevice } from "../../shared/api/schema/admin.ts";
import { randomGroup } from "../demo/demo-devices.ts";
import { readUsage } from "../lab/usage.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { enrollTokenOf, startDevice, startSource, type Device, type Source } from "../rig/deployment.ts";
import { fixed, medianOf, ratioOf, secondsText } from "../rig/figures.ts";
import { deviceIdOf } from "../rig/ledger-reader.ts";
import { logTail, stopAll, type RunningProgram } from "../rig/process.ts";
import { programsFromSource, type Programs } from "../rig/programs.ts";
import { alignTable } from "../rig/table.ts";
import { differenceFrom, digestTree } from "../rig/verify.ts";

type FilesOptions = {
  readonly files: number;
  /** Bytes of each file. */
  readonly bytes: number;
  /** The setting lanRate, Mbit/s. */
  readonly rate: number;
  readonly repeat: number;
  /** Parent of the benchmark's folder. */
  readonly folder: string;
  /** Limit of one step, seconds. */
  readonly timeout: number;
};
type Row = {
  readonly files: number;
  readonly publishMs: number;
  readonly transferMs: number;
  readonly receiverCpuSeconds: number;
  readonly multicastShare: number;
  readonly restartMs: number;
  readonly secondTaskMs: number;
  /** Longest turns of source, sender and receiver. */
  readonly turns: readonly Turn[];
};
/** The longest duration of a turn, and the most processor time of one: 0 if all were short. */
type Turn = { readonly durationMs: number; readonly processorMs: number };
type Bench = {
  readonly options: FilesOptions;
  readonly folder: string;
  readonly source: Source;
  readonly client: AdminClient;
  readonly signal: AbortSignal;
};

const pollMs = 50;
const settleMs = 1_000;
/** Session start delay, in which the sender downloads the package: the rest is by multicast. */
const delayMinMs = 4_000;
const delayPerMbMs = 40;
/** Transfers of a smaller share are not compared: receiving by unicast costs less. */
const multicastShareMin = 0.9;
const filesOfFolder = 250;
/** Length of a file's path, as in a tree of packages of Node.js. */
const pathLength = 72;

const monitored: Programs = {
  commandOf: (role) => {
    const [bun, ...words] = programsFromSource.commandOf(role);
    return [bun!, "--preload", join(import.meta.dir, "turn-monitor.ts"), ...words];
  },
};

async function until<T>(
  bench: Bench,
  what: string,
  programs: readonly RunningProgram[],
  probe: () => Promise<T | null>,
): Promise<T> {
  const giveUpAtMs = performance.now() + bench.options.timeout * 1_000;
  for (;;) {
    const found = await probe();
    if (found !== null) return found;
    if (bench.signal.aborted || performance.now() > giveUpAtMs) {
      const tails = await Promise.all(programs.map((program) => logTail(program)));
      throw new Error(`${what} did not happen in time:\n${tails.join("\n")}`);
    }
    await Bun.sleep(pollMs);
  }
}

const nameOf = (at: number, parentLength: number): string =>
  `${at}`.padStart(6, "0").padEnd(pathLength - parentLength, "-module");

/** Writes `files` files below a new folder. */
async function makePackage(folder: string, files: number, bytes: number): Promise<void> {
  for (let at = 0; at < files; at++) {
    const parent = join(folder, `folder-${Math.floor(at / filesOfFolder)}`);
    if (at % filesOfFolder === 0) await mkdir(parent, { recursive: true });
    await writeFile(join(parent, nameOf(at, parent.length - folder.length)), randomBytes(bytes));
  }
}

const turnsFile = (data: string): string => `${data}.turns`;

async function longestTurnOf(data: string): Promise<Turn> {
  const text = await readFile(turnsFile(data), "utf8").catch(() => "");
  const turns = text.split("\n").map((line) => line.split(" ").map(Number));
  const longest = (column: number): number => Math.max(0, ...turns.map((turn) => turn[column] ?? 0));
  return { durationMs: longest(1), processorMs: longest(2) };
}

async function startAgent(
  bench: Bench,
  name: string,
  role: "peer" | "representative",
  group: string,
): Promise<Device> {
  const data = join(bench.folder, name);
  return startDevice({
    programs: monitored,
    name,
    data,
    sourceUrl: bench.source.url,
    enrollToken: await enrollTokenOf(bench.source),
    role,
    interfaceAddress: "127.0.0.1",
    group,
    env: { TURNS_FILE: turnsFile(data) },
  });
}

const untilConnected = (bench: Bench, device: Device, isConnected = true): Promise<true> =>
  until(bench, `a start or stop of ${device.name}`, [device.program], async () => {
    const id = deviceIdOf(device.data);
    const found = id === null ? undefined : (await bench.client.devices()).find((each) => each.id === id);
    return found !== undefined && found.inventory !== null && found.connected === isConnected ? true : null;
  });

async function runTask(
  bench: Bench,
  packageId: string,
  devices: readonly Device[],
): Promise<{ ms: number; parts: readonly TaskDevice[] }> {
  const beganAtMs = performance.now();
  const ids = devices.map(({ data }) => deviceIdOf(data));
  const task = Number(await bench.source.admin("task", "create", packageId, "--action", "pre-cache"));
  const parts = await until(
    bench,
    `the end of task ${task}`,
    devices.map(({ program }) => program),
    async () => {
      const { deviceList } = await bench.client.task(task);
      const found = ids.map((id) => deviceList.find(({ deviceId }) => deviceId === id));
      if (found.some((part) => part?.state === "failed"))
        throw new Error(found.map((part) => reasonsText(part?.reasons ?? [])).join("; "));
      return found.every((part) => part?.state === "complete") ? found.map((part) => part!) : null;
    },
  );
  const ms = performance.now() - beganAtMs;
  await Bun.sleep(settleMs);
  await bench.source.admin("task", "cancel", String(task));
  return { ms, parts };
}

async function measure(bench: Bench, files: number, bytes: number, version: string): Promise<Row> {
  const { folder, source } = bench;
  const original = join(folder, `original-${version}`);
  await makePackage(original, files, bytes);
  await rm(turnsFile(source.data), { force: true });
  const group = await randomGroup();
  const sender = await startAgent(bench, `sender-${version}`, "representative", group);
  const receiver = await startAgent(bench, `receiver-${version}`, "peer", group);
  try {
    await untilConnected(bench, sender);
    await untilConnected(bench, receiver);
    const publishedAtMs = performance.now();
    const packageId = await source.admin("publish", original, "--name", "files", "--version", version);
    const publishMs = performance.now() - publishedAtMs;
    const before = await readUsage(receiver.program.pid);
    const { ms: transferMs, parts } = await runTask(bench, packageId, [sender, receiver]);
    const after = await readUsage(receiver.program.pid);
    const wrong = await differenceFrom(
      await digestTree(original),
      join(receiver.data, "cache", "files", version),
    );
    if (wrong !== null) throw new Error(`The receiver's copy is wrong: ${wrong}`);
    await receiver.stop();
    await untilConnected(bench, receiver, false);
    const restartedAtMs = performance.now();
    receiver.restart();
    await untilConnected(bench, receiver);
    const restartMs = performance.now() - restartedAtMs;
    const { ms: secondTaskMs } = await runTask(bench, packageId, [receiver]);
    return {
      files,
      publishMs,
      transferMs,
      receiverCpuSeconds: after!.cpuSeconds - before!.cpuSeconds,
      multicastShare: parts[1]!.from.multicast / parts[1]!.bytesTotal,
      restartMs,
      secondTaskMs,
      turns: await Promise.all([source.data, sender.data, receiver.data].map(longestTurnOf)),
    };
  } finally {
    await Promise.all([sender.stop(), receiver.stop()]);
  }
}

/** Measures one file and many files of the same total size in turn. */
export async function runFiles(options: FilesOptions, cleanup: Cleanup): Promise<string> {
  const folder = await mkdtemp(join(options.folder, "flockcast-bench-files-"));
  cleanup.add("the folder", () => rm(folder, { recursive: true, force: true }));
  cleanup.add("stop the programs", () => stopAll("SIGKILL"));
  const data = join(folder, "source");
  const source = await startSource({
    programs: monitored,
    data,
    listen: "127.0.0.1:0",
    // The processor time in docs/BENCHMARKS.md is that of plain HTTP.
    args: ["--no-tls"],
    env: { TURNS_FILE: turnsFile(data) },
  });
  const client = await source.client();
  await source.admin(
    "setting",
    "set",
    "default",
    `sessionStartDelay=${Math.round(delayMinMs + (delayPerMbMs * options.files * options.bytes) / 1e6)}ms`,
    "reportInterval=200ms",
    `lanRate=${options.rate}mbit`,
    "useDeputy=false",
    "representativeWeight=0",
  );
  const bench: Bench = { options, folder, source, client, signal: cleanup.interrupted };
  const rows: Row[] = [];
  for (let run = 1; run <= options.repeat; run++) {
    rows.push(await measure(bench, 1, options.files * options.bytes, `${run}.1`));
    console.error(`one file: ${secondsText(rows.at(-1)!.receiverCpuSeconds * 1_000)}`);
    rows.push(await measure(bench, options.files, options.bytes, `${run}.2`));
    console.error(`${options.files} files: ${secondsText(rows.at(-1)!.receiverCpuSeconds * 1_000)}`);
  }
  return filesText(rows, options);
}

function filesText(rows: readonly Row[], { files, bytes }: FilesOptions): string {
  const cpuOf = (count: number): number | null =>
    medianOf(
      rows
        .filter((row) => row.files === count && row.multicastShare >= multicastShareMin)
        .map((row) => row.receiverCpuSeconds),
    );
  const head = [
    "files",
    "publish",
    "transfer",
    "receiver CPU",
    "by multicast",
    "restart",
    "second task",
    "longest turn (processor): source",
    "sender",
    "receiver",
  ];
  const lines = rows.map((row) => [
    String(row.files),
    secondsText(row.publishMs),
    secondsText(row.transferMs),
    secondsText(row.receiverCpuSeconds * 1_000),
    fixed(row.multicastShare * 100, 0, " %"),
    secondsText(row.restartMs),
    secondsText(row.secondTaskMs),
    ...row.turns.map(({ durationMs, processorMs }) => `${durationMs} ms (${processorMs} ms)`),
  ]);
  const ratio = fixed(ratioOf(cpuOf(files), cpuOf(1)), 2);
  return `\n${files} files of ${bytes} bytes, and one file of the same size; receiver CPU of many ÷ one: ${ratio}\n${alignTable([head, ...lines], 0)}`;
}
