/** Arithmetic and formats of the benchmarks' tables. Null stands for what did not happen. */

export const dash = "–";

export function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Returns the middle value; of an even number of values the lower one, so that it was measured. */
export function medianOf(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}

/** Returns the largest time; null when there is none, or one is null. */
export function lastOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length < values.length || known.length === 0 ? null : Math.max(...known);
}

/** Returns the smallest value that is not null. */
export function bestOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Returns null when a value is missing or `whole` is 0. */
export function ratioOf(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole === 0 ? null : part / whole;
}

export const fixed = (value: number | null, digits = 2, unit = ""): string =>
  value === null ? dash : `${value.toFixed(digits)}${unit}`;

export const secondsText = (ms: number | null): string => fixed(ms === null ? null : ms / 1_000, 2, " s");
