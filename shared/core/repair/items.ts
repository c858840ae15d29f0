/** What repair deals in: what blocks lack, the answer to what was asked, and an item of what is sent. */
export type BlockNeed = { block: number; count: number };

export type NeedAnswer = {
  readonly repairs: Map<number, BlockNeed[]>;
  /** Missed as a whole by several. */
  readonly recast: number[];
  /** Missed as a whole by one: pairs of chunk and device. */
  readonly alone: readonly (readonly [number, string])[];
};

export type CastItem =
  { kind: "chunk"; chunk: number } | { kind: "repair"; chunk: number; blocks: BlockNeed[] };
