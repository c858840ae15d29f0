/**
 * Events that the parts of a simulated world report to the checkers. checks/checks.ts implements
 * the interface.
 */
import type { ChunkOrigin, ChunkRow } from "../cache/index.ts";
import type { Ranges } from "../model/chunk-set.ts";

/** Identity of a machine. A type of its own, so that this file does not import machine.ts. */
export type MachineName = { readonly index: number; readonly name: string };

/** `endsAtMs`: world time. */
export type StartedCommand = {
  readonly taskId: number;
  readonly exitCode: number;
  readonly endsAtMs: number;
};

export type Observer = {
  /** Attributes the current event of the clock to this machine. */
  acts(machine: MachineName): void;
  /** Adds a line to the history. */
  note(machine: MachineName, event: string, detail: string): void;
  /** The code of a device threw, or logged an error. */
  crashed(machine: MachineName, error: unknown): void;
  /** A datagram leaves the device, before the network may lose it. */
  sent(machine: MachineName, datagram: Uint8Array): void;
  /** A run of symbols leaves at once. @param rateBps rate that the member allows currently */
  paced(machine: MachineName, payloadBytes: number, rateBps: number): void;
  /** A message states that the device holds chunks. @param message its kind, as "HAVE" or "poll" */
  statesHeld(machine: MachineName, heldRanges: Ranges, message: string): void;
  /** The device found a chunk corrupt on its own disk. */
  foundCorrupt(machine: MachineName, chunk: number): void;
  /** The device requests a chunk from the web site. */
  requestsChunk(machine: MachineName): void;
  /** The last byte of a chunk arrived over the WAN. @param requestedAtMs world time */
  receivedChunk(machine: MachineName, chunk: number, requestedAtMs: number): void;
  /** The device counts the chunk as verified. @param origin null: ambiguous, of several origins */
  verified(machine: MachineName, chunk: number, origin: ChunkOrigin | null): void;
  /** The ledger is about to list chunks. */
  lists(machine: MachineName, packageId: string, rows: readonly ChunkRow[]): void;
  /** The ledger is about to mark the package complete. */
  completes(machine: MachineName, packageId: string): void;
  /** @param command its task, and its end in the absence of a power cut */
  startsCommand(machine: MachineName, command: StartedCommand): void;
};
