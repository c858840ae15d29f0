/** Quantities and times as people write them, in a language and in the zone of the viewer. */
import type { Quantities } from "../../../model/quantities.ts";

/** Steps of 1,000 from a unit to the next one. */
const sizeUnits = ["B", "kB", "MB", "GB", "TB", "PB"] as const;
const rateUnits = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"] as const;

/** The space does not break. Units of `Intl` are words in some languages: "Bit", "byte". */
function scaled(value: number, units: readonly string[], language: string): string {
  let [rest, step] = [value, 0];
  // Otherwise 999,950 would be shown as 1,000 k.
  while (rest >= 999.5 && step < units.length - 1) [rest, step] = [rest / 1_000, step + 1];
  const maximumFractionDigits = step === 0 || rest >= 100 ? 0 : 1;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits }).format(rest)}\u00a0${units[step]}`;
}

/** Returns "3.2 MB". */
export const sizeText = (bytes: number, language: string): string => scaled(bytes, sizeUnits, language);

/** Returns "3.2 MB/s". */
export const byteRateText = (bytesPerSecond: number, language: string): string =>
  `${sizeText(bytesPerSecond, language)}/s`;

/** Returns "12.5 Mbit/s". */
export const rateText = (bps: number, language: string): string => scaled(bps, rateUnits, language);

export const numberText = (value: number, language: string): string =>
  new Intl.NumberFormat(language).format(value);

export const percentText = (share: number, language: string): string =>
  // A share below 1 is never shown as 100 %.
  new Intl.NumberFormat(language, { style: "percent" }).format(share < 1 ? Math.floor(share * 100) / 100 : 1);

export const timeText = (atMs: number, language: string): string =>
  new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(atMs);

/** Returns a time with its seconds. */
export const secondText = (atMs: number, language: string): string =>
  new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" }).format(atMs);

const durationSteps = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
] as const;

/** Returns "1 hr 30 min": the largest unit, and the next one where it is not 0. */
export function durationText(ms: number, language: string): string {
  const unit = (value: number, name: string): string =>
    new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "short" }).format(value);
  if (ms < 1_000) return ms === 0 ? unit(0, "second") : unit(Math.round(ms), "millisecond");
  const first = durationSteps.findIndex(([, stepMs]) => ms >= stepMs);
  const [name, stepMs] = durationSteps[first]!;
  const parts = [unit(Math.floor(ms / stepMs), name)];
  const next = durationSteps[first + 1];
  const rest = next === undefined ? 0 : Math.floor((ms % stepMs) / next[1]);
  if (next !== undefined && rest > 0) parts.push(unit(rest, next[0]));
  return parts.join(" ");
}

const agoSteps = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
] as const;

/** Returns "5 minutes ago" or "in 2 days". */
export function agoText(atMs: number, nowMs: number, language: string): string {
  const words = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const pastMs = nowMs - atMs;
  for (const [unit, unitMs] of agoSteps)
    if (Math.abs(pastMs) >= unitMs) return words.format(-Math.trunc(pastMs / unitMs), unit);
  return words.format(0, "minute");
}

/** Quantities in the words of reasons. @param language with its region, such as en-GB */
export const quantitiesIn = (language: string): Quantities => ({
  time: (atMs) => timeText(atMs, language),
  duration: (ms) => durationText(ms, language),
  size: (bytes) => sizeText(bytes, language),
  rate: (bps) => rateText(bps, language),
  number: (value) => numberText(value, language),
  share: (share) => (share < 0.01 ? "<1\u00a0%" : percentText(share, language)),
});
