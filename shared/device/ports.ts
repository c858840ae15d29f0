/**
 * What a device's shell uses of the world, and all that it uses: the ports. The agent passes the operating system
 * (shared/agent/agent.ts), the simulator its world (shared/simulation/process.ts).
 */
import type { DistributionCache } from "../cache/index.ts";
import type { FallbackAnswer } from "../core/events.ts";
import type { Rank } from "../core/election/rank.ts";
import type { CommandOutcome } from "../api/schema/common.ts";
import type { FallbackRequest, LeaseRelease, LeaseRequest, LeaseResponse } from "../api/schema/agent.ts";
import { burstBytesMax } from "../core/rate/token-bucket.ts";
import type { Clock } from "../model/clock.ts";
import type { Medium } from "../model/interface.ts";
import type { SignedManifest } from "../model/signing.ts";
import type { Peers } from "../net/exchange/peers.ts";
import type { Web } from "../net/web/web.ts";
import { limits } from "../wire/index.ts";
import type { LanSessions } from "./lan-sessions.ts";

export type { Clock } from "../model/clock.ts";
export type { Peers } from "../net/exchange/peers.ts";
export type { Web } from "../net/web/web.ts";

/** 0 … 1, 1 excluded. */
export type Random = () => number;

/** Requests to the source. Each rejects with SourceError. */
export type Source = {
  manifest(packageId: string): Promise<SignedManifest>;
  lease(request: LeaseRequest): Promise<LeaseResponse>;
  releaseLease(release: LeaseRelease): Promise<void>;
  fallback(request: FallbackRequest): Promise<FallbackAnswer>;
  /** The URL of a package's bytes, for packages stored at the source, and what a request to it carries. */
  contentUrl(packageId: string): string;
  readonly authorization: string;
  readonly ca: string | undefined;
};

export type CommandRequest = {
  readonly taskId: number;
  readonly command: string;
  /** The package's folder. */
  readonly folder: string;
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
};
export type Commands = {
  /** @throws Error when the command cannot be started */
  run(request: CommandRequest): Promise<CommandOutcome>;
};

type LogLine = (fields: object, message: string) => void;
export type DeviceLog = { readonly info: LogLine; readonly warn: LogLine; readonly error: LogLine };

/** Sizes of a session's buffers; the simulator makes them small. */
export type SessionSizes = {
  /** Payload of a full symbol, bytes. */
  readonly symbolBytes: number;
  /** Bound on partial chunks in memory; beyond it they are spilled to the disk. */
  readonly partialBytesMax: number;
  /** Bound on chunks that are being written; beyond it ready ones wait in memory. */
  readonly writingBytesMax: number;
  /** Payload that leaves in one burst. */
  readonly burstBytes: number;
};
export const sessionSizes: SessionSizes = {
  symbolBytes: limits.symbolMaxBytes,
  partialBytesMax: 12 * 1_048_576,
  writingBytesMax: 4 * 1_048_576,
  burstBytes: burstBytesMax,
};

/** What a device counts. */
export type DeviceMetrics = {
  wrongChunk(way: "multicast" | "peers"): void;
  roleChanged(from: string, to: string): void;
  wanBytes(bytes: number): void;
  taskEnded(outcome: string): void;
};

/** Where the device is at present; changes when it roams. */
export type Place = {
  /** Address of the interface that the device plays its roles on; a loopback one while it works without the LAN. */
  address: string;
  /** Identity of the subnet, as the source assigned it; null until the first check-in there. */
  subnetId: string | null;
};

export type DevicePorts = {
  /** The device id, 16 hex digits. */
  readonly device: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly cache: DistributionCache;
  readonly lan: LanSessions;
  readonly peers: Peers;
  readonly web: Web;
  readonly source: Source;
  readonly commands: Commands;
  readonly place: Place;
  /** Medium of the interface in use; null: none. */
  readonly medium: () => Medium | null;
  readonly rank: (cachedShare: number, packageBytes: number, weight: number) => Rank;
  /** Raw Ed25519 keys of the publishers that this device trusts. */
  readonly publisherKeys: () => readonly Uint8Array[];
  readonly sizes: SessionSizes;
  readonly log: DeviceLog;
  readonly metrics: DeviceMetrics;
  /** Called whenever a chunk's worth of bytes passed: the agent keeps its memory small. */
  readonly onBytesPassed: () => void;
};
