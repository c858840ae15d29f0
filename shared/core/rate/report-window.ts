/**
 * Receiver reports of one window, for rate control. A report answers the END of a pass. Reports of
 * passes that were sent at an earlier rate do not count. The send rate measured before an END is
 * kept with its reports.
 */
import { assert } from "../../model/assert.ts";

/**
 * Window whose reports are judged together. It is longer than a pass at full rate, so that every
 * receiver was asked.
 */
const windowMs = 300;

/**
 * Upper bound on receivers that report in one window. More means that somebody invents receivers.
 */
const reportsMax = 1_024;

/** ENDs whose send rate is remembered; reports arrive within fewer passes. */
const passesKept = 64;

/** Share of its rate below which the device itself is the limit; late timers cost less. */
const limitedShare = 0.65;

export type Report = { readonly lossPermille: number; readonly queuedMs: number };
/** Report with the send rate measured before its END; null: the allowed rate. */
export type DatedReport = Report & { readonly sentBps: number | null };

export class ReportWindow {
  #endsAtMs: number;
  /** Last report of each receiver. */
  readonly #reports = new Map<string, DatedReport>();
  /** Number of reports in the window before. */
  #countBefore = 0;
  /** First pass whose reports count: symbols of earlier passes were sent at another rate. */
  #validFromPass = 0;
  /** Allowed rates at the last ENDs. */
  #ratesAtEnds: number[] = [];
  /** Measured send rate before an END, by pass; null: the allowed rate. */
  readonly #sentBefore = new Map<number, number | null>();
  #unanswered = 0;

  constructor(nowMs: number) {
    this.#endsAtMs = nowMs + windowMs;
  }

  /** Number of ENDs since the last report. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /**
   * Notes an END to an audience.
   * @param sentBps payload bits per second sent before it; null: sending paused
   * @param rateBps allowed rate
   */
  onEndSent(pass: number, sentBps: number | null, rateBps: number): void {
    assert(rateBps > 0, "a rate is not positive");
    this.#unanswered++;
    // The measurement may span the last two ENDs; it is compared with the lowest rate since then.
    this.#ratesAtEnds = [...this.#ratesAtEnds.slice(-2), rateBps];
    const isSlow = sentBps !== null && sentBps < Math.min(...this.#ratesAtEnds) * limitedShare;
    this.#sentBefore.set(pass, isSlow ? sentBps : null);
    if (this.#sentBefore.size > passesKept) this.#sentBefore.delete(this.#sentBefore.keys().next().value!);
  }

  /** @param pass END that the report answers */
  onReport(device: string, { lossPermille, queuedMs }: Report, pass: number): void {
    assert(lossPermille >= 0 && queuedMs >= 0, "a report has a negative value");
    this.#unanswered = 0;
    if (pass < this.#validFromPass) return;
    if (this.#reports.size < reportsMax || this.#reports.has(device))
      this.#reports.set(device, { lossPermille, queuedMs, sentBps: this.#sentBefore.get(pass) ?? null });
  }

  /** Ignores reports of passes before this one. */
  ignoreBefore(pass: number): void {
    this.#validFromPass = pass;
  }

  /**
   * Takes the reports of a window that is over, and begins the next one; null: not over.
   *
   * The first or last answers to an END are not typical. A window with less than half the reports
   * of the one before is extended once.
   */
  take(nowMs: number): DatedReport[] | null {
    if (nowMs < this.#endsAtMs) return null;
    const count = this.#reports.size;
    const isPartial = count > 0 && count * 2 < this.#countBefore;
    if (isPartial && nowMs < this.#endsAtMs + windowMs) return null;
    this.#countBefore = count;
    this.#endsAtMs = nowMs + windowMs;
    const reports = [...this.#reports.values()];
    this.#reports.clear();
    return reports;
  }
}
