/**
 * Frames that devices exchange on the LAN, as the rest of the program uses them: one plain record
 * per frame type.
 *
 * Bytes are in encode.ts and decode.ts, keys in seal.ts, and the reaction to a frame in
 * shared/core. docs/PROTOCOL.md defines numbers and meanings.
 */

/** Number of each frame type on the wire. A number is never reused for another type. */
export const frameTypes = {
  seek: 1,
  claim: 2,
  announce: 3,
  symbol: 4,
  end: 5,
  need: 6,
  want: 7,
  have: 8,
  resign: 9,
  report: 10,
  entrust: 11,
  ask: 12,
} as const;
export type FrameType = keyof typeof frameTypes;
export type ControlType = Exclude<FrameType, "symbol">;

/** Flat and ascending ranges of chunk numbers: [first, count, first, count, …]. */
export type Ranges = readonly number[];

/**
 * Search for the session of a task, also by a device that joins late. When `missing` would have
 * more than `rangesMax` ranges, its last range runs to the end of the package: it may name too many
 * chunks, never too few.
 */
type SeekFrame = {
  readonly type: "seek";
  readonly device: string;
  readonly haveCount: number;
  readonly missing: Ranges;
  readonly lanPort: number;
  readonly term: number;
  /** Payload of the longest symbol that the interface of the device carries, bytes. */
  readonly symbolMaxBytes: number;
};
/** Candidacy of a device for `term`. Of two claims of one term the lower ticket wins. */
type ClaimFrame = {
  readonly type: "claim";
  readonly device: string;
  readonly term: number;
  readonly ticket: number;
  readonly lanPort: number;
  readonly haveCount: number;
};
/**
 * Phases of a representative: 0 preparing (start delay), 1 multicasting, 2 serving (everything was
 * sent; repairs continue).
 */
export const phases = { preparing: 0, casting: 1, serving: 2 } as const;
/** Heartbeat of the representative. */
export type AnnounceFrame = {
  readonly type: "announce";
  readonly device: string;
  readonly term: number;
  readonly ticket: number;
  readonly phase: number;
  readonly startsInMs: number;
  readonly frontCount: number;
  readonly castCount: number;
  readonly pass: number;
  readonly audience: number;
  readonly symbolSizeBytes: number;
  readonly rateBps: number;
  readonly lanPort: number;
};
/**
 * End of a pass over `castRanges`: receivers may now send a `need` for missing symbols. Without
 * ranges it is a flush.
 */
type EndFrame = {
  readonly type: "end";
  readonly device: string;
  readonly term: number;
  readonly pass: number;
  readonly castRanges: Ranges;
  /**
   * Number of symbols, source and repair, that this representative sent in this term, modulo 2^32.
   */
  readonly symbolsSent: number;
  /** Time of the representative's monotonic clock in milliseconds, modulo 2^32. */
  readonly sentAtMs: number;
};
/** Block number of a `need` entry for whole chunks: `count` of them from `chunk` on. */
export const wholeChunks = 0xffff;
/**
 * NACK with counts: flat and ascending [chunk, block, missing symbols, …]. A block misses 1 … 128
 * symbols of `symbolSizeBytes`.
 */
type NeedFrame = {
  readonly type: "need";
  readonly device: string;
  readonly term: number;
  readonly pass: number;
  readonly entries: readonly number[];
  readonly lanPort: number;
  readonly symbolSizeBytes: number;
};
/** Request for holders of these chunks. */
type WantFrame = {
  readonly type: "want";
  readonly device: string;
  readonly ranges: Ranges;
  readonly lanPort: number;
};
/** Answer to `want`: chunks that this device serves over LAN HTTP. `load` is 0 (idle) … 100. */
type HaveFrame = {
  readonly type: "have";
  readonly device: string;
  readonly ranges: Ranges;
  readonly load: number;
  readonly lanPort: number;
  readonly toDevice: string;
};
/** Resignation of a representative. */
type ResignFrame = {
  readonly type: "resign";
  readonly device: string;
  readonly term: number;
  readonly reason: string;
};
/**
 * Receiver report: loss in thousandths and minimum queuing delay between two ENDs. A random sample
 * of the receivers sends it.
 */
type ReportFrame = {
  readonly type: "report";
  readonly device: string;
  readonly term: number;
  readonly pass: number;
  readonly lossPermille: number;
  readonly queuedMs: number;
};
/**
 * Request of the representative to its standby `toDevice` to download chunks that no other device
 * holds yet, so that they survive a failover.
 */
type EntrustFrame = {
  readonly type: "entrust";
  readonly device: string;
  readonly term: number;
  readonly toDevice: string;
  readonly ranges: Ranges;
};
/** Request of the representative to a silent device: it answers with `seek`, or is forgotten. */
type AskFrame = {
  readonly type: "ask";
  readonly device: string;
  readonly term: number;
  readonly toDevice: string;
};
export type ControlFrame =
  | SeekFrame
  | ClaimFrame
  | AnnounceFrame
  | EndFrame
  | NeedFrame
  | WantFrame
  | HaveFrame
  | ResignFrame
  | ReportFrame
  | EntrustFrame
  | AskFrame;
export type FrameOf<T extends ControlType> = Extract<ControlFrame, { readonly type: T }>;

/** Origin of a frame. Session and sender are 16 hex digits. */
export type FrameHeader = {
  readonly session: string;
  readonly sender: string;
  readonly sequence: number;
};

/**
 * Reasons for which a datagram is dropped, in the order of the checks. Each one is a label of a
 * counter.
 */
export const dropReasons = [
  "short",
  "oversized",
  "version",
  "header",
  "own",
  "deployment",
  "type",
  "session",
  "replay",
  "seal",
  "body",
] as const;
export type DropReason = (typeof dropReasons)[number];
