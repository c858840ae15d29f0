/** What will go wrong in a run and when: drawn from a seed, the same seed draws the same. Pure. */
import { seededRandom } from "../../shared/model/random.ts";
import { faultKindFacts, type FaultKind } from "./fault-kinds.ts";

export type Fault = {
  readonly kind: FaultKind;
  /** Since the task was created. */
  readonly atMs: number;
  /** Null: to the end of the run. */
  readonly lastsMs: number | null;
  /** Index of the site. */
  readonly site: number;
  /** Whom it befalls: a role of the site, or (links) the site's WAN. */
  readonly whom: "representative" | "peer" | "wan";
  /** Which of several that fit, 0 … 1. */
  readonly pick: number;
};

export type Shape = {
  readonly sites: number;
  /** What the transfer takes without a fault. */
  readonly expectedMs: number;
};

/** Share of the transfer in which faults begin. */
const earliest = 0.1;
const latest = 0.9;

/** One fault of every kind given, in the order of their times. */
export function drawTimetable(kinds: readonly FaultKind[], seed: number, shape: Shape): Fault[] {
  // Seeds one after the other begin alike: spread over all 32 bits they do not.
  const random = seededRandom(Math.imul(seed, 0x9e37_79b1));
  const faults = kinds.map((kind): Fault => {
    const { lastsMs } = faultKindFacts[kind];
    const share = earliest + (latest - earliest) * random();
    const length = random();
    const whom = random();
    return {
      kind,
      // What speaks on the LAN does so from the beginning.
      atMs: kind === "intruder" || kind === "second-deployment" ? 0 : Math.round(share * shape.expectedMs),
      lastsMs: lastsMs && Math.round(lastsMs[0] + (lastsMs[1] - lastsMs[0]) * length),
      site: Math.floor(random() * shape.sites),
      whom: kind === "link" && whom < 1 / 3 ? "wan" : whom < 2 / 3 ? "representative" : "peer",
      pick: random(),
    };
  });
  return faults.toSorted((a, b) => a.atMs - b.atMs);
}

/** However many faults: most of them overlap. */
const waitOfManyMsMax = 20_000;

/** Stated bound of what healthy devices wait longer. */
export const waitBoundMs = (faults: readonly Fault[]): number =>
  Math.min(
    waitOfManyMsMax,
    faults.reduce((total, { kind }) => total + faultKindFacts[kind].waitMsMax, 0),
  );
