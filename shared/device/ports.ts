/**
 * Ports of a device: everything that shared/device uses of its environment. The agent passes the
 * operating system (shared/agent/agent.ts), the simulator its world (shared/simulation/process.ts).
 */
import type { DistributionCache, ImageDisk } from "../cache/index.ts";
import type { Rank } from "../core/election/rank.ts";
import type { CommandOutcome } from "../api/schema/common.ts";
import type {
  FallbackRequest,
  FallbackResponse,
  LeaseRelease,
  LeaseRequest,
  ManifestRequest,
  LeaseResponse,
} from "../api/schema/agent.ts";
import { burstBytesMax } from "../core/rate/token-bucket.ts";
import type { BugError } from "../model/assert.ts";
import type { Clock } from "../model/clock.ts";
import type { DiskChoice, DiskFacts } from "../model/image-order.ts";
import type { Conditions } from "../model/conditions.ts";
import type { Medium } from "../model/interface.ts";
import type { CommandShell, OperatingSystem } from "../model/package-command.ts";
import type { SignedManifest } from "../model/signing.ts";
import type { TimeZone } from "../model/time-zone.ts";
import type { Reason } from "../model/reason.ts";
import type { PeerAddress, Peers } from "../net/exchange/peers.ts";
import type { SiteFetch } from "../net/web/site-fetch.ts";
import type { Web } from "../net/web/web.ts";
import type { LanSessions } from "./lan-sessions.ts";
import type { SourceTime } from "./source-time.ts";

export type { Clock } from "../model/clock.ts";
export type { PackageKey, Peers } from "../net/exchange/peers.ts";
export type { Web } from "../net/web/web.ts";

/** Uniform from 0 up to, not including, 1. */
export type Random = () => number;

export type ManifestAnswer =
  | { readonly result: "granted"; readonly signed: SignedManifest }
  | { readonly result: "elsewhere"; readonly holders: readonly PeerAddress[] };

/** Requests to the source. Each rejects with a SourceError. */
export type Source = {
  /** Requests the manifest of a task's package: the source sends it, or names devices to ask. */
  manifest(request: ManifestRequest, signal?: AbortSignal): Promise<ManifestAnswer>;
  /** Requests, extends or queries the lease of (package, subnet). */
  lease(request: LeaseRequest): Promise<LeaseResponse>;
  releaseLease(release: LeaseRelease): Promise<void>;
  /** Requests, extends or releases the token for a WAN fallback. */
  fallback(request: FallbackRequest): Promise<FallbackResponse>;
  /** URL of a package's bytes, for packages that the source stores. */
  contentUrl(packageId: string): string;
  /** Value of the Authorization header for `contentUrl`. */
  readonly authorization: string;
  /** Sends requests for `contentUrl`, to the pinned source only. */
  readonly fetch: SiteFetch | undefined;
};

/** One run of a command. */
export type CommandRun = {
  readonly taskId: number;
  /** Text of the task that no other one with its id has. */
  readonly identity: string;
  /** Unique among the runs of the task. Null to adopt its last run: the row was lost. */
  readonly key: string | null;
  /** Time limit, after which the command is killed. */
  readonly timeoutMs: number;
  /** Kills the command once aborted. */
  readonly signal: AbortSignal;
};
export type CommandRequest = CommandRun & {
  readonly key: string;
  readonly command: string;
  /** Shell that a named command of the package asks for; null: the system's. */
  readonly shell: CommandShell | null;
  /** Folder of the complete package. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
};
export type CommandEnd = Pick<CommandOutcome, "exitCode" | "timedOut" | "outputTail">;
export type Commands = {
  /** System for which a package's named commands are selected. */
  readonly os: OperatingSystem;
  /**
   * Runs the command until it exits or is killed. The command continues when the agent ends.
   * @throws Error when the command cannot be started
   */
  run(request: CommandRequest): Promise<CommandEnd>;
  /**
   * Waits for a command that an earlier process of the agent started.
   * @returns null when its outcome is unknown
   */
  adopt(run: CommandRun): Promise<CommandEnd | null>;
  /**
   * Whether a run of the task left files, however its row in the ledger was lost.
   * @param identity of the task; files of another one with its id do not count
   */
  hasTrace(taskId: number, identity: string): boolean;
  /** Text that differs after each restart of the machine; null: the system does not tell. */
  bootId(): Promise<string | null>;
};

/** Programs and people on the device. */
export type Activity = {
  /** Names of the running programs as the system shows them, each in one or several forms. */
  runningPrograms(): Promise<readonly string[]>;
  /** Whether names of programs that differ in case only are equal. */
  readonly ignoresCase: boolean;
  /** Time since the last input of any local user; null: no user is logged on. */
  userIdleMs(): Promise<number | null>;
};

