import { describe, expect, test } from "bun:test";
import { ReportWindow } from "./report-window.ts";

const startMs = 1_000;
const windowMs = 300;
const clean = { lossPermille: 0, queuedMs: 0 };

/** Lets `devices` receivers report in one window. */
function reportAll(window: ReportWindow, devices: number, pass = 1): void {
  for (let i = 0; i < devices; i++) window.onReport(`device ${i}`, clean, pass);
}
/** Number of reports that a window gives at a time; null: it is not over. */
const countAt = (window: ReportWindow, nowMs: number): number | null => window.take(nowMs)?.length ?? null;

describe("a report window", () => {
  test("gives the last report of each receiver when it is over, and begins again", () => {
    const window = new ReportWindow(startMs);
    window.onReport("a", { lossPermille: 10, queuedMs: 1 }, 1);
    window.onReport("b", { lossPermille: 20, queuedMs: 2 }, 1);
    window.onReport("a", { lossPermille: 30, queuedMs: 3 }, 2);
    expect(window.take(startMs + windowMs - 1)).toBeNull();
    expect(window.take(startMs + windowMs)).toEqual([
      { lossPermille: 30, queuedMs: 3, sentBps: null },
      { lossPermille: 20, queuedMs: 2, sentBps: null },
    ]);
    expect(window.take(startMs + windowMs + 50 + windowMs - 51)).toBeNull();
    expect(window.take(startMs + 2 * windowMs)).toEqual([]);
  });

  test.each([
    [5, 10, windowMs],
    [4, 10, 2 * windowMs],
    [0, 10, windowMs],
    [1, 1, windowMs],
    [3, 0, windowMs],
  ])("with %d reports after one with %d takes %d ms", (count, before, lastsMs) => {
    const window = new ReportWindow(startMs);
    reportAll(window, before);
    expect(countAt(window, startMs + windowMs)).toBe(before);
    const secondAtMs = startMs + windowMs;
    reportAll(window, count);
    for (let ms = 100; ms < lastsMs; ms += 100) expect(countAt(window, secondAtMs + ms)).toBeNull();
    expect(countAt(window, secondAtMs + lastsMs)).toBe(count);
  });

  test("takes at most 1,024 receivers, and later reports of those", () => {
    const window = new ReportWindow(startMs);
    reportAll(window, 1_100);
    window.onReport("device 0", { lossPermille: 500, queuedMs: 0 }, 1);
    const reports = window.take(startMs + windowMs)!;
    expect(reports).toHaveLength(1_024);
    expect(reports[0]!.lossPermille).toBe(500);
  });

  test("ignores reports of passes that were sent at an earlier rate", () => {
    const window = new ReportWindow(startMs);
    window.ignoreBefore(5);
    window.onReport("a", clean, 4);
    window.onReport("b", clean, 5);
    expect(countAt(window, startMs + windowMs)).toBe(1);
  });

  test("counts ENDs since the last report, whatever its pass", () => {
    const window = new ReportWindow(startMs);
    window.ignoreBefore(9);
    for (const pass of [1, 2, 3]) window.onEndSent(pass, null, 1e6);
    expect(window.unanswered).toBe(3);
    window.onReport("a", clean, 1);
    expect(window.unanswered).toBe(0);
    window.onEndSent(4, null, 1e6);
    expect(window.unanswered).toBe(1);
  });
});

/** Send rate that a report of the last of these ENDs has. */
function sentBpsAfter(ends: readonly (readonly [sentBps: number | null, rateBps: number])[]): number | null {
  const window = new ReportWindow(startMs);
  for (const [i, [sentBps, rateBps]] of ends.entries()) window.onEndSent(i + 1, sentBps, rateBps);
  window.onReport("a", clean, ends.length);
  return window.take(startMs + windowMs)![0]!.sentBps;
}

describe("the send rate before an END", () => {
  test.each<[what: string, ends: [number | null, number][], sentBps: number | null]>([
    ["is the measured one below 65 % of the allowed rate", [[64e6, 100e6]], 64e6],
    ["is the allowed one from 65 % of it on", [[65e6, 100e6]], null],
    ["is the allowed one when sending paused", [[null, 100e6]], null],
    [
      "is the allowed one after a rate that was lower two ENDs before",
      [
        [null, 60e6],
        [null, 100e6],
        [50e6, 100e6],
      ],
      null,
    ],
    [
      "is the measured one after a rate that was lower three ENDs before",
      [
        [null, 60e6],
        [null, 100e6],
        [null, 100e6],
        [50e6, 100e6],
      ],
      50e6,
    ],
  ])("%s", (_, ends, sentBps) => {
    expect(sentBpsAfter(ends)).toBe(sentBps);
  });

  test.each([
    [1, null],
    [2, 1e6],
    [65, 1e6],
    [66, null],
  ])("of pass %d, when the last 64 of 65 passes are remembered, is %p", (pass, sentBps) => {
    const window = new ReportWindow(startMs);
    for (let each = 1; each <= 65; each++) window.onEndSent(each, 1e6, 100e6);
    window.onReport("a", clean, pass);
    expect(window.take(startMs + windowMs)![0]!.sentBps).toBe(sentBps);
  });
});
