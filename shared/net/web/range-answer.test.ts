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
    ["an earlier beginning", "bytes 50-199/1000", 50, 200],
    ["more bytes behind the range", "bytes 100-299/1000", 100, 300],
    ["the unit in other letters", "Bytes 100-199/1000", 100, 200],
  ])("with %s is read over", (_, range, position, end) => {
    expect(read(206, { "content-range": range })).toMatchObject({ position, end });
  });

  test.each([
    ["other bytes", "bytes 0-99/1000", "the bytes 0-99 where 100-199 were asked for"],
    ["a later beginning", "bytes 101-199/1000", "the bytes 101-199 where 100-199"],
    ["bytes behind the end of the file", "bytes 100-1000/*", "the bytes 100-1000 where 100-199"],
    ["an end before its beginning", "bytes 100-99/1000", "the bytes 100-99 where 100-199"],
    ["another unit", "lines 100-199/1000", `the Content-Range "lines 100-199/1000"`],
    ["another sign", "bytes=100-199/1000", `the Content-Range "bytes=100-199/1000"`],
    ["a negative number", "bytes -100-199/1000", "the Content-Range"],
    ["several parts", "bytes 100-149,150-199/1000", "the Content-Range"],
  ])("with %s is asked for again without a range", (_, range, message) => {
    const problem = problemOf(206, { "content-range": range });
    expect(problem.remedy).toBe("whole");
    expect(problem.message).toContain(`${where} answered `);
    expect(problem.message).toContain(message);
  });

  test("of another length is final", () => {
    const problem = problemOf(206, { "content-range": "bytes 100-199/1001" });
    expect(problem.remedy).toBe("final");
    expect(problem.message).toContain("has 1001 bytes, the manifest says 1000");
  });

  test("without Content-Range is asked for again without a range", () => {
    const problem = problemOf(206, { "content-type": "multipart/byteranges; boundary=x" });
    expect(problem.remedy).toBe("whole");
    expect(problem.message).toContain("the Content-Range missing");
  });
});

describe("a whole answer", () => {
  test.each([
    ["is more than a part, with a range in the request", { rangeSent: true }, true],
    ["is more than a part, without a range in the request", { rangeSent: false }, true],
    ["is what was wanted if that is the whole file", { rangeSent: false, start: 0, end: 1_000 }, false],
  ])("%s", (_, changes, ignoresRange) => {
    expect(read(200, { "content-length": "1000" }, changes)).toEqual({
      position: 0,
      end: 1_000,
      validator: { etag: null, lastModified: null },
      ignoresRange,
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

describe("the header Content-Encoding", () => {
  const gz = { url: "https://web.example/a.tar.gz" };
  test.each([
    ["identity", {}, {}],
    ["none", {}, {}],
    ["", {}, {}],
    ["aws-chunked", {}, {}],
    ["gzip", { "content-length": "1000" }, {}],
    ["x-gzip", {}, gz],
    ["aws-chunked, gzip", {}, gz],
  ])("%p with %j leaves the judgement to the digests", (encoding, headers, changes) => {
    expect(read(200, { ...headers, "content-encoding": encoding }, changes).end).toBe(1_000);
  });

  test.each([
    ["gzip", {}, {}],
    ["gzip", { "content-length": "700" }, gz],
    ["br", {}, gz],
  ])("%p with %j shows a compression", (encoding, headers, changes) => {
    const problem = problemOf(200, { ...headers, "content-encoding": encoding }, changes);
    expect(problem.remedy).toBe("final");
    expect(problem.message).toContain(`"Content-Encoding: ${encoding}"`);
  });

  test("of a compressed part asks for the whole file", () => {
    const zipped = { ...partial, "content-encoding": "gzip" };
    expect(problemOf(206, { ...zipped, "content-length": "60" }).remedy).toBe("whole");
    expect(read(206, { ...zipped, "content-length": "100" }).position).toBe(100);
  });
});

describe("a redirected answer", () => {
  test("of another length is named by its last URL and type", () => {
    const changes = { lastUrl: "https://sso.example/login?next=secret" };
    const headers = { "content-length": "26", "content-type": "text/html; charset=utf-8" };
    expect(problemOf(200, headers, changes).message).toContain(
      `${where} (redirected to https://sso.example/login?…, text/html) has 26 bytes`,
    );
  });
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
    const problem = problemOf(status, { "retry-after": "7" }, { rangeSent: false });
    expect(problem).toMatchObject({ remedy: "final", retryAfterMs: null });
    expect(problem.message).toStartWith(`${where} answered ${status}: ${advice}`);
  });
});

describe("a refusal of a range", () => {
  test.each([400, 403, 416])("of status %d asks for the whole file", (status) => {
    expect(problemOf(status, {}).remedy).toBe("whole");
    expect(problemOf(status, {}, { rangeSent: false }).remedy).toBe("final");
  });

  test("of status 416 is final when it states another length", () => {
    expect(problemOf(416, { "content-range": "bytes */1000" }).remedy).toBe("whole");
    const problem = problemOf(416, { "content-range": "bytes */90" });
    expect([problem.remedy, problem.message]).toEqual(["final", expect.stringContaining("has 90 bytes")]);
  });
});

test("a refusal of status 403 says that a signed URL may have expired", () => {
  const words = "the signature of the URL has expired";
  expect(problemOf(403, {}, { rangeSent: false }).message).toContain(words);
  const plain = { rangeSent: false, url: "https://web.example/a" };
  expect(problemOf(403, {}, plain).message).not.toContain(words);
});

test("an answer of a proxy names the proxy", () => {
  const headers = { "x-squid-error": "ERR_CONNECT_FAIL 111" };
  const before = process.env["HTTP_PROXY"];
  process.env["HTTP_PROXY"] = "http://user:secret@proxy.example:3128";
  try {
    const { message } = problemOf(503, headers, { url: "http://web.example/a" });
    expect(message).toContain(
      "the proxy proxy.example:3128 of HTTP_PROXY (ERR_CONNECT_FAIL 111) answered 503",
    );
  } finally {
    if (before === undefined) delete process.env["HTTP_PROXY"];
    else process.env["HTTP_PROXY"] = before;
  }
  expect(problemOf(503, headers).message).toContain("a proxy on the way (ERR_CONNECT_FAIL 111)");
});