/** One upgrade of the agent. `key` is unique among the upgrades of the task. */
export type UpgradeRun = { readonly taskId: number; readonly key: string };
export type UpgradeRequest = UpgradeRun & {
  readonly version: string;
  /** Time within which the new agent has to check in. */
  readonly confirmMs: number;
};
/** End of an upgrade. `why`: why the old agent runs again; null: the new one runs. */
export type UpgradeEnd = { readonly version: string; readonly before: string; readonly why: string | null };
export type NewExecutable =
  | { readonly isUsable: true; readonly version: string }
  | { readonly isUsable: false; readonly reason: Reason };
export type Upgrades = {
  /** Version of the running agent. */
  readonly version: string;
  /** Name of the agent's executable in packages; null if this agent is not an executable. */
  readonly fileName: string | null;
  /** Whether this process is a new version that has not checked in yet. It begins no command. */
  readonly isTrial: boolean;
  /** Copies an executable next to the running one, and asks it for its version. */
  prepare(path: string, signal: AbortSignal): Promise<NewExecutable>;
  /** Removes the copy of `prepare`. */
  discard(): Promise<void>;
  /**
   * Ends this process of the agent, after which the copy of `prepare` is tried.
   * @throws Error when that cannot be noted on the disk
   */
  begin(request: UpgradeRequest): void;
  /**
   * Returns how an upgrade ended that an earlier process began; never in a trial.
   * @returns null when it was not tried
   */
  adopt(run: UpgradeRun): Promise<UpgradeEnd | null>;
};

/** Disks of the machine, for tasks that write an image. */
export type Disks = {
  /** Whether the agent runs in an imaging environment. Elsewhere it touches no disk. */
  readonly isImaging: boolean;
  /** The only task that the device begins; null: every one. */
  readonly onlyTask: number | null;
  /** Conditions on the disk in addition to those of the order; null: none. */
  readonly onlyDisk: DiskChoice | null;
  list(): Promise<readonly DiskFacts[]>;
  /**
   * Claims a disk for an image of this size.
   * @throws CacheError "in-use" when it is mounted or otherwise used; or "io"
   */
  open(disk: DiskFacts, imageBytes: number): Promise<ImageDisk>;
};

type LogLine = (fields: object, message: string) => void;
type DeviceLog = { readonly info: LogLine; readonly warn: LogLine; readonly error: LogLine };

/** Sizes of a session's buffers; smaller in the simulator. */
export type SessionSizes = {
  /** Upper bound on partial chunks in memory; further ones are spilled to the disk. */
  readonly partialBytesMax: number;
  /** Upper bound on chunks being written; further complete chunks wait in memory. */
  readonly writingBytesMax: number;
  /** Payload of one burst, bytes. */
  readonly burstBytes: number;
};
export const sessionSizes: SessionSizes = {
  partialBytesMax: 12 * 1_048_576,
  writingBytesMax: 4 * 1_048_576,
  burstBytes: burstBytesMax,
};

/** Counters and events for metrics. */
type DeviceMetrics = {
  /** Counts a chunk with a wrong digest, by the delivery mode of its bytes. */
  wrongChunk(mode: "multicast" | "peers"): void;
  roleChanged(from: string, to: string): void;
  wanBytes(bytes: number): void;
  taskEnded(outcome: string): void;
};

/** Network location of the device; changes when the device roams. */
export type Place = {
  /** Address of the active interface; a loopback address while the device works without the LAN. */
  address: string;
  /** Id of the subnet, assigned by the source; null before the first check-in there. */
  subnetId: string | null;
  /** Time of the source; null before the first check-in. */
  answered: SourceTime | null;
};

export type DevicePorts = {
  /** Device id, 16 hex digits. */
  readonly device: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly cache: DistributionCache;
  readonly lan: LanSessions;
  readonly peers: Peers;
  readonly web: Web;
  readonly source: Source;
  readonly commands: Commands;
  readonly activity: Activity;
  /** Time zone of the device's wall clock. */
  readonly timeZone: TimeZone;
  readonly upgrades: Upgrades;
  readonly disks: Disks;
  readonly place: Place;
  /** Returns the last reading of the device's conditions, without a wait. */
  readonly conditions: () => Conditions;
  /** Medium of the active interface; null if no interface is active. */
  readonly medium: () => Medium | null;
  /**
   * Ranks this device for a package.
   * @param cachedShare share of the package that the device holds, 0 … 1
   * @param weight setting `representativeWeight`
   */
  readonly rank: (cachedShare: number, packageBytes: number, weight: number) => Rank;
  /** Returns the raw Ed25519 keys that may sign the manifest of a package. */
  readonly publisherKeys: (packageName: string) => readonly Uint8Array[];
  readonly sizes: SessionSizes;
  readonly log: DeviceLog;
  readonly metrics: DeviceMetrics;
  /** Ends the program: an invariant is broken, and no caller can repair it. */
  readonly onBug: (error: BugError) => void;
  /**
   * Called for each chunk stored or served and each batch of symbols sent; the agent then checks
   * its memory.
   */
  readonly onBytesPassed: () => void;
};
