/**
 * How fast a representative multicasts: as fast as the median of its receivers can follow, between a floor and the
 * setting's cap. Additive increase, multiplicative decrease; no single receiver paces the stream.
 *
 * Not every loss is congestion: a bad cable or a wireless link loses its share at any rate. So a decrease is a trial.
 * When the loss falls with the rate, the rate was too high; when it stays, the rate goes back up and that much loss
 * counts as the network's own.
 *
 * A device that is too busy sends less than its rate allows. Then a decrease begins at what it really sent, else it would
 * change nothing and seem not to help; and the rate does not grow.
 *
 * A queue before a full link is seen before anything is lost. While three of four receivers see one, the rate gives
 * way, down to a quarter: what this session queued itself is gone at once, and what others queue is theirs.
 */

/** Below this a session would not end in useful time. */
export const rateFloorBps = 4_000_000;
/** Where the search begins when the setting names no cap. */
const searchStartBps = 50_000_000;
const searchFactor = 1.5;
/** Ends the search where no LAN goes further. */
const searchMaxBps = 10_000_000_000;
/** Reports of this time make one judgement: more than a pass at full rate, so that everybody was asked. */
const windowMs = 300;
/** Loss above the network's own that is answered, ‰: ten datagrams of a thousand are no accident in 300 ms … */
const excessPermille = 10;
/** … but without a queue cheaper to repair than to slow down for: a trial costs more than so much. */
const queuelessExcessPermille = 30;
/** Without a queue, so much at most may be a stall of the receivers or a gust, ‰: it counts when the next judgement sees loss, too. */
const isolatedPermille = 300;
const decreaseFactor = 0.8;
/** What a receiver got is what the path carries; a little less drains its queue. */
const drainFactor = 0.95;
/** After a decrease the rate goes back in steps of a third to this share of what it was: most losses are accidents. */
const recoveryShare = 0.9;
const recoveryStep = 1 / 3;
/**
 * A step of the increase beyond that, as a share of the rate and at least so much. It doubles with each step that cost nothing:
 * a decrease that began when a device stalled may have gone far below what the network carries.
 */
const increaseShare = 0.03;
const increaseDoublings = 3;
const increaseMinBps = 2_000_000;

/** A smaller change is not waited for: what was sent before it says nearly the same. */
const smallStepShare = 0.1;

/** So much queue, and what a batch takes at the rate itself, is no accident … */
const standingQueueMs = 40;
const batchBits = 62_000 * 8;
/** … and so much comes from no step of an increase: others fill the link. */
const foreignQueueMs = 100;
/** Below this the link is free. */
const freeQueueMs = 15;
/** After so many judgements in a row of a free link the rate returns quickly. */
const freeWindowsMin = 2;
const yieldFactor = 0.85;
const yieldFactorMost = 0.6;
/** Whoever fills the link gets at most the rest: the session still ends. */
const yieldFloorShare = 0.25;
/** With more loss than this a queue is not only a neighbour's: what comes through is all there is, ‰. */
const overloadPermille = 200;

/** Below this share of its rate the device is what limits it: late timers cost less. */
const limitedShare = 0.65;

/** More receivers report in one window only when somebody makes them up. */
const reportsMax = 1_024;

/** A first decrease may come while a link's queue still fills, and seem not to help; where there is none, one is enough. */
const decreasesMax = 2;

/** Reports of ENDs before these come too late to count. */
const passesKept = 64;

/** So many ENDs without a report say that none of them was heard. */
const unansweredMax = 4;

type Probe = {
  /** Before the first decrease. */
  readonly rateBps: number;
  readonly lossPermille: number;
  readonly decreases: number;
};

/**
 * What of a loss has to be left after a decrease for the rate not to be its cause. Much loss is measured well, and behind
 * an overloaded link falls in several decreases, the first of which still saw the link's queue fill.
 */
const persistsShare = ({ lossPermille }: Probe): number => (lossPermille > 30 ? 0.85 : 0.6);

type Report = { readonly lossPermille: number; readonly queuedMs: number };
/** With what was sent at before the END that it answers, when that was less than the rate. */
type DatedReport = Report & { readonly sentBps: number | null };

/** At the lower quartile: of few receivers the best one. */
const quartileOf = (sorted: readonly number[]): number => sorted[(sorted.length - 1) >>> 2]!;
/** Of two the better one: the other may be a straggler. */
const medianOf = (sorted: readonly number[]): number => sorted[(sorted.length - 1) >>> 1]!;

