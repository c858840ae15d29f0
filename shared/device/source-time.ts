/**
 * The time by which tasks start: that of the device's wall clock if it agrees with the source, else
 * the source's. A device without a battery-backed clock starts in 1970, and others are years ahead.
 */
import type { Clock } from "../model/clock.ts";

/** Clocks when the source last answered a check-in. */
export type SourceTime = {
  readonly sourceMs: number;
  readonly wallMs: number;
  /** Monotonic. */
  readonly nowMs: number;
};

/** Difference up to which the wall clock is right. It counts sleep, monotonic clocks may not. */
const agreeMs = 60_000;

/**
 * Returns milliseconds since 1970.
 * @param answered null before the first check-in of this process
 */
export function taskTimeMs(clock: Clock, answered: SourceTime | null): number {
  if (answered === null || Math.abs(answered.sourceMs - answered.wallMs) <= agreeMs) return clock.wallMs();
  return answered.sourceMs + (clock.nowMs() - answered.nowMs);
}
