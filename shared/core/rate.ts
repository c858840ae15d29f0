/**
 * How fast a representative multicasts: as fast as the median of its receivers can follow, between a floor and the
 * setting's cap. Additive increase, multiplicative decrease; no single receiver paces the stream.
 *
 * Not every loss is congestion: a bad cable or a wireless link loses its share at any rate. So a decrease is a trial.
 * When the loss falls with the rate, the rate was too high; when it stays, the rate goes back up and that much loss
 * counts as the network's own.
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
/** Loss above the network's own that is answered, ‰: ten datagrams of a thousand are no accident in 300 ms. */
const excessPermille = 10;
const decreaseFactor = 0.8;
/** What a receiver got is what the path carries; a little less drains its queue. */
const drainFactor = 0.95;
/** After a decrease the rate goes back in steps of a third to this share of what it was: most losses are accidents. */
const returnShare = 0.9;
const returnStep = 1 / 3;
/** A step of the increase beyond that, as a share of the rate and at least so much. */
const increaseShare = 0.03;
const increaseMinBps = 2_000_000;

/** A smaller change is not waited for: what was sent before it says nearly the same. */
const smallStepShare = 0.1;

/** More receivers report in one window only when somebody makes them up. */
const reportsMax = 1_024;

/** A first decrease may come while a link's queue still fills, and seem not to help. */
const decreasesMax = 2;

/** So many ENDs without a report say that none of them was heard. */
const unansweredMax = 4;

type Trial = {
  /** Before the first decrease. */
  readonly rateBps: number;
  readonly lossPermille: number;
  readonly decreases: number;
};

/**
 * What of a loss has to be left after a decrease for the rate not to be its cause. Much loss is measured well, and behind
 * an overloaded link falls in several decreases, the first of which still saw the link's queue fill.
 */
const staysShare = ({ lossPermille }: Trial): number => (lossPermille > 30 ? 0.85 : 0.6);

export class RateControl {
  #rateBps: number;
  #state: "searching" | "steady";
  /** Loss that does not depend on the rate, ‰. */
  #ownLossPermille = 0;
  #trial: Trial | null = null;
  /** Up to here the rate returns quickly. */
  #returnToBps = 0;
  /** Reports of earlier passes speak of symbols that were sent at another rate. */
  #validFromPass = 0;
  #windowEndsAtMs: number;
  /** The last report of each receiver in this window. */
  readonly #reports = new Map<string, number>();
  #medianPermille: number | null = null;
  /** ENDs since the last report. */
  #unanswered = 0;

  /** @param capBps null: find it */
  constructor(capBps: number | null, nowMs: number) {
    this.#rateBps = capBps ?? searchStartBps;
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

  /** Receivers were asked: an END went out to an audience. */
  asked(): void {
    this.#unanswered++;
  }

  /** @param pass the END that it answers */
  reported(device: string, lossPermille: number, pass: number): void {
    this.#unanswered = 0;
    if (pass < this.#validFromPass) return;
    if (this.#reports.size < reportsMax || this.#reports.has(device)) this.#reports.set(device, lossPermille);
  }

  /**
   * Judges the reports of a window that is over; true when the rate changed.
   * @param pass the last END that was said
   */
  adjust(capBps: number | null, nowMs: number, pass: number): boolean {
    if (nowMs < this.#windowEndsAtMs) return false;
    this.#windowEndsAtMs = nowMs + windowMs;
    if (this.#reports.size === 0) return this.#heardNothing(capBps ?? searchMaxBps);
    const losses = [...this.#reports.values()].toSorted((a, b) => a - b);
    this.#reports.clear();
    // Of two the better one: the other may be a straggler.
    const lossPermille = losses[(losses.length - 1) >>> 1]!;
    this.#medianPermille = lossPermille;
    const before = this.#rateBps;
    this.#judge(lossPermille, capBps ?? searchMaxBps);
    if (this.#rateBps === before) return false;
    // The next pass is sent at the old rate in part.
    if (Math.abs(this.#rateBps - before) > before * smallStepShare) this.#validFromPass = pass + 2;
    return true;
  }

  /** Nobody answers any more: nothing gets through, not even the questions. */
  #heardNothing(capBps: number): boolean {
    if (this.#unanswered < unansweredMax) return false;
    const before = this.#rateBps;
    this.#returnToBps = Math.max(this.#returnToBps, before * returnShare);
    this.#state = "steady";
    this.#rateBps = Math.max(Math.min(rateFloorBps, capBps), before / 2);
    return this.#rateBps !== before;
  }

  #judge(lossPermille: number, capBps: number): void {
    const trial = this.#trial;
    this.#trial = null;
    const stays =
      trial !== null && lossPermille > trial.lossPermille * staysShare(trial) + excessPermille / 4;
    if (stays && trial.decreases >= decreasesMax) {
      // It did not help: that much is lost at any rate.
      this.#ownLossPermille = lossPermille;
      this.#rateBps = Math.min(trial.rateBps, capBps);
      return;
    }
    const excess = lossPermille - this.#ownLossPermille;
    if (stays || (excess > excessPermille && excess > this.#ownLossPermille * 0.4)) {
      const before = stays ? trial : { rateBps: this.#rateBps, lossPermille, decreases: 0 };
      this.#trial = { ...before, decreases: before.decreases + 1 };
      this.#state = "steady";
      this.#returnToBps = this.#rateBps * returnShare;
      const carried = this.#rateBps * (1 - excess / 1_000) * drainFactor;
      this.#rateBps = Math.max(
        Math.min(rateFloorBps, capBps),
        Math.min(this.#rateBps * decreaseFactor, carried),
      );
      return;
    }
    this.#ownLossPermille = Math.min(this.#ownLossPermille, (this.#ownLossPermille + lossPermille) / 2);
    this.#rateBps = Math.min(this.#increased(), capBps);
  }

  #increased(): number {
    if (this.#state === "searching") return this.#rateBps * searchFactor;
    const step = Math.max(increaseMinBps, this.#rateBps * increaseShare);
    return this.#rateBps + Math.max(step, (this.#returnToBps - this.#rateBps) * returnStep);
  }
}
