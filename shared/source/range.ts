/**
 * Byte range of a request: Range (RFC 9110, section 14.2) and If-Range (section 13.1.5), with one
 * range. Several ranges give the whole representation, as the RFC allows. Pure.
 */
type WantedBytes =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  | { readonly kind: "unsatisfiable" };

/**
 * Returns the requested bytes; `end` is exclusive.
 *
 * @param range value of the header Range
 * @param ifRange value of the header If-Range
 */
export function wantedBytes(
  range: string | undefined,
  ifRange: string | undefined,
  etag: string,
  sizeBytes: number,
): WantedBytes {
  // A date in If-Range never matches, because responses have no Last-Modified.
  if (range === undefined || (ifRange !== undefined && ifRange.trim() !== etag)) return { kind: "whole" };
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/i.exec(range.trim());
  if (match === null || (match[1] === "" && match[2] === "")) return { kind: "whole" };
  const [first, last] = [match[1]!, match[2]!];
  if (first === "") {
    const length = Math.min(Number(last), sizeBytes);
    return length === 0
      ? { kind: "unsatisfiable" }
      : { kind: "part", start: sizeBytes - length, end: sizeBytes };
  }
  const start = Number(first);
  const end = last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (last !== "" && Number(last) < start) return { kind: "whole" };
  return start >= sizeBytes ? { kind: "unsatisfiable" } : { kind: "part", start, end };
}

/** Status and headers of the answer with the wanted bytes; `end` is exclusive. */
export function partAnswer(wanted: Exclude<WantedBytes, { kind: "unsatisfiable" }>, sizeBytes: number) {
  const isPart = wanted.kind === "part";
  const { start, end } = isPart ? wanted : { start: 0, end: sizeBytes };
  const range = isPart ? { "content-range": `bytes ${start}-${end - 1}/${sizeBytes}` } : {};
  const status: 200 | 206 = isPart ? 206 : 200;
  return { start, end, status, headers: { ...range, "content-length": String(end - start) } };
}
