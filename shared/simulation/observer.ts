/** What the parts of a simulated world tell the checkers as it happens. */
import type { ChunkOrigin, ChunkRow } from "../cache/index.ts";
import type { Ranges } from "../model/chunk-set.ts";

/** A machine, for an observer. */
export type MachineName = { readonly index: number; readonly name: string };

export type Observer = {
  /** What follows, until the next call, is done by this machine. */
  acts(machine: MachineName): void;
  /** A line of the history. */
  note(machine: MachineName, event: string, detail: string): void;
  /** A device's code threw, or logged an error. */
  crashed(machine: MachineName, error: unknown): void;
  sent(machine: MachineName, datagram: Uint8Array): void;
  /** Payload that leaves at once. @param rateBps what the member allows at present */
  paced(machine: MachineName, bytes: number, rateBps: number): void;
  /** A message names chunks as held. */
  statesHeld(machine: MachineName, heldRanges: Ranges, message: string): void;
  /** The device found a chunk corrupt on its own disk. */
  foundCorrupt(machine: MachineName, chunk: number): void;
  /** A chunk is requested from the web site. */
  requestsChunk(machine: MachineName): void;
  /** The last byte of a chunk arrived from the web site. @param requestedAtMs world time */
  receivedChunk(machine: MachineName, chunk: number, requestedAtMs: number): void;
  /** The device counts the chunk as verified. @param origin null: chunks of several origins were verified at once */
  verified(machine: MachineName, chunk: number, origin: ChunkOrigin | null): void;
  /** The ledger is about to list chunks. */
  lists(machine: MachineName, packageId: string, rows: readonly ChunkRow[]): void;
  /** The ledger is about to call the package complete. */
  completes(machine: MachineName, packageId: string): void;
  startsCommand(machine: MachineName, taskId: number): void;
};
