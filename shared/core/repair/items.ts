/**
 * Values that the parts of repair exchange: missing symbols of a block, an answer to NACKs, an item
 * to send. Types only.
 */
export type BlockRepair = { block: number; count: number };

export type RepairPlan = {
  readonly repairs: Map<number, BlockRepair[]>;
  /** Chunks that several devices are missing as a whole. */
  readonly retransmit: number[];
  /** Chunks that one device is missing as a whole: pairs of chunk and device. */
  readonly missedByOne: readonly (readonly [number, string])[];
};

export type SendItem =
  { kind: "chunk"; chunk: number } | { kind: "repair"; chunk: number; blocks: BlockRepair[] };
