/** What a member is given by its owner: who it is, what it holds, and what it may ask at any time. */
import type { ChunkSet } from "../model/chunk-set.ts";
import type { MissingSymbols } from "./repair/nack-sender.ts";
import type { Rank } from "./election/rank.ts";

export type MemberConfig = {
  device: string;
  lanPort: number;
  /** Live set of this device's verified chunks; the owner of the cache adds to it. */
  held: ChunkSet;
  missingSymbols: MissingSymbols;
  /** Whose symbol came last: it may still be being sent. */
  currentChunk: () => number | null;
  /** Sessions that this device multicasts now: each sends at an equal part of its own rate. */
  sendShares: () => number;
  rank: () => Rank;
  /** 0 … 1 */
  random: () => number;
  symbolSizeBytes: number;
  /** Read anew at every use: a setting may change while the session runs. */
  setting: () => {
    useMulticast: boolean;
    /** False on a radio: it speaks and hears on the group, and takes chunks by unicast. */
    receivesMulticast: boolean;
    sessionStartDelayMs: number;
    /** Cap of the multicast's rate; null: find it. */
    lanRateBps: number | null;
    wanFallback: "never" | "last-resort";
    /** May a peer keep by unicast what only the representative holds? */
    useDeputy: boolean;
  };
};
