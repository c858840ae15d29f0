/**
 * Rates of a course: the counters of a task over time, as differences of each point to the one
 * before it. The commands and the charts of the console use the same numbers.
 */
type Counters = { readonly atMs: number; readonly wanBytes: number; readonly lanBytes: number };
export type CourseRates = {
  /** Bytes a second since the point before. */
  readonly wanRate: number;
  readonly lanRate: number;
};

/** Returns the rates of each point; the first one has none before it, hence 0. */
export const courseRates = (points: readonly Counters[]): CourseRates[] =>
  points.map(({ atMs, wanBytes, lanBytes }, index) => {
    const before = points[index - 1];
    const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1_000;
    if (before === undefined || seconds <= 0) return { wanRate: 0, lanRate: 0 };
    return {
      wanRate: Math.round((wanBytes - before.wanBytes) / seconds),
      lanRate: Math.round((lanBytes - before.lanBytes) / seconds),
    };
  });
