import { describe, expect, test } from "bun:test";
import { WebProblem } from "./problem.ts";
import { ifRangeValue, readRangeAnswer, type RangeAnswer, type RangeValidator } from "./range-answer.ts";

const nowMs = 0;
/** Bytes 100 to 199 of a file of 1,000. */
const asked = {
  url: "https://user:secret@web.example/setup.exe?sig=secret",
  start: 100,
  end: 200,
  sizeBytes: 1_000,
  rangeSent: true,
  validator: null,
  ifRangeSent: false,
};
type Asked = Parameters<typeof readRangeAnswer>[1];
const where = "https://web.example/setup.exe?…";
const partial = { "content-range": "bytes 100-199/1000" };

const read = (status: number, headers: Record<string, string>, changes: Partial<Asked> = {}): RangeAnswer =>
  readRangeAnswer({ status, headers: new Headers(headers) }, { ...asked, ...changes }, nowMs);

/** Reads an answer that cannot be used, and returns the problem. */
function problemOf(...answer: Parameters<typeof read>): WebProblem {
  try {
    read(...answer);
  } catch (error) {
    if (error instanceof WebProblem) return error;
    throw error;
  }
  throw new Error("the answer was accepted");
}

describe("a partial answer", () => {
  test.each([
    ["the range", "bytes 100-199/1000", 200],
    ["the range of a resource of unknown length", "bytes 100-199/*", 200],
    ["the beginning of the range", "bytes 100-149/1000", 150],
    ["one byte", "bytes 100-100/1000", 101],
  ])("with %s gives its position and end", (_, range, end) => {
    expect(read(206, { "content-range": range })).toEqual({
      position: 100,
      end,
      validator: { etag: null, lastModified: null },
      ignoresRange: false,
      change: null,
    });
  });

  test.each([
    ["other bytes", "bytes 0-99/1000", "the bytes 0-99 where 100-199 were asked for"],
    ["a later beginning", "bytes 101-199/1000", "the bytes 101-199 where 100-199"],
    ["bytes behind the range", "bytes 100-200/1000", "the bytes 100-200 where 100-199"],
    ["an end before its beginning", "bytes 100-99/1000", "the bytes 100-99 where 100-199"],
  ])("with %s is to be tried again", (_, range, message) => {
    const problem = problemOf(206, { "content-range": range });
    expect(problem.remedy).toBe("again");
    expect(problem.message).toContain(`${where} answered with ${message}`);
  });

  test.each([
    ["of another length", "bytes 100-199/1001", "has 1001 bytes, the manifest says 1000"],
    ["in another unit", "lines 100-199/1000", `the Content-Range "lines 100-199/1000"`],
    ["with a negative number", "bytes -100-199/1000", "the Content-Range"],
    ["of several parts", "bytes 100-149,150-199/1000", "the Content-Range"],
  ])("%s is final", (_, range, message) => {
    const problem = problemOf(206, { "content-range": range });
    expect(problem.remedy).toBe("final");
    expect(problem.message).toContain(message);
  });

  test("without Content-Range is final", () => {
    const problem = problemOf(206, { "content-type": "multipart/byteranges; boundary=x" });
    expect(problem.remedy).toBe("final");
    expect(problem.message).toContain("the Content-Range missing");
  });
});

describe("a whole answer", () => {
  test.each([
    ["to a request with a range ignores the range", true],
    ["to a request without a range does not", false],
  ])("%s", (_, rangeSent) => {
    expect(read(200, { "content-length": "1000" }, { rangeSent })).toEqual({
      position: 0,
      end: 1_000,
      validator: { etag: null, lastModified: null },
      ignoresRange: rangeSent,
      change: null,
    });
  });

  test("without a length is accepted", () => {
    expect(read(200, {}).end).toBe(1_000);
  });

  test("of another length is final", () => {
    const problem = problemOf(200, { "content-length": "999" });
    expect(problem.remedy).toBe("final");
    expect(problem.message).toBe(
      `${where} has 999 bytes, the manifest says 1000: the file was changed after it was published; publish it again under a new version`,
    );
  });
});

