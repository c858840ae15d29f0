import { describe, expect, test } from "bun:test";
import { csvText } from "../../command-line/csv.ts";
import { csvOf, timeOf } from "./report.ts";

describe("CSV", () => {
  test("has a header, quotes after RFC 4180 and ends lines with CRLF", () => {
    const rows = [
      ["name", "bytes"],
      ['a "b", c', 5],
      ["two\nlines", -5],
    ];
    expect(csvText(rows)).toBe('name,bytes\r\n"a ""b"", c",5\r\ntwo\\x0alines,-5\r\n');
  });

  test.each(["=1+1", "+1", "-1", "@SUM(A1)", " =1", '"=1', "＝1+1", "＠SUM(A1)"])(
    "gives the text %j an apostrophe, so that no spreadsheet runs it",
    (text) => {
      expect(csvText([[text]])).toMatch(/^"?'/);
    },
  );

  test("has no formula in a cell that a spreadsheet cuts at semicolons", () => {
    expect(csvText([["site;=1+1;x; @SUM(A1)"]])).toBe("site;'=1+1;x;' @SUM(A1)\r\n");
  });

  test.each(["\t=1", "\r=1", "\u001b[31m", "a\u202etxt.exe", "a\u2028b"])(
    "shows a hidden character as an escape (text %#)",
    (text) => {
      expect(csvText([[text]])).toMatch(/^[ -~]*\\[xu][0-9a-f]+[ -~]*\r\n$/);
    },
  );

  test("of a report has bytes, and no share without packages that were completed", () => {
    const bytes = { sourceBytes: 10, webBytes: 5, crossedBytes: 15, directBytes: 60 };
    const none = { sourceBytes: 1, webBytes: 0, crossedBytes: 1, directBytes: 0 };
    const rows = [
      { id: "a", name: "10.0.0.0/24 gateway:aa", ...bytes },
      { id: "", name: "", ...none },
    ];
    expect(csvOf({ by: "subnet", rows, total: bytes }).split("\r\n")).toEqual([
      "subnet,id,crossed_bytes,from_source_bytes,from_web_bytes,without_flockcast_bytes,saved_bytes,saved_percent",
      "10.0.0.0/24 gateway:aa,a,15,10,5,60,45,75",
      "(no subnet),,1,1,0,0,-1,",
      "",
    ]);
  });
});

describe("a date of a report", () => {
  test("is a whole local day, with its end for --until", () => {
    expect(timeOf("2026-01-31", "begin")).toBe(new Date(2026, 0, 31).getTime());
    expect(timeOf("2026-01-31", "end")).toBe(new Date(2026, 1, 1).getTime());
    expect(timeOf("2026-01-31T08:00Z", "end")).toBe(Date.UTC(2026, 0, 31, 8));
    expect(timeOf(undefined, "end")).toBeUndefined();
  });

  test.each(["2026-02-30", "2026-13-01", "yesterday", "2026", "0001-01-01"])("refuses %p", (text) => {
    expect(() => timeOf(text, "begin")).toThrow(/is not a date: write for example/);
  });
});
