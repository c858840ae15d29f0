/**
 * How quantities are written in the words of reasons. Commands and logs write them plainly, the
 * console in the language and the zone of the viewer.
 */
import { formatDuration, formatRate, formatSize } from "./quantity.ts";

export type Quantities = {
  /** @param atMs milliseconds since 1970 */
  readonly time: (atMs: number) => string;
  readonly duration: (ms: number) => string;
  readonly size: (bytes: number) => string;
  readonly rate: (bps: number) => string;
  readonly number: (value: number) => string;
  /** Neither 0 % for some nor 100 % for less than all. */
  readonly share: (share: number) => string;
};

export const plainQuantities: Quantities = {
  time: (atMs) => new Date(atMs).toISOString(),
  duration: formatDuration,
  size: formatSize,
  rate: formatRate,
  number: String,
  share: (share) => (share < 0.01 ? "<1 %" : `${share >= 1 ? 100 : Math.min(99, Math.round(share * 100))} %`),
};
