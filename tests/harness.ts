/**
 * Small deployment of real processes on loopback for end-to-end tests. The harness chooses free
 * ports and groups, and keeps all files in one temporary folder. The disposal kills the processes
 * and removes the folder.
 *
 *     await using harness = await openHarness();
 *     const peers = await harness.startPeers(3);
 *     const file = await harness.makeFile("a.bin", 3_000_000);
 *     const id = await harness.publish(file, { name: "a", version: "1" });
 *     await harness.waitUntilComplete(await harness.createTask(id), peers);
 */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { reasonsText } from "../shared/model/reason.ts";
import type { LedgerPackage } from "../shared/cache/index.ts";
import type { AdminClient } from "../shared/api/agent-client.ts";
import type { AgentStatus } from "../shared/agent/status/status-server.ts";
import { askStatus } from "../shared/agent/status/status-server.ts";
import type { TaskDetail, TaskDevice } from "../shared/api/schema/admin.ts";
import {
  enrollTokenOf,
  startDevice,
  startSource,
  type Device,
  type Source,
} from "../scripts/rig/deployment.ts";
import type { RoleName } from "../scripts/build/executable.ts";
import { randomGroup } from "../scripts/demo/demo-devices.ts";
import { deviceIdOf, ledgerPackages } from "../scripts/rig/ledger-reader.ts";
import { logTail, runToEnd, type Output } from "../scripts/rig/process.ts";
import { programsFromSource, type Programs } from "../scripts/rig/programs.ts";
import { differenceFrom, digestTree } from "../scripts/rig/verify.ts";

export type Peer = Device & {
  readonly id: string;
  /** Path of the peer's complete copy of a package. */
  readonly copyOf: (name: string, version: string) => string;
  /** Packages of the peer's ledger, read while the agent runs. */
  readonly ledger: () => LedgerPackage[];
  /** Status of the running agent. @throws Error when no agent answers */
  readonly status: () => Promise<AgentStatus>;
};

type PeerOptions = {
  readonly name?: string;
  /** Data folder. Default: one with the peer's name below the harness's folder. */
  readonly data?: string;
  readonly role?: "peer" | "representative";
  /** Multicast group; peers of one group are one subnet. Default: the harness's group. */
  readonly group?: string;
  /** Default: the source's; null: none, for a device that is enrolled already. */
  readonly enrollToken?: string | null;
  readonly sourceUrl?: string;
  /** Further words of the agent's command line. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: those of the harness. */
  readonly programs?: Programs;
};

type TaskOptions = {
  readonly action?: "pre-cache" | "run" | "upgrade";
  readonly command?: string;
  readonly target?: string;
  readonly setting?: string;
};

