/**
 * Inputs of a member, given by its owner: identity, chunks held, and functions called at any time.
 */
import type { ChunkSet } from "../model/chunk-set.ts";
import type { MissingSymbols } from "./repair/nack-sender.ts";
import type { Rank } from "./election/rank.ts";

export type MemberConfig = {
  device: string;
  lanPort: number;
  /** Live set of this device's verified chunks; the owner of the cache adds to it. */
  held: ChunkSet;
  missingSymbols: MissingSymbols;
  /** Chunk of the last symbol received, which may still be in transmission; null: none. */
  currentChunk: () => number | null;
  /**
   * Number of sessions that this device currently multicasts. Each sends at its own rate divided by
   * this number.
   */
  sendShares: () => number;
  rank: () => Rank;
  /** Why this device must not lead at present; null: it may. Read at every step. */
  guard: () => string | null;
  /** Uniform in 0 … 1. */
  random: () => number;
  /** Payload of the longest symbol that the interface carries; may change with its MTU. */
  symbolMaxBytes: () => number;
  /**
   * Setting of this device, read at every use: it may change while the session runs. Other devices
   * of the session may have another one.
   */
  setting: () => {
    useMulticast: boolean;
    /**
     * False on a radio: the device exchanges control frames by multicast and takes chunks by
     * unicast.
     */
    receivesMulticast: boolean;
    sessionStartDelayMs: number;
    /** Whether the multicast starts before the delay once every expected device takes part. */
    startWhenAllPresent: boolean;
    /** Cap on the multicast rate, payload bits per second; null: the rate is searched for. */
    lanRateBps: number | null;
    wanFallback: "never" | "last-resort";
    /** Whether a standby may take by unicast what only the representative holds. */
    useDeputy: boolean;
  };
};
