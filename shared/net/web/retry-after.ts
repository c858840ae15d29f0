/** The header Retry-After of a web site that refuses for the moment. */

/** Upper bound on Retry-After. Web sites under maintenance sometimes send an hour. */
const retryAfterMsMax = 3_600_000;

/**
 * Parses Retry-After (RFC 9110 §10.2.3), which is a number of seconds or a date.
 * @returns the delay from `nowMs`, at most an hour; null for any other text
 */
export function parseRetryAfterMs(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  const seconds = /^\s*(\d{1,9})\s*$/.exec(header);
  // Date.parse also accepts text that is not an HTTP date ("-5", "2020").
  const atMs = /^\s*[A-Za-z]{3,9},? /.test(header) ? Date.parse(header) : Number.NaN;
  const askedMs = seconds ? Number(seconds[1]) * 1_000 : atMs - nowMs;
  return Number.isFinite(askedMs) ? Math.min(retryAfterMsMax, Math.max(0, askedMs)) : null;
}
