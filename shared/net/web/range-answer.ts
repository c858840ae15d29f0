/**
 * Interprets the head of a web site's answer to a request with or without a range: bytes from a
 * position, or a problem for a person.
 *
 * Pure. Digests detect wrong bytes in any case. The checks here give a person a reason to act on,
 * and avoid fetching bytes in vain.
 */
import { redactUrl } from "../../model/package-url.ts";
import { isUncompressed } from "./content-encoding.ts";
import { proxyFor } from "./proxy.ts";
import { parseRetryAfterMs } from "./retry-after.ts";
import { WebProblem } from "./problem.ts";

/** Validators that distinguish versions of a resource (RFC 9110 §8.8). */
export type RangeValidator = { readonly etag: string | null; readonly lastModified: string | null };

export type RangeQuery = {
  readonly url: string;
  readonly start: number;
  readonly end: number;
  readonly sizeBytes: number;
  readonly rangeSent: boolean;
  /** Validators of an earlier answer for the same URL; null if there was none. */
  readonly validator: RangeValidator | null;
  readonly ifRangeSent: boolean;
  /** URL that answered, after redirects. */
  readonly lastUrl?: string;
};
export type RangeAnswer = {
  /** Position of the body's first byte in the resource. */
  readonly position: number;
  /** Position after the body's last byte. */
  readonly end: number;
  readonly validator: RangeValidator;
  /** Whether the site sends the whole resource although only a part of it is wanted. */
  readonly ignoresRange: boolean;
  /** Text on how the resource's version differs from an earlier answer's; null if it does not. */
  readonly change: string | null;
};

type Head = { readonly status: number; readonly headers: Headers };

/**
 * Checks status and headers of an answer.
 * @throws WebProblem when the body cannot be used
 */
export function readRangeAnswer(head: Head, asked: RangeQuery, nowMs: number): RangeAnswer {
  if (head.status !== 200 && head.status !== 206) throw statusProblem(head, asked, nowMs);
  const validator = { etag: head.headers.get("etag"), lastModified: head.headers.get("last-modified") };
  const change = asked.validator && changeBetween(asked.validator, validator);
  if (head.status === 206) {
    return { ...rangeOf(head, asked), validator, ignoresRange: false, change };
  }
  if (change !== null && asked.ifRangeSent) {
    const where = redactUrl(asked.url);
    throw new WebProblem("changed", `the file at ${where} changed while it was downloaded (${change})`);
  }
  checkEncoding(head, asked, asked.sizeBytes);
  const length = head.headers.get("content-length");
  if (length !== null && Number(length) !== asked.sizeBytes)
    throw wrongLength(placeOf(head, asked), Number(length), asked.sizeBytes);
  const isPart = asked.start > 0 || asked.end < asked.sizeBytes;
  return { position: 0, end: asked.sizeBytes, validator, ignoresRange: isPart, change };
}

/** Names the URL for a person, and where it led to, with the type that was sent there. */
function placeOf({ headers }: Head, { url, lastUrl }: RangeQuery): string {
  if (lastUrl === undefined || lastUrl === url) return redactUrl(url);
  const type = /^[\w.+-]+\/[\w.+-]+/.exec(headers.get("content-type") ?? "")?.[0];
  return `${redactUrl(url)} (redirected to ${redactUrl(lastUrl)}${type === undefined ? "" : `, ${type}`})`;
}

function checkEncoding(head: Head, asked: RangeQuery, expectedBytes: number): void {
  if (isUncompressed(head.headers, asked.url, expectedBytes)) return;
  throw new WebProblem(
    head.status === 206 ? "whole" : "final",
    `${placeOf(head, asked)} sent "Content-Encoding: ${head.headers.get("content-encoding")}" to a request that accepts only identity: switch compression off on the web site`,
  );
}

/** Returns the value of If-Range: a strong ETag, otherwise the date (RFC 9110 §13.1.5), or null. */
export function ifRangeValue(validator: RangeValidator): string | null {
  if (validator.etag?.startsWith('"')) return validator.etag;
  return validator.lastModified;
}

