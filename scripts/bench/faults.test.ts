import { expect, test } from "bun:test";
import { baseOf, faultsText, type FaultRow } from "./faults.ts";

const row = (name: FaultRow["name"], healthyMs: number | null, more: Partial<FaultRow> = {}): FaultRow => ({
  name,
  healthyMs,
  faultyMs: null,
  hasFaulty: false,
  verified: 3,
  expected: 3,
  status: "complete: 100 % multicast",
  ...more,
});

test("compares healthy receivers with the mean of the runs without a fault", () => {
  const rows = [
    row("none", 2_000),
    row("slow-20", 6_000, { hasFaulty: true, faultyMs: 30_000 }),
    row("none", 4_000),
  ];
  expect(baseOf(rows)).toBe(3_000);
  const text = faultsText(rows, { receivers: 3, size: 24, rate: 200, rows: ["slow-20"], timeout: 60 });
  expect(text).toMatch(
    /^one behind 20 Mbit\/s \(tbf\) +complete: 100 % multicast +6\.00 s +2\.00 +30\.00 s +3\/3$/m,
  );
});

test("has nothing to compare with when no run without a fault completed", () => {
  expect(baseOf([row("none", null)])).toBeNull();
});
