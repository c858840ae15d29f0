/**
 * What every part of a running agent shares: who it is, the cache, the LAN, the source, the clock.
 */
import type { DistributionCache } from "../cache/index.ts";
import type { AgentClient } from "../api/agent-client.ts";
import type { Rank } from "../core/election/rank.ts";
import type { Medium } from "../model/interface.ts";
import type { ExchangeServer } from "../net/exchange/server.ts";
import type { Logger } from "../log.ts";
import type { RepresentativeFactory } from "./representative-context.ts";
import type { LanSessions } from "./lan-sessions.ts";
import type { CommandOutcome } from "../api/schema/common.ts";

export type DeviceMetrics = {
  wrongChunk(way: "multicast" | "peers"): void;
  roleChanged(from: string, to: string): void;
  wanBytes(bytes: number): void;
  taskEnded(outcome: string): void;
};
export type CommandRequest = {
  command: string;
  /** The package's folder. */
  folder: string;
  /** Standard output and error, as they came. */
  outputFile: string;
  timeoutMs: number;
  environment: Record<string, string>;
  signal: AbortSignal;
};

export type AgentContext = {
  readonly device: string;
  readonly log: Logger;
  readonly cache: DistributionCache;
  readonly client: AgentClient;
  readonly lan: LanSessions;
  readonly exchange: ExchangeServer;
  readonly metrics: DeviceMetrics;
  readonly memory: { collectIfGrown(): void };
  readonly runCommand: (request: CommandRequest) => Promise<CommandOutcome>;
  /** Address of the interface the device plays its roles on; a loopback one while it works without the LAN. */
  interfaceAddress: string;
  /** Of that interface; null: it has none. */
  readonly medium: () => Medium | null;
  /** Identity of its subnet, as the source told; null until the first check-in. */
  subnetId: string | null;
  /** Ed25519 public keys of the publishers this device trusts. */
  publisherKeys: Uint8Array[];
  /** What this device becomes when it is elected. */
  readonly createRepresentative: RepresentativeFactory;
  readonly rank: (cachedShare: number, packageBytes: number, weight: number) => Rank;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly random: () => number;
};