export type HarnessOptions = {
  readonly programs?: Programs;
  /** Words `key=value` for the setting `default`, in addition to `quickSettings`. */
  readonly settings?: readonly string[];
  readonly sourceArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

export type Harness = AsyncDisposable & {
  readonly folder: string;
  readonly source: Source;
  /** Client at the address of the source when the harness was opened, or of `reconnect`. */
  readonly client: AdminClient;
  /** Makes the client again, after the source's address has changed. */
  readonly reconnect: () => Promise<void>;
  /** Default group of the peers: one simulated subnet. */
  readonly group: string;
  readonly startPeer: (options?: PeerOptions) => Promise<Peer>;
  readonly startPeers: (count: number, options?: Omit<PeerOptions, "name">) => Promise<Peer[]>;
  /** Returns the group of another simulated subnet. */
  readonly newGroup: () => Promise<string>;
  /** Creates a file of random bytes below the harness's folder and returns its path. */
  readonly makeFile: (name: string, sizeBytes: number) => Promise<string>;
  readonly publish: (path: string, names: { name: string; version: string; url?: string }) => Promise<string>;
  readonly createTask: (packageId: string, options?: TaskOptions) => Promise<number>;
  readonly setSetting: (name: string, ...words: readonly string[]) => Promise<void>;
  /** Runs one of the programs to its end and returns its output, whatever its exit status. */
  readonly run: (role: RoleName, ...args: readonly string[]) => Promise<Output>;
  /** Runs an administrator's command and returns its output, whatever its exit status. */
  readonly tryAdmin: (...args: readonly string[]) => Promise<Output>;
  /**
   * Polls until the predicate holds.
   * @throws Error after `timeoutMs`, with every device's state and reason and the tails of the logs
   */
  readonly waitForTask: (
    taskId: number,
    predicate: (task: TaskDetail) => boolean,
    timeoutMs?: number,
  ) => Promise<TaskDetail>;
  /** Waits until all these peers have reported the task complete. */
  readonly waitUntilComplete: (
    taskId: number,
    peers: readonly Peer[],
    timeoutMs?: number,
  ) => Promise<TaskDetail>;
  /** Returns the first difference between the peer's copy and `original`; null without one. */
  readonly copyError: (peer: Peer, original: string, name: string, version: string) => Promise<string | null>;
};

/**
 * Settings for quick tests: short start delay, frequent reports, a rate that two cores can sustain.
 */
const quickSettings = [
  "sessionStartDelay=500ms",
  "reportInterval=200ms",
  "lanRate=100mbit",
  "checkInInterval=5s",
  // The disk of the test machine may be nearly full.
  "cacheKeepFree=0",
  "guardDisk=allow",
];
const waitMs = 60_000;
const pollMs = 100;

/**
 * Returns the reported part of a peer in a task.
 * @throws Error when the task does not list the peer
 */
export function partOf(task: TaskDetail, peer: Peer): TaskDevice {
  const part = task.deviceList.find(({ deviceId }) => deviceId === peer.id);
  if (!part) throw new Error(`Task ${task.id} does not list ${peer.name}`);
  return part;
}

/** Returns the verified bytes of all devices of a task from one origin. */
export function bytesFrom(task: TaskDetail, origin: keyof TaskDevice["from"]): number {
  return task.deviceList.reduce((sum, { from }) => sum + from[origin], 0);
}

/**
 * Returns all bytes downloaded over the WAN, also those that failed verification or a restart lost.
 */
export const wanBytesFetched = (task: TaskDetail): number =>
  task.deviceList.reduce((sum, part) => sum + part.wanBytesFetched, 0);

export const representativeOf = (task: TaskDetail, peers: readonly Peer[]): Peer | null =>
  peers.find((peer) =>
    task.deviceList.some(({ deviceId, role }) => deviceId === peer.id && role === "representative"),
  ) ?? null;

/**
 * Polls until `probe` returns a value other than null.
 * @throws Error with the text of `what` after `timeoutMs`
 */
export async function until<T>(
  what: () => string | Promise<string>,
  timeoutMs: number,
  probe: () => Promise<T | null> | T | null,
): Promise<T> {
  const giveUpAtMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== null) return found;
    if (performance.now() > giveUpAtMs) throw new Error(`After ${timeoutMs / 1_000} s: ${await what()}`);
    await Bun.sleep(pollMs);
  }
}

/** Returns the states of all devices and the tails of the logs, for a failed wait. */
async function explain(task: TaskDetail | null, devices: readonly Device[]): Promise<string> {
  const states = (task?.deviceList ?? []).map(
    (device) =>
      `  ${device.deviceId} ${device.state} ${device.role} ${device.bytesVerified}/${device.bytesTotal}: ${reasonsText(device.reasons)}`,
  );
  const logs: string[] = [];
  for (const { name, program } of devices) {
    const status = program.exitStatus();
    logs.push(
      `--- ${name}${status === null ? "" : ` (ended with ${status})`}\n${await logTail(program, 12)}`,
    );
  }
  return ["the task does not have the state that the test waits for", ...states, ...logs].join("\n");
}

/**
 * Starts a source with quick settings.
 * @throws Error with the tail of the log when the source does not start
 */
