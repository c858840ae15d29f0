/**
 * Tells the source how tasks go: the newest state of each, no more often than the setting says, the end of one at
 * once, and again until the source has heard it.
 */
import type { Progress } from "../api/schema/common.ts";

const retryMs = 5_000;
/** Peers of one session that report as often as the setting says; more of them share what these would send. */
const reportersMax = 8;
/** An end is said soon, but with others that end in the same moment. */
const urgentMs = 100;

/**
 * Time between reports: those of a subnet's devices cross one WAN link, however many they are.
 * @param peers that follow one representative, this device among them; 0 for the representative itself
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

  /** Something changed about a task. */
  touch(taskId: number, state: string): void {
    this.#dirty.add(taskId);
    const isNewState = this.#lastState.get(taskId) !== state;
    this.#lastState.set(taskId, state);
    const nowMs = performance.now();
    this.#wake(
      isNewState ? nowMs + urgentMs : Math.max(nowMs + urgentMs, this.#sentAtMs + this.#intervalMs()),
    );
  }

  /** Says what is unsaid; used at the end. */
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

  #wake(atMs: number): void {
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
      // The source cannot be asked: what was to be said stays to be said.
      for (const id of ids) this.#dirty.add(id);
      this.#wake(performance.now() + retryMs);
    }
  }
}
