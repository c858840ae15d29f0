/**
 * Options `--start TIME` and `--expires TIME`: a time in ISO 8601, or a duration from now such as
 * "+10m". Pure.
 */
import { startDelayMaxMs } from "../../api/schema/admin.ts";
import { parseDurationMs } from "../../model/quantity.ts";

const isoPattern = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * Returns milliseconds since 1970 (UTC).
 *
 * @throws Error that quotes the text and shows valid examples
 */
export function parseStartTime(text: string, nowMs: number): number {
  const timeMs = parseTime(text, nowMs);
  if (timeMs < 0) throw new Error(`"${text}" is before 1970: write a later time`);
  if (timeMs - nowMs > startDelayMaxMs)
    throw new Error(`"${text}" is more than ten years from now: write an earlier time`);
  return timeMs;
}

function parseTime(text: string, nowMs: number): number {
  if (text.startsWith("+")) return nowMs + parseDurationMs(text.slice(1));
  const timeMs = isoPattern.test(text) ? Date.parse(text.replace(" ", "T")) : Number.NaN;
  if (Number.isNaN(timeMs)) {
    throw new Error(`"${text}" is not a time: write for example 2030-01-31T22:00, 2030-01-31T22:00Z or +10m`);
  }
  return timeMs;
}
