/**
 * Rate control of the multicast (AIMD): as fast as the median receiver follows, between a floor and
 * the cap of the setting. No single receiver paces the stream.
 *
 * Not every loss is congestion: a bad cable or a wireless link loses its share at any rate. A
 * decrease is therefore a probe. If the loss falls with the rate, the rate was too high. If the
 * loss persists, the rate returns, and this loss becomes the baseline.
 *
 * A busy device sends less than its rate allows. A decrease then starts from the measured send
 * rate; otherwise it would change nothing and seem not to help. The rate of a busy device does not
 * grow.
 *
 * The queue at a full link grows before anything is lost. While three of four receivers see one,
 * the rate yields, down to a quarter. A queue of this session drains at once; a queue that stays
 * belongs to other flows.
 */
import { assert } from "../../model/assert.ts";

import { ReportWindow, type Report } from "./report-window.ts";

/** Lower bound on the rate: below it a session would not end in useful time. */
export const rateFloorBps = 4_000_000;
/** Start of the search when the setting has no cap. */
const searchStartBps = 50_000_000;
const searchFactor = 1.5;
/** Upper bound of the search, beyond what a LAN carries. */
const searchMaxBps = 10_000_000_000;
/**
 * Loss above the baseline that counts as excess, ‰: ten datagrams of a thousand in 300 ms are not
 * an accident.
 */
const excessPermille = 10;
/** Excess that counts without a queue, ‰. Less loss is cheaper to repair than a probe is. */
const queuelessExcessPermille = 30;
/**
 * Upper bound on excess that is ignored once, without a queue, ‰: it may be a stall of the
 * receivers or a burst of interference. It counts when the next window has excess, too.
 */
const isolatedPermille = 300;
const decreaseFactor = 0.8;
/**
 * Share of the received rate to which a decrease goes. Receivers got what the path carries; a
 * little less drains its queue.
 */
const drainFactor = 0.95;
/**
 * Recovery after a decrease: steps of a third, to this share of the rate before. Most losses are
 * isolated.
 */
const recoveryShare = 0.9;
const recoveryStep = 1 / 3;
/**
 * Further increase per step: a share of the rate, and at least `increaseMinBps`. The share doubles
 * with each step that caused no loss. A decrease during a stall may have gone far below what the
 * network carries.
 */
const increaseShare = 0.03;
const increaseDoublings = 3;
const increaseMinBps = 2_000_000;

/**
 * Share of the rate below which a change is not waited for: symbols sent before it give nearly the
 * same result.
 */
const smallStepShare = 0.1;

/**
 * Queuing delay above this, plus the time that one batch takes to send, counts as a standing queue.
 */
const standingQueueMs = 40;
const batchBits = 62_000 * 8;
/** Queuing delay that no step of an increase causes: other flows fill the link. */
const foreignQueueMs = 100;
/** Queuing delay below which the link is free. */
const freeQueueMs = 15;
/** Windows in a row with a free link after which the rate returns quickly. */
const freeWindowsMin = 2;
/** Factors of one yield: for the shortest standing queue, and for one of `foreignQueueMs`. */
const yieldFactor = 0.85;
const yieldFactorMost = 0.6;
/**
 * Share of its rate that a session keeps while other flows fill the link, so that it still ends.
 */
const yieldFloorShare = 0.25;
/**
 * Excess, ‰, above which a queue is not only due to other flows: the received rate is all that the
 * path carries.
 */
const overloadPermille = 200;

/**
 * Decreases of one probe behind a queue. The first may come while the queue still fills, and seem
 * not to help. Without a queue one decrease is enough.
 */
const decreasesMax = 2;

/** ENDs without a report after which the representative concludes that no END arrives. */
const unansweredMax = 4;

type Probe = {
  /** Rate before the first decrease. */
  readonly rateBps: number;
  readonly lossPermille: number;
  readonly decreases: number;
};

/**
 * Share of the loss that must remain after a decrease to show that the rate is not its cause. High
 * loss is measured accurately. Behind an overloaded link it falls only over several decreases, the
 * first of which still sees the queue fill.
 */
const persistsShare = ({ lossPermille }: Probe): number => (lossPermille > 30 ? 0.85 : 0.6);

/** Growth of the rate: quick up to a target, slow beyond. */
type Increase = {
  /** Increases since the last decrease. */
  count: number;
  /** Rate up to which the rate recovers quickly. */
  targetBps: number;
};

/** Rate before yielding to the queue of other flows, and windows in a row with a free link. */
type Yield = { readonly beforeBps: number; freeWindows: number };

