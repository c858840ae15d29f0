import { expect, test } from "bun:test";
import { outcomeProblems, outcomeTable, type SubnetOutcome } from "./table.ts";

const right: SubnetOutcome = {
  subnet: "site1",
  representative: "d1",
  packageBytes: 1_000,
  wanBytes: 1_010,
  lanBytes: 1_080,
  timeMs: 4_200,
  devices: 8,
  verified: 8,
};

test("the table has a row per subnet, with ratios to the package", () => {
  const lines = outcomeTable([right, { ...right, subnet: "site2", timeMs: null }]).split("\n");
  expect(lines[2]).toMatch(/^site1 +d1 +1\.010 +1\.080 +4\.2 s +8\/8$/);
  expect(lines[3]).toMatch(/^site2 .* – +8\/8$/);
});

test("reports no problem when every copy is right and the WAN carried one package", () => {
  expect(outcomeProblems([right])).toEqual([]);
});

test("reports a missing copy and a second WAN transfer with their subnet", () => {
  expect(outcomeProblems([{ ...right, verified: 7, wanBytes: 2_000 }])).toEqual([
    "site1: 1 of 8 devices have no right copy",
    "site1: the WAN carried 2.000 × the package, more than 1.05",
  ]);
});
