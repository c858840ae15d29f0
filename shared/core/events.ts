/** What can happen to a member (events), and what it asks the owner of the sockets to do (effects). */
import type { Ranges } from "../model/chunk-set.ts";
import type { ControlFrame } from "../wire/index.ts";
import type { Holder } from "./peers/holders.ts";
import type { Role } from "./roles.ts";

/** Where a frame came from; `sender` is the name in its header, new at each start of a process. */
export type Sender = { address: string; sender: string };

export type LeaseAnswer =
  /** `before`: the last other device that held it, and may hold the package. */
  | { result: "granted"; term: number; before: Holder | null }
  | { result: "refused"; holder: { deviceId: string; address: string; lanPort: number; term: number } }
  | { result: "failed"; reason: string; retryAfterMs: number }
  /** Nobody holds it: the answer to a query. */
  | { result: "free" }
  | { result: "unreachable" };

/** May this device download for itself? */
export type FallbackAnswer =
  { result: "granted" } | { result: "refused"; retryAfterMs: number } | { result: "unreachable" };

export type MemberEvent =
  | { type: "Started" }
  | { type: "TimerFired" }
  /** This device did not run for so long: it slept, or its loop stalled. */
  | { type: "Stalled"; stalledMs: number }
  | { type: "FrameReceived"; frame: ControlFrame; from: Sender }
  /** So many since the event before; also just before the END that closes a pass. */
  | { type: "SymbolsReceived"; count: number }
  | { type: "LeaseAnswered"; answer: LeaseAnswer }
  | { type: "FallbackAnswered"; answer: FallbackAnswer }
  | { type: "ChunkVerified"; chunk: number }
  /** The download ended: nothing left to ask for (null), or it failed. */
  | { type: "DownloadEnded"; failure: string | null }
  /** A LAN exchange answered (or did not): `device` is the one asked. */
  | {
      type: "ExchangeAnswered";
      device: string;
      ok: boolean;
      /** The term that it leads; 0: it does not lead. */
      leads: number;
    }
  /** Chunks of this device had a wrong digest, by multicast or over its LAN exchange. */
  | { type: "BadChunkReceived"; device: string }
  /** Another device asked this one over the LAN exchange and said what it holds. */
  | { type: "PeerPolled"; peer: Holder; heldRanges: Ranges; listens: boolean }
  | { type: "PackageVerified" }
  | { type: "Stopped"; reason: string };

export type Effect =
  | { do: "SendFrame"; frame: ControlFrame; context: "task" | "package" }
  /** With `query`: only who holds it. */
  | { do: "RequestLease"; term: number; query: boolean }
  | { do: "ReleaseLease"; failure: string | null }
  /** Asks the source for a token to download although another device leads, or to keep it. */
  | { do: "RequestFallback" }
  /** Download what `nextWanRun` names until StopDownload. */
  | { do: "StartDownload" }
  | { do: "StopDownload" }
  /** Take what `nextFetch` names from other devices until StopFetch; said again when it names something new. */
  | { do: "StartFetch" }
  | { do: "StopFetch" }
  /** `nextCast` has something. */
  | { do: "WakeSender" }
  | { do: "RoleChanged"; from: Role; to: Role; term: number; why: string }
  | { do: "Failed"; reason: string; retryAfterMs: number };
