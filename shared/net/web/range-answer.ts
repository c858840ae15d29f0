/**
 * Interprets the head of a web site's answer to a request with or without a range: bytes from a
 * position, or a problem for a person.
 *
 * Pure. Digests detect wrong bytes in any case. The checks here give a person a reason to act on,
 * and avoid fetching bytes in vain.
 */
import { redactUrl } from "../../model/package-url.ts";
import { parseRetryAfterMs } from "./retry-after.ts";
import { WebProblem } from "./problem.ts";

/** Validators that distinguish versions of a resource (RFC 9110 §8.8). */
export type RangeValidator = { readonly etag: string | null; readonly lastModified: string | null };

type RangeQuery = {
  readonly url: string;
  readonly start: number;
  readonly end: number;
  readonly sizeBytes: number;
  readonly rangeSent: boolean;
  /** Validators of an earlier answer for the same URL; null if there was none. */
  readonly validator: RangeValidator | null;
  readonly ifRangeSent: boolean;
};
export type RangeAnswer = {
  /** Position of the body's first byte in the resource. */
  readonly position: number;
  /** Position after the body's last byte. */
  readonly end: number;
  readonly validator: RangeValidator;
  /** Whether the site sent the whole resource although a range was requested. */
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
  const where = redactUrl(asked.url);
  if (head.status !== 200 && head.status !== 206) throw statusProblem(head, where, asked, nowMs);
  const encoding = head.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw new WebProblem(
      "final",
      `${where} sent "Content-Encoding: ${encoding}" to a request that accepts only identity: switch compression off on the web site`,
    );
  }
  const validator = { etag: head.headers.get("etag"), lastModified: head.headers.get("last-modified") };
  const change = asked.validator && changeBetween(asked.validator, validator);
  if (head.status === 206) {
    return { ...rangeOf(head, asked, where), validator, ignoresRange: false, change };
  }
  if (change !== null && asked.ifRangeSent) {
    throw new WebProblem("changed", `the file at ${where} changed while it was downloaded (${change})`);
  }
  const length = head.headers.get("content-length");
  if (length !== null && Number(length) !== asked.sizeBytes)
    throw wrongLength(where, Number(length), asked.sizeBytes);
  return { position: 0, end: asked.sizeBytes, validator, ignoresRange: asked.rangeSent, change };
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

function rangeOf({ headers }: Head, asked: RangeQuery, where: string): { position: number; end: number } {
  const header = headers.get("content-range");
  const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header ?? "");
  if (!range) {
    throw new WebProblem(
      "final",
      `${where} answered 206 with the Content-Range ${header === null ? "missing" : `"${header}"`}: correct the web site or a proxy on the way`,
    );
  }
  const [first, last] = [Number(range[1]), Number(range[2])];
  if (range[3] !== "*" && Number(range[3]) !== asked.sizeBytes) {
    throw wrongLength(where, Number(range[3]), asked.sizeBytes);
  }
  if (first !== asked.start || last < first || last >= asked.end) {
    throw new WebProblem(
      "again",
      `${where} answered with the bytes ${first}-${last} where ${asked.start}-${asked.end - 1} were asked for: correct the web site or a proxy on the way`,
    );
  }
  return { position: first, end: last + 1 };
}

const wrongLength = (where: string, found: number, expected: number): WebProblem =>
  new WebProblem(
    "final",
    `${where} has ${found} bytes, the manifest says ${expected}: the file was changed after it was published; publish it again under a new version`,
  );

function statusProblem(
  { status, headers }: Head,
  where: string,
  asked: RangeQuery,
  nowMs: number,
): WebProblem {
  if (status === 429 || status === 408 || status === 425 || status >= 500) {
    const retryAfterMs = parseRetryAfterMs(headers.get("retry-after"), nowMs);
    return new WebProblem(
      "again",
      `web site answered ${status}${retryAfterMs === null ? "" : " (Retry-After)"} for ${where}`,
      retryAfterMs,
    );
  }
  const advice: Record<number, string> = {
    401: "it requires credentials; let it serve the package without them, or publish the package to the source",
    403: "it forbids the download; allow it for these devices",
    404: "there is no such file; correct the URL, or put the file back",
    407: "the proxy requires credentials; put them into HTTP_PROXY or HTTPS_PROXY of the agent",
    410: "the file was removed; publish the package again with another URL",
    416: `it has no byte ${asked.start} though the manifest says ${asked.sizeBytes} bytes: the file was changed; publish it again`,
  };
  return new WebProblem("final", `${where} answered ${status}: ${advice[status] ?? "check the web site"}`);
}
