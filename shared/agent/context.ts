/**
 * What every part of a running agent shares: who it is, the cache, the LAN, the source, the clock.
 */
import type { DistributionCache } from "../cache/index.ts";
import type { AgentClient } from "../control/client.ts";
import type { Rank } from "../core/ranking.ts";
import type { Medium } from "../net/interface-medium.ts";
import type { Exchange } from "../net/exchange.ts";
import type { Logger } from "../log.ts";
import type { RepresentativeFactory } from "./duty.ts";
import type { Lan } from "./lan.ts";
import type { MemoryKeeper } from "./memory.ts";
import type { AgentMetrics } from "./metrics.ts";

export type AgentContext = {
  readonly device: string;
  readonly log: Logger;
  readonly cache: DistributionCache;
  readonly client: AgentClient;
  readonly lan: Lan;
  readonly exchange: Exchange;
  readonly metrics: AgentMetrics;
  readonly memory: MemoryKeeper;
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