/** Lower quartile; of few receivers the best one. */
const quartileOf = (sorted: readonly number[]): number => sorted[(sorted.length - 1) >>> 2]!;
/** Lower median; of two receivers the better one, as the other may be a straggler. */
const medianOf = (sorted: readonly number[]): number => sorted[(sorted.length - 1) >>> 1]!;

export class RateControl {
  #rateBps: number;
  /** Measured send rate: `#rateBps` unless this device is slower. */
  #sentBps: number;
  #state: "searching" | "steady";
  /** Loss that does not depend on the rate, ‰. */
  #baselineLossPermille = 0;
  #probe: Probe | null = null;
  readonly #increase: Increase = { count: 0, targetBps: 0 };
  /** Null: the rate does not yield. */
  #yielding: Yield | null = null;
  /** Whether the previous window had excess loss. Windows decided by queuing delay do not count. */
  #hadExcess = false;
  #queuedMs = 0;
  #medianPermille: number | null = null;
  /**
   * Passes until reports show the effect of a change; the next pass is still sent in part at the
   * old rate.
   */
  #settlingPasses = 2;
  readonly #window: ReportWindow;

  /** @param capBps null: no cap, the rate is searched for */
  constructor(capBps: number | null, nowMs: number) {
    assert(capBps === null || capBps > 0, "the cap of a rate is not positive");
    this.#rateBps = capBps ?? searchStartBps;
    this.#sentBps = this.#rateBps;
    this.#state = capBps === null ? "searching" : "steady";
    this.#window = new ReportWindow(nowMs);
  }

