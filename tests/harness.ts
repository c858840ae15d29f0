/**
 * A small deployment of real processes on loopback for end-to-end tests. It finds its ports and groups, keeps all of
 * its files in one temporary folder, and is gone with its processes when disposed of:
 *
 *     await using lab = await openHarness();
 *     const peers = await lab.startPeers(3);
 *     const id = await lab.publish(await lab.makeFile("a.bin", 3_000_000), { name: "a", version: "1" });
 *     await lab.waitUntilComplete(await lab.createTask(id), peers);
 */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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
  /** Where its complete copy of a package lies. */
  readonly copyOf: (name: string, version: string) => string;
  /** Packages as its ledger lists them, read beside the running agent. */
  readonly ledger: () => LedgerPackage[];
  /** The running agent's own status; throws when none answers. */
  readonly status: () => Promise<AgentStatus>;
};

export type PeerOptions = {
  readonly name?: string;
  /** Data folder; default: one of its name below the harness's folder. */
  readonly data?: string;
  readonly role?: "peer" | "representative";
  /** Peers of one group are one subnet; default: the harness's own group. */
  readonly group?: string;
  readonly enrollToken?: string;
  readonly sourceUrl?: string;
  readonly env?: Readonly<Record<string, string>>;
};

export type TaskOptions = {
  readonly action?: "pre-cache" | "run";
  readonly command?: string;
  readonly target?: string;
  readonly setting?: string;
};

export type HarnessOptions = {
  readonly programs?: Programs;
  /** `key=value` words for the setting `default`, on top of the quick ones below. */
  readonly settings?: readonly string[];
  readonly sourceArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

export type Harness = AsyncDisposable & {
  readonly folder: string;
  readonly source: Source;
  readonly client: AdminClient;
  /** The default group of its peers: one simulated subnet. */
  readonly group: string;
  readonly startPeer: (options?: PeerOptions) => Promise<Peer>;
  readonly startPeers: (count: number, options?: Omit<PeerOptions, "name">) => Promise<Peer[]>;
  /** Another simulated subnet. */
  readonly newGroup: () => Promise<string>;
  /** A file of random bytes below the harness's folder. */
  readonly makeFile: (name: string, sizeBytes: number) => Promise<string>;
  readonly publish: (path: string, names: { name: string; version: string; url?: string }) => Promise<string>;
  readonly createTask: (packageId: string, options?: TaskOptions) => Promise<number>;
  readonly setSetting: (name: string, ...words: readonly string[]) => Promise<void>;
  /** Runs one of the programs to its end, whatever its exit status. */
  readonly run: (role: RoleName, ...args: readonly string[]) => Promise<Output>;
  /** An administrator's command, whatever its exit status. */
  readonly tryAdmin: (...args: readonly string[]) => Promise<Output>;
  /**
   * Polls until the predicate holds.
   * @throws Error with every device's state and reason, and the ends of the logs, when the time is over.
   */
  readonly waitForTask: (
    taskId: number,
    predicate: (task: TaskDetail) => boolean,
    timeoutMs?: number,
  ) => Promise<TaskDetail>;
  /** Until exactly these peers report the task complete. */
  readonly waitUntilComplete: (
    taskId: number,
    peers: readonly Peer[],
    timeoutMs?: number,
  ) => Promise<TaskDetail>;
  /** Null when the peer's copy is, byte for byte, what lies at `original`; otherwise what is wrong. */
  readonly copyError: (peer: Peer, original: string, name: string, version: string) => Promise<string | null>;
};

/** Quick for tests: no minute of start delay, reports at once, a pace that two busy cores can hold. */
const quickSettings = [
  "sessionStartDelay=500ms",
  "reportInterval=200ms",
  "lanRate=100mbit",
  "checkInInterval=5s",
];
const waitMs = 60_000;
const pollMs = 100;

/** A device's part in a task, as it reported it. */
export function partOf(task: TaskDetail, peer: Peer): TaskDevice {
  const part = task.deviceList.find(({ deviceId }) => deviceId === peer.id);
  if (!part) throw new Error(`task ${task.id} does not name ${peer.name}`);
  return part;
}

/** Verified bytes of all devices of a task by where they came from. */
export function bytesFrom(task: TaskDetail, origin: keyof TaskDevice["from"]): number {
  return task.deviceList.reduce((sum, { from }) => sum + from[origin], 0);
}

/** What devices fetched over HTTP from the web site, also what did not verify or was fetched by an earlier life. */
export const wanBytesFetched = (task: TaskDetail): number =>
  task.deviceList.reduce((sum, part) => sum + part.wanBytesFetched, 0);

export const representativeOf = (task: TaskDetail, peers: readonly Peer[]): Peer | null =>
  peers.find((peer) =>
    task.deviceList.some(({ deviceId, role }) => deviceId === peer.id && role === "representative"),
  ) ?? null;

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

/** What a person needs to know when a wait failed. */
async function explain(task: TaskDetail | null, devices: readonly Device[]): Promise<string> {
  const states = (task?.deviceList ?? []).map(
    (device) =>
      `  ${device.deviceId} ${device.state} ${device.role} ${device.bytesVerified}/${device.bytesTotal}: ${device.reason}`,
  );
  const logs: string[] = [];
  for (const { name, program } of devices) {
    const status = program.exitStatus();
    logs.push(
      `--- ${name}${status === null ? "" : ` (ended with ${status})`}\n${await logTail(program, 12)}`,
    );
  }
  return ["the task is not where the test wants it", ...states, ...logs].join("\n");
}

export async function openHarness(options: HarnessOptions = {}): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-harness-"));
  const programs = options.programs ?? programsFromSource;
  const devices: Device[] = [];
  let source: Source | null = null;
  const dispose = async () => {
    // Nothing of them is looked at any more: no clean end is waited for.
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
  const client = await source.client();
  const group = await randomGroup();
  const programs = options.programs ?? programsFromSource;
  const run: Harness["run"] = (role, ...args) =>
    runToEnd([...programs.commandOf(role), ...args], options.env ? { env: options.env } : {});
  const startPeer = async (peer: PeerOptions = {}): Promise<Peer> => {
    const name = peer.name ?? `peer${devices.length + 1}`;
    const data = peer.data ?? join(folder, name);
    const device = startDevice({
      programs,
      name,
      data,
      sourceUrl: peer.sourceUrl ?? source.url,
      enrollToken: peer.enrollToken ?? (await enrollTokenOf(source)),
      interfaceAddress: "127.0.0.1",
      group: peer.group ?? group,
      ...(peer.role ? { role: peer.role } : {}),
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
    client,
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
      await source.admin("setting", "set", name, ...words);
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
