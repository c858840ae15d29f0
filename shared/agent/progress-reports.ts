/**
 * Reports the progress of tasks to the source, only the latest state of each. A new state is
 * reported almost at once, any other change at most once per interval. A failed report is repeated
 * until the source accepts it.
 */
import type { Progress } from "../api/schema/common.ts";

const retryMs = 5_000;
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

export class ProgressReports {
  readonly #send: (reports: Progress[]) => Promise<void>;
  readonly #read: (taskId: number) => Progress | null;
  readonly #intervalMs: () => number;
  readonly #onSent: (reports: Progress[]) => void;
  readonly #dirty = new Set<number>();
  readonly #lastState = new Map<number, string>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #sending: Promise<void> = Promise.resolve();
  #sentAtMs = 0;

  constructor(options: {
    send: (reports: Progress[]) => Promise<void>;
    read: (taskId: number) => Progress | null;
    intervalMs: () => number;
    onSent: (reports: Progress[]) => void;
  }) {
    this.#send = options.send;
    this.#read = options.read;
    this.#intervalMs = options.intervalMs;
    this.#onSent = options.onSent;
  }

  /**
   * Schedules a report of the task: soon if `state` differs from the last call, otherwise after the
   * interval.
   */
  touch(taskId: number, state: string): void {
    this.#dirty.add(taskId);
    const isNewState = this.#lastState.get(taskId) !== state;
    this.#lastState.set(taskId, state);
    const nowMs = performance.now();
    this.#flushAt(
      isNewState
        ? nowMs + urgentDelayMs
        : Math.max(nowMs + urgentDelayMs, this.#sentAtMs + this.#intervalMs()),
    );
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
    const ids = [...this.#dirty];
    this.#dirty.clear();
    const reports = ids.map((id) => this.#read(id)).filter((report) => report !== null);
    if (reports.length === 0) return;
    this.#sentAtMs = performance.now();
    try {
      for (let i = 0; i < reports.length; i += 256) await this.#send(reports.slice(i, i + 256));
      this.#onSent(reports);
    } catch {
      // The source cannot be reached: keep the reports pending.
      for (const id of ids) this.#dirty.add(id);
      this.#flushAt(performance.now() + retryMs);
    }
  }
}