  /**
   * Returns the rate as a whole number of payload bits per second. The cap may have changed since
   * the last call.
   */
  rateBps(capBps: number | null): number {
    return Math.round(Math.min(this.#rateBps, capBps ?? searchMaxBps));
  }

  /** Median loss of the last window with a report, ‰; null before. */
  get medianLossPermille(): number | null {
    return this.#medianPermille;
  }

  /**
   * Queuing delay of the last window in milliseconds while the rate yields to it; null: it does
   * not.
   */
  get yieldDelayMs(): number | null {
    return this.#yielding === null ? null : this.#queuedMs;
  }

  /**
   * Notes an END to an audience, which asks the receivers for reports.
   * @param sentBps payload bits per second sent before it; null: sending paused
   */
  onEndSent(pass: number, sentBps: number | null): void {
    this.#window.onEndSent(pass, sentBps, this.#rateBps);
  }

  /**
   * Stores the report of a receiver: loss since the END before, and queuing delay of the END.
   * @param pass END that the report answers
   */
  onReport(device: string, report: Report, pass: number): void {
    this.#window.onReport(device, report, pass);
  }

  /**
   * Judges the reports of a window that is over. Returns whether the rate changed.
   * @param pass last END sent
   */
  adjust(capBps: number | null, nowMs: number, pass: number): boolean {
    const reports = this.#window.take(nowMs);
    if (reports === null) return false;
    if (reports.length === 0) return this.#onNoReports(capBps ?? searchMaxBps);
    const lossPermille = medianOf(reports.map((report) => report.lossPermille).toSorted((a, b) => a - b));
    this.#queuedMs = quartileOf(reports.map((report) => report.queuedMs).toSorted((a, b) => a - b));
    this.#medianPermille = lossPermille;
    const before = this.#rateBps;
    this.#sentBps = Math.min(before, Math.max(...reports.map((report) => report.sentBps ?? before)));
    this.#settlingPasses = 2;
    this.#evaluate(lossPermille, capBps ?? searchMaxBps);
    assert(
      this.#rateBps > 0 && this.#rateBps <= Math.max(before, capBps ?? searchMaxBps),
      "a rate is not between 0 and its cap",
    );
    if (this.#rateBps === before) return false;
    if (this.#probe !== null || Math.abs(this.#rateBps - before) > before * smallStepShare)
      this.#window.ignoreBefore(pass + this.#settlingPasses);
    return true;
  }

  /** Halves the rate when no receiver answers: not even the ENDs arrive. */
  #onNoReports(capBps: number): boolean {
    if (this.#window.unanswered < unansweredMax) return false;
    const before = this.#rateBps;
    this.#increase.count = 0;
    this.#increase.targetBps = Math.max(this.#increase.targetBps, before * recoveryShare);
    this.#state = "steady";
    this.#rateBps = Math.max(Math.min(rateFloorBps, capBps), before / 2);
    return this.#rateBps !== before;
  }

  #evaluate(lossPermille: number, capBps: number): void {
    if (this.#queuedMs > standingQueueMs + (1_000 * batchBits) / this.#rateBps)
      return this.#yield(lossPermille, capBps);
    if (this.#yielding !== null) this.#detectFreeLink(this.#yielding);
    this.#evaluateLoss(lossPermille, capBps);
  }

  /** Lowers the rate for a standing queue. Loss at a full queue does not show the baseline. */
  #yield(lossPermille: number, capBps: number): void {
    const isSearch = this.#state === "searching";
    const isForeign = !isSearch && this.#queuedMs >= foreignQueueMs;
    const isOverload = lossPermille - this.#baselineLossPermille > overloadPermille;
    const carriedBps = isOverload ? this.#sentBps * (1 - lossPermille / 1_000) * drainFactor : this.#sentBps;
    let beforeBps = this.#yielding?.beforeBps ?? carriedBps;
    if (isSearch) beforeBps = Math.min(carriedBps, this.#rateBps / searchFactor);
    else if (isOverload) beforeBps = carriedBps;
    assert(this.#queuedMs > standingQueueMs, "the rate yields without a queue");
    const share = Math.min(1, (this.#queuedMs - standingQueueMs) / (foreignQueueMs - standingQueueMs));
    const factor = yieldFactor - share * (yieldFactor - yieldFactorMost);
    const leastBps = Math.max(beforeBps * yieldFloorShare, Math.min(rateFloorBps, capBps));
    const wantedBps = factor * (isSearch ? beforeBps : carriedBps);
    this.#rateBps = Math.min(this.#rateBps, Math.max(leastBps, wantedBps));
    // The queue of this session has to drain first.
    this.#settlingPasses = isForeign ? 1 : 3;
    this.#state = "steady";
    this.#probe = null;
    this.#increase.targetBps = 0;
    this.#increase.count = 0;
    this.#yielding = { beforeBps, freeWindows: 0 };
  }

  #detectFreeLink(yielding: Yield): void {
    yielding.freeWindows = this.#queuedMs <= freeQueueMs ? yielding.freeWindows + 1 : 0;
    if (yielding.freeWindows < freeWindowsMin) return;
    this.#yielding = null;
    this.#increase.targetBps = yielding.beforeBps * recoveryShare;
    this.#rateBps = Math.max(this.#rateBps, yielding.beforeBps / 2);
  }

  #evaluateLoss(lossPermille: number, capBps: number): void {
    const probe = this.#probe;
    this.#probe = null;
    const persists =
      probe !== null && lossPermille > probe.lossPermille * persistsShare(probe) + excessPermille / 4;
    const isQueueless = this.#queuedMs <= freeQueueMs;
    if (persists && probe.decreases >= (isQueueless ? 1 : decreasesMax)) {
      // The decrease did not help: this loss occurs at any rate.
      this.#baselineLossPermille = lossPermille;
      this.#rateBps = Math.min(probe.rateBps, capBps);
      return;
    }
    const excess = lossPermille - this.#baselineLossPermille;
    const excessMax = isQueueless ? queuelessExcessPermille : excessPermille;
    const isExcess = excess > excessMax && excess > this.#baselineLossPermille * 0.4;
    const isIsolated = isExcess && !persists && isQueueless && excess <= isolatedPermille && !this.#hadExcess;
    this.#hadExcess = isExcess;
    if (isIsolated) return;
    if (persists || isExcess) {
      const before = persists ? probe : { rateBps: this.#rateBps, lossPermille, decreases: 0 };
      this.#probe = { ...before, decreases: before.decreases + 1 };
      this.#state = "steady";
      this.#increase.count = 0;
      this.#increase.targetBps = this.#sentBps * recoveryShare;
      const carried = this.#sentBps * (1 - excess / 1_000) * drainFactor;
      const wanted = isQueueless ? carried : Math.min(this.#sentBps * decreaseFactor, carried);
      this.#rateBps = Math.max(Math.min(rateFloorBps, capBps), wanted);
      return;
    }
    this.#baselineLossPermille = Math.min(
      this.#baselineLossPermille,
      (this.#baselineLossPermille + lossPermille) / 2,
    );
    this.#rateBps = Math.min(this.#increased(), capBps);
  }

  #increased(): number {
    if (this.#sentBps < this.#rateBps) return this.#rateBps;
    if (this.#state === "searching") return this.#rateBps * searchFactor;
    // A queue slows the increase, down to zero at `standingQueueMs`.
    const room = Math.max(0, 1 - this.#queuedMs / standingQueueMs);
    const share = increaseShare * 2 ** Math.min(this.#increase.count, increaseDoublings);
    this.#increase.count++;
    const step = room * Math.max(increaseMinBps, this.#rateBps * share);
    return this.#rateBps + Math.max(step, (this.#increase.targetBps - this.#rateBps) * recoveryStep);
  }
}
