import { expect, test } from "bun:test";
import { rateBetween, fairnessText } from "./fairness.ts";

test("measures a rate between the first and the last sample of an interval", () => {
  const samples = [0, 250, 500, 750].map((ms) => [1_000 + ms, ms * 1_250] as const);
  expect(rateBetween(samples, 1_000, 2_000)).toBeCloseTo(10);
  expect(rateBetween([...samples, [2_000, 5_000_000]], 1_250, 1_750)).toBeCloseTo(10);
  expect(rateBetween(samples, 1_700, 2_000)).toBeNull();
  expect(rateBetween([], 0, 1)).toBeNull();
});

test("shows the share of the flow, and a dash for a phase that was not measured", () => {
  const row = { program: "x", castAlone: 48, castBeside: 24, castAfter: null, flowBeside: 12, lastMs: 9_000 };
  const options = { receivers: 4, size: 100, link: 50, flow: "cubic", against: [], timeout: 60 } as const;
  const text = fairnessText({ flowAlone: 48, rows: [{ ...row, verified: 4 }] }, options);
  expect(text.split("\n").at(-1)!.trim().split(/ {2,}/)).toEqual([
    "x",
    "48.0",
    "24.0",
    "–",
    "12.0",
    "0.25",
    "9.00 s",
    "4/4",
  ]);
});