export class RateControl {
  #rateBps: number;
  /** What was really sent at, `#rateBps` unless this device is slower. */
  #sentBps: number;
  #state: "searching" | "steady";
  /** Loss that does not depend on the rate, ‰. */
  #baselineLossPermille = 0;
  #probe: Probe | null = null;
  /** Up to here the rate returns quickly. */
  #recoveryTargetBps = 0;
  /** What the last judgement of a loss said, of those that queues left to it. */
  #hadExcess = false;
  /** Since the last decrease. */
  #increases = 0;
  /** Before it gave way; null: it does not. */
  #beforeYieldBps: number | null = null;
  #freeWindows = 0;
  #queuedMs = 0;
  /** Until a pass shows what a change brought; the next one is sent at the old rate in part. */
  #settlingPasses = 2;
  /** Reports of earlier passes speak of symbols that were sent at another rate. */
  #validFromPass = 0;
  #windowEndsAtMs: number;
  /** The last report of each receiver in this window. */
  readonly #reports = new Map<string, DatedReport>();
  /** In the window before. */
  #reportsBefore = 0;
  #medianPermille: number | null = null;
  /** At the last ENDs. */
  #ratesAsked: number[] = [];
  /** By the number of an END; null: as fast as it might. */
  readonly #sentBefore = new Map<number, number | null>();
  /** ENDs since the last report. */
  #unanswered = 0;

  /** @param capBps null: find it */
  constructor(capBps: number | null, nowMs: number) {
    this.#rateBps = capBps ?? searchStartBps;
    this.#sentBps = this.#rateBps;
    this.#state = capBps === null ? "searching" : "steady";
    this.#windowEndsAtMs = nowMs + windowMs;
  }