export async function openHarness(options: HarnessOptions = {}): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-harness-"));
  const programs = options.programs ?? programsFromSource;
  const devices: Device[] = [];
  let source: Source | null = null;
  const dispose = async () => {
    // The test is over and reads no more data, so a regular exit is not needed.
    await Promise.all([...devices.map((device) => device.kill()), source?.program.stop("SIGKILL")]);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    source = await startSource({
      programs,
      data: join(folder, "source"),
      listen: "127.0.0.1:0",
      ...(options.sourceArgs ? { args: options.sourceArgs } : {}),
      ...(options.env ? { env: options.env } : {}),
    });
    await source.admin("setting", "set", "default", ...quickSettings, ...(options.settings ?? []));
    return await assemble(folder, source, devices, options, dispose);
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function assemble(
  folder: string,
  source: Source,
  devices: Device[],
  options: HarnessOptions,
  dispose: () => Promise<void>,
): Promise<Harness> {
  let client = await source.client();
  const group = await randomGroup();
  const programs = options.programs ?? programsFromSource;
  const run: Harness["run"] = (role, ...args) =>
    runToEnd([...programs.commandOf(role), ...args], options.env ? { env: options.env } : {});
  const startPeer = async (peer: PeerOptions = {}): Promise<Peer> => {
    const name = peer.name ?? `peer${devices.length + 1}`;
    const data = peer.data ?? join(folder, name);
    const device = startDevice({
      programs: peer.programs ?? programs,
      name,
      data,
      sourceUrl: peer.sourceUrl ?? source.url,
      enrollToken: peer.enrollToken === undefined ? await enrollTokenOf(source) : peer.enrollToken,
      interfaceAddress: "127.0.0.1",
      group: peer.group ?? group,
      ...(peer.role ? { role: peer.role } : {}),
      ...(peer.args ? { args: peer.args } : {}),
      env: { ...options.env, ...peer.env },
    });
    devices.push(device);
    const id = await until(
      async () => `${name} did not enrol:\n${await logTail(device.program)}`,
      waitMs,
      async () => {
        if (device.program.exitStatus() !== null) {
          throw new Error(
            `${name} ended with ${device.program.exitStatus()}:\n${await logTail(device.program)}`,
          );
        }
        const known = deviceIdOf(data);
        const listed = known === null ? [] : await client.devices();
        return listed.some((one) => one.id === known && one.inventory !== null) ? known : null;
      },
    );
    return Object.assign(device, {
      id,
      copyOf: (packageName: string, version: string) => join(data, "cache", packageName, version),
      ledger: () => ledgerPackages(data),
      status: async () => {
        const status = await askStatus(data);
        if (!status) throw new Error(`${name} does not answer:\n${await logTail(device.program)}`);
        return status;
      },
    });
  };
  const waitForTask: Harness["waitForTask"] = async (taskId, predicate, timeoutMs = waitMs) => {
    let last: TaskDetail | null = null;
    return until(
      () => explain(last, devices),
      timeoutMs,
      async () => {
        last = await client.task(taskId);
        return predicate(last) ? last : null;
      },
    );
  };
  return {
    folder,
    source,
    get client() {
      return client;
    },
    reconnect: async () => {
      client = await source.client();
    },
    group,
    newGroup: randomGroup,
    startPeer,
    startPeers: (count, peer = {}) =>
      Promise.all(
        Array.from({ length: count }, (_, at) =>
          startPeer({ ...peer, name: `peer${devices.length + at + 1}` }),
        ),
      ),
    makeFile: async (name, sizeBytes) => {
      const path = join(folder, "files", name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, randomBytes(sizeBytes));
      return path;
    },
    publish: (path, { name, version, url }) =>
      source.admin(
        "publish",
        path,
        "--name",
        name,
        "--version",
        version,
        ...(url === undefined ? [] : ["--url", url]),
      ),
    createTask: async (packageId, task = {}) =>
      Number(
        await source.admin(
          "task",
          "create",
          packageId,
          "--action",
          task.action ?? "pre-cache",
          ...(task.command === undefined ? [] : ["--command", task.command]),
          ...(task.target === undefined ? [] : ["--target", task.target]),
          ...(task.setting === undefined ? [] : ["--setting", task.setting]),
        ),
      ),
    setSetting: async (name, ...words) => {
      await source.admin("setting", "set", "--create", name, ...words);
    },
    run,
    tryAdmin: (...args) =>
      run("source", ...args, "--source", source.url, "--token-file", join(source.data, "admin.token")),
    waitForTask,
    waitUntilComplete: (taskId, peers, timeoutMs) =>
      waitForTask(
        taskId,
        ({ deviceList }) =>
          peers.every(({ id }) =>
            deviceList.some(({ deviceId, state }) => deviceId === id && state === "complete"),
          ),
        timeoutMs,
      ),
    copyError: async (peer, original, name, version) =>
      differenceFrom(await digestTree(original), peer.copyOf(name, version)),
    [Symbol.asyncDispose]: dispose,
  };
}
