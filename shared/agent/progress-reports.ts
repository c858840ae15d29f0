/**
 * Reports the progress of tasks to the source, only the latest state of each. A new state is
 * reported almost at once, any other change at most once per interval. A report that does not reach
 * the source is repeated with back-off. One that the source refuses is dropped, and holds up no
 * other.
 */
import { endStates, type Progress } from "../api/schema/common.ts";
import { SourceError } from "../api/source-error.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";

/** Spreads the reports of a fleet whose source was away; five minutes, as check-ins have. */
const reportBackoff: Backoff = { baseMs: 5_000, maxMs: 300_000, jitter: [0.5, 1.5] };
/**
 * Tasks whose last state is known; one more makes the oldest unknown, and its next report urgent. A
 * hostile source sends orders of any number of tasks, which are refused.
 */
export const statesMax = 16_384;
/** Reports of one request. */
const batchMax = 256;
/**
 * Number of peers of one session that each report at the configured interval. With more peers, each
 * reports less often, so that their total rate does not grow.
 */
const reportersMax = 8;
/** Delay of an urgent report, so that tasks that change at the same moment share one request. */
const urgentDelayMs = 100;

/**
 * Returns the time between reports of one device. It grows with the number of peers, because the
 * reports of a whole subnet share one WAN link.
 * @param peers number of peers of one representative, including this device; 0 for the
 *   representative
 */
export const sharedIntervalMs = (intervalMs: number, peers: number): number =>
  intervalMs * Math.max(1, peers / reportersMax);

type ReportOptions = {
  readonly send: (reports: Progress[]) => Promise<void>;
  readonly read: (taskId: number) => Progress | null;
  readonly intervalMs: () => number;
  readonly onSent: (reports: Progress[]) => void;
  /** Called with a report that the source refused. */
  readonly onRefused: (report: Progress, error: SourceError) => void;
  readonly random: () => number;
  readonly backoff?: Backoff;
};

export class ProgressReports {
  readonly #options: ReportOptions;
  readonly #dirty = new Set<number>();
  readonly #lastState = new Map<number, string>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #sending: Promise<void> = Promise.resolve();
  #sentAtMs = 0;
  /** Failed attempts in a row. */
  #failures = 0;

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  /**
   * Schedules a report of the task: soon if `state` differs from the last call, otherwise after the
   * interval.
   */
  touch(taskId: number, state: string): void {
    this.#dirty.add(taskId);
    const isNewState = this.#lastState.get(taskId) !== state;
    this.#lastState.set(taskId, state);
    if (this.#lastState.size > statesMax) this.#lastState.delete(this.#lastState.keys().next().value!);
    const nowMs = performance.now();
    this.#flushAt(
      isNewState
        ? nowMs + urgentDelayMs
        : Math.max(nowMs + urgentDelayMs, this.#sentAtMs + this.#options.intervalMs()),
    );
  }

  /** Ends the back-off: the source answered something else. */
  onSourceAnswers(): void {
    if (this.#failures > 0) this.#flushAt(performance.now() + urgentDelayMs);
  }

  /** Sends all pending reports now. */
  async flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    this.#sending = this.#sending.then(() => this.#report());
    await this.#sending;
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#dirty.clear();
  }

  #flushAt(atMs: number): void {
    if (atMs >= this.#dueAtMs) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#dueAtMs = atMs;
    this.#timer = setTimeout(() => void this.flush(), Math.max(0, atMs - performance.now()));
  }

  async #report(): Promise<void> {
    const { read, random, backoff = reportBackoff } = this.#options;
    const pending = [...this.#dirty].map(read).filter((report) => report !== null);
    this.#dirty.clear();
    if (pending.length === 0) return;
    this.#sentAtMs = performance.now();
    try {
      while (pending.length > 0) {
        await this.#sendBatch(pending.slice(0, batchMax));
        pending.splice(0, batchMax);
      }
      this.#failures = 0;
    } catch {
      // The source cannot be reached: keep the reports pending.
      for (const { taskId } of pending) this.#dirty.add(taskId);
      this.#flushAt(performance.now() + backoffMs(backoff, this.#failures++, random));
    }
  }

  /** Sends reports together or, if the source refuses them, one by one. */
  async #sendBatch(reports: Progress[]): Promise<void> {
    const { send, onSent, onRefused } = this.#options;
    try {
      await send(reports);
      // A task that is over sends no further report, unless the source lists it again.
      for (const { taskId, state } of reports) if (endStates.has(state)) this.#lastState.delete(taskId);
      onSent(reports);
    } catch (error) {
      if (!(error instanceof SourceError) || error.kind !== "refused") throw error;
      if (reports.length === 1) return onRefused(reports[0]!, error);
      for (const report of reports) await this.#sendBatch([report]);
    }
  }
}
