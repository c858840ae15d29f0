import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { problemReason, reason, reasonsSchema, reasonsText, reasonText } from "./reason.ts";
import { reasonTable } from "./reason-table.ts";

describe("the words of a reason", () => {
  test("have the parameters", () => {
    expect(reasonText(reason("command-failed", { exitCode: 7, line: "no licence", taskId: 3 }))).toBe(
      'the command ended with exit code 7: "no licence" (output: tasks/3.log)',
    );
    expect(
      reasonText(
        reason("files-wrong", {
          paths: '"a", "b"',
          pathCount: 2,
          package: "editor 1",
          times: 1,
          timesMax: 3,
        }),
      ),
    ).toBe(
      '"a", "b" of editor 1 were wrong when read back from the disk: fetched again (check the disk, and what else changes files there)',
    );
  });

  test("have no parameter that would replace the code", () => {
    const rows = Object.entries(reasonTable);
    expect(rows.filter(([, { schema }]) => "code" in schema.entries).map(([code]) => code)).toEqual([]);
    expect(reasonText(reason("order-refused", { why: "expired", detail: "the key has expired" }))).toBe(
      "the device does not obey: the key has expired",
    );
  });

  test("are the code and the parameters where this version does not know the code, or one is wrong", () => {
    expect(reasonText({ code: "of-a-later-version" })).toBe("of-a-later-version");
    expect(reasonText({ code: "of-a-later-version", group: "a", count: 2 })).toBe(
      "of-a-later-version (group a, count 2)",
    );
    expect(reasonText({ code: "starts-at", atMs: 1e300 })).toBe("starts-at (atMs 1e+300)");
    expect(reasonText({ code: "starts-at" })).toBe("starts-at");
    expect(reasonText({ code: "constructor" })).toBe("constructor");
  });

  test("follow each other as sentences, with a cause in brackets and a detail after a colon", () => {
    expect(
      reasonsText([
        reason("takes-unicast", { device: "d1" }),
        reason("wireless"),
        reason("download-note", { detail: "waits" }),
      ]),
    ).toBe(
      "takes chunks from representative d1 and others by LAN unicast (on a wireless interface, where multicast is slow and lossy); download waits",
    );
    expect(reasonsText([reason("represents", { term: 2 }), reason("multicast-stands", { percent: 9 })])).toBe(
      "representative of term 2: multicast stands at 9 %, as no device of this subnet is missing chunks",
    );
    expect(reasonsText([])).toBe("");
  });

  test.each<[part: number, text: string]>([
    [0, "complete"],
    [1, "complete: <1 % multicast"],
    [999, "complete: 99 % multicast"],
    [1_000, "complete: 100 % multicast"],
  ])("tell the share of %p in a thousand bytes", (multicast, text) => {
    const parts = { multicast, peers: 0, wan: 0, cache: 0, totalBytes: 1_000 };
    expect(reasonText(reason("complete", parts))).toBe(text);
  });
});

describe("the schema of reasons", () => {
  test("takes every reason that this program makes", () => {
    const long = problemReason(new Error("x".repeat(5_000)));
    const all = [
      long,
      reason("multicasts", {
        peers: 1,
        unicast: 0,
        percent: 2,
        rateBps: 3,
        lossPermille: null,
        queuedMs: 0.5,
      }),
    ];
    expect(v.parse(reasonsSchema, all)).toEqual(all);
    expect(long).toEqual({ code: "problem", detail: "x".repeat(1_024) });
  });

  test.each<[what: string, reasons: unknown]>([
    ["a code with a blank", [{ code: "a b" }]],
    ["a reason without a code", [{ detail: "x" }]],
    ["a nested value", [{ code: "a", detail: { text: "x" } }]],
    ["a long text", [{ code: "a", detail: "x".repeat(1_025) }]],
    [
      "many parameters",
      [{ code: "a", ...Object.fromEntries(Array.from({ length: 16 }, (_, at) => [`p${at}`, 1])) }],
    ],
    ["many reasons", Array.from({ length: 9 }, () => ({ code: "a" }))],
    ["a text", "it is slow"],
  ])("refuses %s", (_, reasons) => {
    expect(v.safeParse(reasonsSchema, reasons).success).toBe(false);
  });

  test("has codes that it takes itself", () => {
    const codes = Object.keys(reasonTable);
    for (const code of codes) expect(v.safeParse(reasonsSchema, [{ code }]).success).toBe(true);
  });
});
