/**
 * Timetable of a run: which fault happens when, for how long and where. Pure: drawn from a seed.
 */
import { seededRandom } from "../../shared/model/random.ts";
import { faultKindFacts, type FaultKind } from "./fault-kinds.ts";

export type Fault = {
  readonly kind: FaultKind;
  /** Time since the task was created. */
  readonly atMs: number;
  /** Duration; null: to the end of the run. */
  readonly lastsMs: number | null;
  /** Index of the site. */
  readonly site: number;
  /** Affected role of the site; "wan" is the site's WAN link (kind `link` only). */
  readonly whom: "representative" | "peer" | "wan";
  /** Chooses among the devices that fit, 0 … 1. */
  readonly pick: number;
};

type Shape = {
  readonly sites: number;
  /** Duration of the transfer without a fault. */
  readonly expectedMs: number;
};

/** Faults begin between these shares of the transfer. */
const earliest = 0.1;
const latest = 0.9;

/** Draws one fault of every given kind, ordered by time. The same seed draws the same faults. */
export function drawTimetable(kinds: readonly FaultKind[], seed: number, shape: Shape): Fault[] {
  // Consecutive seeds draw similar first values; multiplication spreads a seed over all 32 bits.
  const random = seededRandom(Math.imul(seed, 0x9e37_79b1));
  const faults = kinds.map((kind): Fault => {
    const { lastsMs } = faultKindFacts[kind];
    const share = earliest + (latest - earliest) * random();
    const length = random();
    const whom = random();
    return {
      kind,
      // Other senders on the LAN send from the beginning.
      atMs: kind === "intruder" || kind === "second-deployment" ? 0 : Math.round(share * shape.expectedMs),
      lastsMs: lastsMs && Math.round(lastsMs[0] + (lastsMs[1] - lastsMs[0]) * length),
      site: Math.floor(random() * shape.sites),
      whom: kind === "link" && whom < 1 / 3 ? "wan" : whom < 2 / 3 ? "representative" : "peer",
      pick: random(),
    };
  });
  return faults.toSorted((a, b) => a.atMs - b.atMs);
}

/** Stated bound for any number of faults, most of which overlap. */
const waitOfManyMsMax = 20_000;

/** Returns the stated bound on how much longer healthy devices wait because of these faults. */
export const waitBoundMs = (faults: readonly Fault[]): number =>
  Math.min(
    waitOfManyMsMax,
    faults.reduce((total, { kind }) => total + faultKindFacts[kind].waitMsMax, 0),
  );