test.each([200, 206])("a compressed answer of status %d is final", (status) => {
  const problem = problemOf(status, { ...partial, "content-encoding": "gzip" });
  expect(problem.remedy).toBe("final");
  expect(problem.message).toContain(`sent "Content-Encoding: gzip"`);
  expect(read(status, { ...partial, "content-encoding": "identity" }).end).toBe(status === 206 ? 200 : 1_000);
});

const tag = (etag: string): RangeValidator => ({ etag, lastModified: null });
const date = (lastModified: string): RangeValidator => ({ etag: null, lastModified });

describe("the version of a resource", () => {
  test.each<
    [what: string, before: RangeValidator | null, headers: Record<string, string>, change: string | null]
  >([
    ["unknown before", null, { etag: '"b"' }, null],
    ["the same ETag", tag('"a"'), { etag: '"a"' }, null],
    ["another ETag", tag('"a"'), { etag: '"b"' }, 'ETag "a", now "b"'],
    ["the same date", date("Sun"), { "last-modified": "Sun" }, null],
    ["another date", date("Sun"), { "last-modified": "Mon" }, "Last-Modified Sun, now Mon"],
    ["an ETag instead of a date", date("Sun"), { etag: '"b"' }, null],
    ["no validator any more", tag('"a"'), {}, null],
    [
      "the same ETag and another date",
      { etag: '"a"', lastModified: "Sun" },
      { etag: '"a"', "last-modified": "Mon" },
      null,
    ],
    [
      "an ETag that is missing, and another date",
      { etag: '"a"', lastModified: "Sun" },
      { "last-modified": "Mon" },
      "Last-Modified Sun, now Mon",
    ],
  ])("with %s", (_, validator, headers, change) => {
    const etag = headers["etag"] ?? null;
    const lastModified = headers["last-modified"] ?? null;
    expect(read(206, { ...partial, ...headers }, { validator })).toMatchObject({
      validator: { etag, lastModified },
      change,
    });
  });

  test("that changed is asked for again when the site answers a conditional request with the whole", () => {
    const changes = { validator: tag('"a"'), ifRangeSent: true };
    const problem = problemOf(200, { etag: '"b"' }, changes);
    expect(problem.remedy).toBe("changed");
    expect(problem.message).toBe(`the file at ${where} changed while it was downloaded (ETag "a", now "b")`);
    expect(read(200, { etag: '"a"' }, changes).ignoresRange).toBe(true);
    expect(read(200, { etag: '"b"' }, { ...changes, ifRangeSent: false }).change).toBe('ETag "a", now "b"');
  });

  test.each<[RangeValidator, string | null]>([
    [{ etag: '"a"', lastModified: "Sun" }, '"a"'],
    [{ etag: 'W/"a"', lastModified: "Sun" }, "Sun"],
    [{ etag: 'W/"a"', lastModified: null }, null],
    [{ etag: null, lastModified: "Sun" }, "Sun"],
    [{ etag: null, lastModified: null }, null],
  ])("%j is named in If-Range as %p", (validator, value) => {
    expect(ifRangeValue(validator)).toBe(value);
  });
});

describe("a refusal", () => {
  test.each([408, 425, 429, 500, 502, 503, 504])("of status %d is to be tried again", (status) => {
    const problem = problemOf(status, {});
    expect(problem).toMatchObject({ remedy: "again", retryAfterMs: null });
    expect(problem.message).toBe(`web site answered ${status} for ${where}`);
  });

  test("with Retry-After states the delay", () => {
    const problem = problemOf(503, { "retry-after": "7" });
    expect(problem).toMatchObject({ remedy: "again", retryAfterMs: 7_000 });
    expect(problem.message).toBe(`web site answered 503 (Retry-After) for ${where}`);
  });

  test.each([
    [204, "check the web site"],
    [304, "check the web site"],
    [400, "check the web site"],
    [401, "it requires credentials"],
    [403, "it forbids the download"],
    [404, "there is no such file"],
    [407, "the proxy requires credentials"],
    [410, "the file was removed"],
    [416, "it has no byte 100 though the manifest says 1000 bytes"],
  ])("of status %d is final, with an advice: %s", (status, advice) => {
    const problem = problemOf(status, { "retry-after": "7" });
    expect(problem).toMatchObject({ remedy: "final", retryAfterMs: null });
    expect(problem.message).toStartWith(`${where} answered ${status}: ${advice}`);
  });
});
