/**
 * Events that happen to a member, and effects that it asks the owner of the sockets to carry out.
 * Types only: step.ts connects the two.
 */
import type { Ranges } from "../model/chunk-set.ts";
import type { ControlFrame } from "../wire/index.ts";
import type { Holder } from "./peers/holders.ts";
import type { Role } from "./roles.ts";

/** Origin of a frame. `sender` is the id in its header, random for each run of a process. */
export type Sender = { address: string; sender: string };

/** Answer of the source to RequestLease. */
export type LeaseAnswer =
  /**
   * `before` is the last other device that held the lease; it may hold the package. `present`: the
   * number of other devices that are expected in the session.
   */
  | { result: "granted"; term: number; before: Holder | null; present?: number }
  | { result: "refused"; holder: { deviceId: string; address: string; lanPort: number; term: number } }
  | { result: "failed"; reason: string; retryAfterMs: number }
  /** Answer to a query: no device holds the lease. */
  | { result: "free" }
  | { result: "unreachable" };

/** Answer to the request for a fallback token. */
export type FallbackAnswer =
  { result: "granted" } | { result: "refused"; retryAfterMs: number } | { result: "unreachable" };

export type MemberEvent =
  | { type: "Started" }
  | { type: "TimerFired" }
  /** This device did not run for `stalledMs`: it slept, or its event loop stalled. */
  | { type: "Stalled"; stalledMs: number }
  | { type: "FrameReceived"; frame: ControlFrame; from: Sender }
  /**
   * Number of symbols since the last such event. It precedes the END of its pass, so that the loss
   * of the pass is exact.
   */
  | { type: "SymbolsReceived"; count: number }
  | { type: "LeaseAnswered"; answer: LeaseAnswer }
  | { type: "FallbackAnswered"; answer: FallbackAnswer }
  | { type: "ChunkVerified"; chunk: number }
  /** The download ended: `failure` is null when nothing is left to download. */
  | { type: "DownloadEnded"; failure: string | null }
  /** A poll of `device` over the LAN exchange was answered (`ok`) or failed. */
  | {
      type: "ExchangeAnswered";
      device: string;
      ok: boolean;
      /** Term in which the device leads; 0: it does not lead. */
      leads: number;
    }
  /** Chunks of this device had a wrong digest, by multicast or over its LAN exchange. */
  | { type: "BadChunkReceived"; device: string }
  /**
   * Another device polled this one over the LAN exchange and stated what it holds. `listens`:
   * multicast reaches it.
   */
  | { type: "PeerPolled"; peer: Holder; heldRanges: Ranges; listens: boolean }
  | { type: "PackageVerified" }
  | { type: "Stopped"; reason: string };

export type Effect =
  | { do: "SendFrame"; frame: ControlFrame; context: "task" | "package" }
  /** `query` only asks which device holds the lease; `starting`: the multicast has not started. */
  | { do: "RequestLease"; term: number; query: boolean; starting: boolean }
  | { do: "ReleaseLease"; failure: string | null }
  /**
   * Asks the source for a fallback token (to download although another device leads), or renews it.
   */
  | { do: "RequestFallback" }
  /** Download the runs of `nextDownloadRun` until StopDownload. */
  | { do: "StartDownload" }
  | { do: "StopDownload" }
  /**
   * Fetch the chunks of `nextFetch` until StopFetch; repeated when there is something new to fetch.
   */
  | { do: "StartFetch" }
  | { do: "StopFetch" }
  /** A device with a smaller MTU joined, or the MTU of this one fell. */
  | { do: "SymbolsShortened"; fromBytes: number; toBytes: number }
  /** `nextToSend` has an item. */
  | { do: "WakeSender" }
  | { do: "RoleChanged"; from: Role; to: Role; term: number; why: string }
  | { do: "Failed"; reason: string; retryAfterMs: number };
