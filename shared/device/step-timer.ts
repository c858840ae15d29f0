/** Timer of a session: it fires at the next step that is due without an event. */
import { timing } from "../core/timing.ts";
import type { Clock } from "../model/clock.ts";

/**
 * Timer of a session. It measures how late it fires, so that the silence of others during a stall
 * of this device is not taken for their failure.
 */
export class StepTimer {
  readonly #clock: Clock;
  readonly #run: () => void;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, run: () => void) {
    this.#clock = clock;
    this.#run = run;
  }

  /** @param dueAtMs infinite: no timer */
  schedule(dueAtMs: number, nowMs: number): void {
    // Most frames do not change the time of the next step.
    if (this.#cancel && dueAtMs === this.#dueAtMs) return;
    this.stop();
    this.#dueAtMs = dueAtMs;
    if (!Number.isFinite(dueAtMs)) return;
    this.#cancel = this.#clock.after(dueAtMs - nowMs, () => {
      this.#cancel = null;
      this.#run();
    });
  }

  /** Returns how late the timer is, once per stall; 0 up to `timing.stallMs`. */
  takeStallMs(nowMs: number): number {
    const stalledMs = Math.round(nowMs - this.#dueAtMs);
    if (stalledMs <= timing.stallMs) return 0;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    return stalledMs;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
