/**
 * Durations, sizes and rates as people write them on a command line, and the way back.
 *
 * Every parser throws an Error that quotes the text and shows a valid example.
 */
import prettyBytes from "pretty-bytes";

const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const sizeUnits = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1_024,
  mib: 1_048_576,
  gib: 1_073_741_824,
  tib: 1_099_511_627_776,
} as const;
const rateUnits = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 } as const;

function parseQuantity(
  text: string,
  units: Readonly<Record<string, number>>,
  bareFactor: number | null,
  expected: string,
): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(text.trim());
  const factor = match?.[2] === "" ? bareFactor : match && units[match[2]!.toLowerCase()];
  const value = match && factor ? Number(match[1]) * factor : Number.NaN;
  if (!Number.isFinite(value)) throw new Error(`"${text}" is not ${expected}`);
  return Math.round(value);
}

/** Parses "250ms", "60s", "5m", "24h", "7d" or "0" to milliseconds. */
export const parseDurationMs = (text: string): number =>
  text.trim() === "0"
    ? 0
    : parseQuantity(text, durationUnits, null, "a duration: write for example 500ms, 60s, 5m, 24h or 7d");

/** Parses "1048576", "500MB" (decimal) or "10GiB" (binary) to bytes. */
export const parseSizeBytes = (text: string): number =>
  parseQuantity(text, sizeUnits, 1, "a size: write for example 1048576, 500MB or 10GiB");

/** Parses "20mbit", "1.5gbit", "64kbit" or a bare number to bits per second. */
export const parseRateBps = (text: string): number =>
  parseQuantity(
    text.replace(/(?<=bit)(?:\/s|ps)$/i, ""),
    rateUnits,
    1,
    "a rate: write for example 64kbit, 20mbit or 1gbit",
  );

/** Parses a decimal integer of at most 15 digits, which is safe in a double. */
export function parseInteger(text: string): number {
  if (!/^-?\d{1,15}$/.test(text.trim())) throw new Error(`"${text}" is not a whole number`);
  return Number(text);
}

export const parseIntegerList = (text: string): number[] => text.split(",").map(parseInteger);

export function parseBoolean(text: string): boolean {
  if (text === "true" || text === "yes" || text === "on") return true;
  if (text === "false" || text === "no" || text === "off") return false;
  throw new Error(`"${text}" is neither true nor false`);
}

/** Formats in the largest unit that divides the duration: 90,000 ms gives "90s". */
export function formatDuration(ms: number): string {
  for (const [unit, factor] of Object.entries(durationUnits).toReversed()) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return ms === 0 ? "0s" : `${ms}ms`;
}

export const formatSize = (bytes: number): string => prettyBytes(bytes, { maximumFractionDigits: 1 });

/** Formats quantities that are powers of two, such as memory: "4 MiB". */
export const formatBinarySize = (bytes: number): string =>
  prettyBytes(bytes, { binary: true, maximumFractionDigits: 1 });

/** Formats in the largest fitting unit with four digits at most: "1.5gbit". */
export function formatRate(bps: number): string {
  for (const [unit, factor] of Object.entries(rateUnits).toReversed()) {
    if (bps >= factor) return `${Number((bps / factor).toPrecision(4))}${unit}`;
  }
  return `${bps}bit`;
}
