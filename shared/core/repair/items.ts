/** What repair deals in: what blocks lack, the answer to what was asked, and an item of what is sent. */
export type BlockRepair = { block: number; count: number };

export type RepairPlan = {
  readonly repairs: Map<number, BlockRepair[]>;
  /** Missed as a whole by several. */
  readonly retransmit: number[];
  /** Missed as a whole by one: pairs of chunk and device. */
  readonly missedByOne: readonly (readonly [number, string])[];
};

export type SendItem =
  { kind: "chunk"; chunk: number } | { kind: "repair"; chunk: number; blocks: BlockRepair[] };
