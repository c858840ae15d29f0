/** The last lines of an agent's log: bounds, and secrets that are not in them. */
import { expect, test } from "bun:test";
import { logBytesMax, logLineLengthMax, logLinesMax } from "../api/schema/device-detail.ts";
import { createLogger } from "../log.ts";
import { LogTail, withoutSecrets } from "./log-tail.ts";

test("keeps the last lines, up to their number and their bytes", () => {
  const tail = new LogTail();
  for (let line = 0; line < logLinesMax + 50; line++) tail.add(`line ${line}\n`);
  expect(tail.lines).toHaveLength(logLinesMax);
  expect(tail.lines[0]).toBe("line 50");
  for (let line = 0; line < 100; line++) tail.add("x".repeat(5_000));
  expect(tail.lines.reduce((sum, line) => sum + line.length, 0)).toBeLessThanOrEqual(logBytesMax);
  expect(tail.lines.at(-1)).toHaveLength(logLineLengthMax);
});

test.each([
  [`used fc_e${"A".repeat(43)}.${"0".repeat(64)} once`, "used fc_… once"],
  ["Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer …"],
  ["GET https://anna:pw@web.example/a?X-Amz-Signature=1f", "GET https://…@web.example/a?…"],
  ['{"password":"hunter2","msg":"x"}', '{"password":"…","msg":"x"}'],
  ["setup --token=s3cret /quiet", "setup --token=… /quiet"],
  ["the source does not answer", "the source does not answer"],
])("removes secrets of the line %s", (line, kept) => {
  expect(withoutSecrets(line)).toBe(kept);
});

test("gets the lines of the logger as they are written, without censored fields", () => {
  const tail = new LogTail();
  const log = createLogger("test", "warn", undefined, { onLine: tail.add });
  log.warn({ credential: "abc123", text: "a\u001B[31mb" }, "one");
  log.info("two");
  expect(tail.lines).toHaveLength(1);
  expect(JSON.parse(tail.lines[0]!)).toMatchObject({ credential: "…", msg: "one" });
  expect(tail.lines[0]).not.toContain("abc123");
  expect(tail.lines[0]).not.toContain("\u001B");
});
