/** Pure arithmetic of the benchmarks' tables; null is what did not happen, and is written as a dash. */

export const dash = "–";

export function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The middle value, of an even number the lower one: a time that was measured. */
export function medianOf(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}

/** Null when one did not finish. */
export function lastOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length < values.length || known.length === 0 ? null : Math.max(...known);
}

/** Least of what is known. */
export function bestOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.min(...known);
}

export function ratioOf(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole === 0 ? null : part / whole;
}

export const fixed = (value: number | null, digits = 2, unit = ""): string =>
  value === null ? dash : `${value.toFixed(digits)}${unit}`;

export const secondsText = (ms: number | null): string => fixed(ms === null ? null : ms / 1_000, 2, " s");
