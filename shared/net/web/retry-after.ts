/** The header Retry-After of a web site that refuses for the moment. */

/** Upper bound on Retry-After. Web sites under maintenance sometimes send an hour. */
const retryAfterMsMax = 3_600_000;

// Date.parse also accepts text that is not an HTTP date ("-5", "2020").
const httpDateMs = (text: string | null): number =>
  text !== null && /^\s*[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : Number.NaN;

/**
 * Parses Retry-After (RFC 9110 §10.2.3), which is a number of seconds or a date.
 * @param dateHeader the answer's Date: a date is measured by the clock of the web site
 * @returns the delay, at most an hour; null for any other text
 */
export function parseRetryAfterMs(
  header: string | null,
  dateHeader: string | null,
  nowMs: number,
): number | null {
  if (header === null) return null;
  const seconds = /^\s*(\d{1,9})\s*$/.exec(header);
  const siteMs = httpDateMs(dateHeader);
  const askedMs = seconds
    ? Number(seconds[1]) * 1_000
    : httpDateMs(header) - (Number.isNaN(siteMs) ? nowMs : siteMs);
  return Number.isFinite(askedMs) ? Math.min(retryAfterMsMax, Math.max(0, askedMs)) : null;
}
