/** Back-off and intervals of a task. */
import type { Backoff } from "../model/backoff.ts";

/**
 * Back-off of a task after an error, such as an unreachable source or a full disk. At most a
 * minute, so that the task continues soon after a person made room.
 */
export const taskBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.75, 1.25] };
/**
 * Interval at which a task checks whether another task still fetches its package. Completion of the
 * package ends the wait at once.
 */
export const otherTaskPollMs = 2_000;
/**
 * Longest timer towards the start time; then the clock is read again, because it may have been set,
 * or the device may have slept.
 */
export const startTimerMsMax = 60_000;