function changeBetween(before: RangeValidator, after: RangeValidator): string | null {
  if (before.etag !== null && after.etag !== null) {
    return before.etag === after.etag ? null : `ETag ${before.etag}, now ${after.etag}`;
  }
  if (before.lastModified === null || after.lastModified === null) return null;
  return before.lastModified === after.lastModified
    ? null
    : `Last-Modified ${before.lastModified}, now ${after.lastModified}`;
}

function rangeOf(head: Head, asked: RangeQuery): { position: number; end: number } {
  const where = placeOf(head, asked);
  const header = head.headers.get("content-range");
  const range = /^\s*bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)\s*$/i.exec(header ?? "");
  if (!range) {
    throw new WebProblem(
      "whole",
      `${where} answered 206 with the Content-Range ${header === null ? "missing" : `"${header}"`}: correct the web site or a proxy on the way`,
    );
  }
  const [first, last] = [Number(range[1]), Number(range[2])];
  if (range[3] !== "*" && Number(range[3]) !== asked.sizeBytes) {
    throw wrongLength(where, Number(range[3]), asked.sizeBytes);
  }
  // An earlier beginning is read over.
  if (first > asked.start || last < asked.start || last >= asked.sizeBytes) {
    throw new WebProblem(
      "whole",
      `${where} answered with the bytes ${first}-${last} where ${asked.start}-${asked.end - 1} were asked for: correct the web site or a proxy on the way`,
    );
  }
  checkEncoding(head, asked, last - first + 1);
  return { position: first, end: last + 1 };
}

const wrongLength = (where: string, found: number, expected: number): WebProblem =>
  new WebProblem(
    "final",
    `${where} has ${found} bytes, the manifest says ${expected}: the file was changed after it was published; publish it again under a new version`,
  );

/** Statuses that a broken implementation of ranges sends, although it serves the whole file. */
const rangeRefusals: ReadonlySet<number> = new Set([400, 403, 416]);

function statusProblem(head: Head, asked: RangeQuery, nowMs: number): WebProblem {
  const { status, headers } = head;
  const where = placeOf(head, asked);
  if (status === 429 || status === 408 || status === 425 || status >= 500) {
    const retryAfterMs = parseRetryAfterMs(headers.get("retry-after"), headers.get("date"), nowMs);
    const demand = retryAfterMs === null ? "" : " (Retry-After)";
    return new WebProblem(
      "again",
      `${answererOf(head, asked)} answered ${status}${demand} for ${where}`,
      retryAfterMs,
    );
  }
  const length = /^\s*bytes \*\/(\d{1,15})\s*$/i.exec(headers.get("content-range") ?? "")?.[1];
  if (status === 416 && length !== undefined && Number(length) !== asked.sizeBytes)
    return wrongLength(where, Number(length), asked.sizeBytes);
  const advice: Record<number, string> = {
    401: "it requires credentials; let it serve the package without them, or publish the package to the source",
    403: URL.parse(asked.url)?.search
      ? 'it forbids the download, or the signature of the URL has expired; add a new one with "package url add"'
      : "it forbids the download; allow it for these devices",
    404: "there is no such file; correct the URL, or put the file back",
    407: "the proxy requires credentials; put them into HTTP_PROXY or HTTPS_PROXY of the agent",
    410: "the file was removed; add another URL to the package",
    416: `it has no byte ${asked.start} though the manifest says ${asked.sizeBytes} bytes: the file was changed; publish it again`,
  };
  const remedy = asked.rangeSent && rangeRefusals.has(status) ? "whole" : "final";
  return new WebProblem(remedy, `${where} answered ${status}: ${advice[status] ?? "check the web site"}`);
}

/** Names who answered: a proxy states itself in a header (RFC 9209; squid). */
function answererOf({ headers }: Head, { url }: RangeQuery): string {
  const sign = headers.get("proxy-status") ?? headers.get("x-squid-error");
  if (sign === null) return "web site";
  const proxy = proxyFor(url);
  return `${proxy ? `the proxy ${proxy.host} of ${proxy.variable}` : "a proxy on the way"} (${sign.slice(0, 80)})`;
}
