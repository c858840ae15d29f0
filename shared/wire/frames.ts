/**
 * What devices say to each other on the LAN, as the rest of the program sees it: one plain record per frame type.
 *
 * Not here: bytes (encode.ts, decode.ts), keys (seal.ts) and what to do with a frame (shared/core). Numbers and
 * meanings are those of docs/PROTOCOL.md.
 */

/** The number of every frame type on the wire. A number is never used again for something else. */
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
} as const;
export type FrameType = keyof typeof frameTypes;
export type ControlType = Exclude<FrameType, "symbol">;

/** Flat and ascending: [first, count, first, count, …] of chunk numbers. */
export type Ranges = readonly number[];

/** A device looks for the session of its task, or joins it late. `missing` may be cut to its first ranges. */
type SeekFrame = {
  readonly type: "seek";
  readonly device: string;
  readonly haveCount: number;
  readonly missing: Ranges;
  readonly lanPort: number;
  readonly term: number;
};
/** A candidate says that it leads from this term on; of two claims of one term the lower ticket stands. */
type ClaimFrame = {
  readonly type: "claim";
  readonly device: string;
  readonly term: number;
  readonly ticket: number;
  readonly lanPort: number;
  readonly haveCount: number;
};
/** 0 preparing (start delay), 1 casting, 2 serving (END was sent; repairs go on). */
export const phases = { preparing: 0, casting: 1, serving: 2 } as const;
/** The representative's heartbeat. */
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
/** A pass over `castRanges` is over: who missed something may ask now. */
type EndFrame = {
  readonly type: "end";
  readonly device: string;
  readonly term: number;
  readonly pass: number;
  readonly castRanges: Ranges;
  /** Symbols of all kinds that this representative has sent in this term. */
  readonly symbolsSent: number;
  /** Milliseconds by its sender's clock, modulo 2^32. */
  readonly sentAtMs: number;
};
/** The block number of a `need` entry that names whole chunks: `count` of them from `chunk` on. */
export const wholeChunks = 0xffff;
/** How many symbols blocks lack: flat and ascending [chunk, block, count, …], count 1…64. */
type NeedFrame = {
  readonly type: "need";
  readonly device: string;
  readonly term: number;
  readonly pass: number;
  readonly entries: readonly number[];
  readonly lanPort: number;
};
/** Who holds these chunks? */
type WantFrame = {
  readonly type: "want";
  readonly device: string;
  readonly ranges: Ranges;
  readonly lanPort: number;
};
/** The answer to `want`: chunks that can be fetched from this device by LAN HTTP. Load is 0 (idle) … 100. */
type HaveFrame = {
  readonly type: "have";
  readonly device: string;
  readonly ranges: Ranges;
  readonly load: number;
  readonly lanPort: number;
  readonly toDevice: string;
};
/** A representative stops leading. */
type ResignFrame = {
  readonly type: "resign";
  readonly device: string;
  readonly term: number;
  readonly reason: string;
};
/** What the stream between two ENDs lost on its way to a receiver, in thousandths, and by how many milliseconds the network held it back; a sample of the receivers says so. */
type ReportFrame = {
  readonly type: "report";
  readonly device: string;
  readonly term: number;
  readonly pass: number;
  readonly lossPermille: number;
  readonly queuedMs: number;
};
/** A representative asks `toDevice` to take chunks from it that nobody else holds yet: so they are not lost with it. */
type EntrustFrame = {
  readonly type: "entrust";
  readonly device: string;
  readonly term: number;
  readonly toDevice: string;
  readonly ranges: Ranges;
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
  | EntrustFrame;
export type FrameOf<T extends ControlType> = Extract<ControlFrame, { readonly type: T }>;

/** Who sent a frame: session and sender are 16 hex digits. */
export type FrameHeader = {
  readonly session: string;
  readonly sender: string;
  readonly sequence: number;
};

/** Why a datagram was not accepted, in the order in which it is checked. Each is one label of a counter. */
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