  /** Payload bits per second, whole ones. The cap may have changed meanwhile. */
  rateBps(capBps: number | null): number {
    return Math.round(Math.min(this.#rateBps, capBps ?? searchMaxBps));
  }

  /** Of the last window in which anybody reported; null before. */
  get medianLossPermille(): number | null {
    return this.#medianPermille;
  }

  /** By the last window: milliseconds that the network held back what was sent, while the rate gives way for that; null: it does not. */
  get yieldDelayMs(): number | null {
    return this.#beforeYieldBps === null ? null : this.#queuedMs;
  }

  /**
   * Receivers were asked: an END went out to an audience.
   * @param sentBps payload bits per second that left this device before it; null: it had nothing to send meanwhile
   */
  onEndSent(pass: number, sentBps: number | null): void {
    this.#unanswered++;
    // It may have been measured while the rate was what it was at the two ENDs before.
    this.#ratesAsked = [...this.#ratesAsked.slice(-2), this.#rateBps];
    const isSlow = sentBps !== null && sentBps < Math.min(...this.#ratesAsked) * limitedShare;
    this.#sentBefore.set(pass, isSlow ? sentBps : null);
    if (this.#sentBefore.size > passesKept) this.#sentBefore.delete(this.#sentBefore.keys().next().value!);
  }

  /**
   * @param lossPermille of what was sent since the END before
   * @param queuedMs that the network held back the END
   * @param pass the END that it answers
   */
  onReport(device: string, { lossPermille, queuedMs }: Report, pass: number): void {
    this.#unanswered = 0;
    if (pass < this.#validFromPass) return;
    if (this.#reports.size < reportsMax || this.#reports.has(device))
      this.#reports.set(device, { lossPermille, queuedMs, sentBps: this.#sentBefore.get(pass) ?? null });
  }

  /**
   * Judges the reports of a window that is over; true when the rate changed.
   * @param pass the last END that was said
   */
  adjust(capBps: number | null, nowMs: number, pass: number): boolean {
    if (nowMs < this.#windowEndsAtMs) return false;
    // The first or the last answer to an END says little alone.
    const isPartial = this.#reports.size > 0 && this.#reports.size * 2 < this.#reportsBefore;
    if (isPartial && nowMs < this.#windowEndsAtMs + windowMs) return false;
    this.#reportsBefore = this.#reports.size;
    this.#windowEndsAtMs = nowMs + windowMs;
    if (this.#reports.size === 0) return this.#onNoReports(capBps ?? searchMaxBps);
    const reports = [...this.#reports.values()];
    this.#reports.clear();
    const lossPermille = medianOf(reports.map((report) => report.lossPermille).toSorted((a, b) => a - b));
    this.#queuedMs = quartileOf(reports.map((report) => report.queuedMs).toSorted((a, b) => a - b));
    this.#medianPermille = lossPermille;
    const before = this.#rateBps;
    this.#sentBps = Math.min(before, Math.max(...reports.map((report) => report.sentBps ?? before)));
    this.#settlingPasses = 2;
    this.#evaluate(lossPermille, capBps ?? searchMaxBps);
    if (this.#rateBps === before) return false;
    if (this.#probe !== null || Math.abs(this.#rateBps - before) > before * smallStepShare)
      this.#validFromPass = pass + this.#settlingPasses;
    return true;
  }

  /** Nobody answers any more: nothing gets through, not even the questions. */
  #onNoReports(capBps: number): boolean {
    if (this.#unanswered < unansweredMax) return false;
    const before = this.#rateBps;
    this.#increases = 0;
    this.#recoveryTargetBps = Math.max(this.#recoveryTargetBps, before * recoveryShare);
    this.#state = "steady";
    this.#rateBps = Math.max(Math.min(rateFloorBps, capBps), before / 2);
    return this.#rateBps !== before;
  }

  #evaluate(lossPermille: number, capBps: number): void {
    if (this.#queuedMs > standingQueueMs + (1_000 * batchBits) / this.#rateBps)
      return this.#yield(lossPermille, capBps);
    if (this.#beforeYieldBps !== null) this.#detectFreeLink(this.#beforeYieldBps);
    this.#evaluateLoss(lossPermille, capBps);
  }

  /** Loss before a full queue is no sign of what the network loses by itself. */
  #yield(lossPermille: number, capBps: number): void {
    const isSearch = this.#state === "searching";
    const isForeign = !isSearch && this.#queuedMs >= foreignQueueMs;
    const isOverload = lossPermille - this.#baselineLossPermille > overloadPermille;
    const carriedBps = isOverload ? this.#sentBps * (1 - lossPermille / 1_000) * drainFactor : this.#sentBps;
    if (isSearch) this.#beforeYieldBps = Math.min(carriedBps, this.#rateBps / searchFactor);
    else if (this.#beforeYieldBps === null || isOverload) this.#beforeYieldBps = carriedBps;
    const share = Math.min(1, (this.#queuedMs - standingQueueMs) / (foreignQueueMs - standingQueueMs));
    const factor = yieldFactor - share * (yieldFactor - yieldFactorMost);
    const leastBps = Math.max(this.#beforeYieldBps! * yieldFloorShare, Math.min(rateFloorBps, capBps));
    const wantedBps = factor * (isSearch ? this.#beforeYieldBps! : carriedBps);
    this.#rateBps = Math.min(this.#rateBps, Math.max(leastBps, wantedBps));
    // What this session queued itself has to go first.
    this.#settlingPasses = isForeign ? 1 : 3;
    this.#state = "steady";
    this.#probe = null;
    this.#recoveryTargetBps = 0;
    this.#increases = 0;
    this.#freeWindows = 0;
  }

  #detectFreeLink(beforeYieldBps: number): void {
    this.#freeWindows = this.#queuedMs <= freeQueueMs ? this.#freeWindows + 1 : 0;
    if (this.#freeWindows < freeWindowsMin) return;
    this.#beforeYieldBps = null;
    this.#recoveryTargetBps = beforeYieldBps * recoveryShare;
    this.#rateBps = Math.max(this.#rateBps, beforeYieldBps / 2);
  }

  #evaluateLoss(lossPermille: number, capBps: number): void {
    const probe = this.#probe;
    this.#probe = null;
    const persists =
      probe !== null && lossPermille > probe.lossPermille * persistsShare(probe) + excessPermille / 4;
    const isQueueless = this.#queuedMs <= freeQueueMs;
    if (persists && probe.decreases >= (isQueueless ? 1 : decreasesMax)) {
      // It did not help: that much is lost at any rate.
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
      this.#increases = 0;
      this.#recoveryTargetBps = this.#sentBps * recoveryShare;
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
    // Into a queue it grows the slower the longer that is.
    const room = Math.max(0, 1 - this.#queuedMs / standingQueueMs);
    const share = increaseShare * 2 ** Math.min(this.#increases, increaseDoublings);
    this.#increases++;
    const step = room * Math.max(increaseMinBps, this.#rateBps * share);
    return this.#rateBps + Math.max(step, (this.#recoveryTargetBps - this.#rateBps) * recoveryStep);
  }
}
