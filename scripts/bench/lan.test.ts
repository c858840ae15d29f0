import { describe, expect, test } from "bun:test";
import { compare, contendersOf, figuresOf, lanText, type LanOptions, type LanRow } from "./lan.ts";
import type { TransferResult } from "./transfer.ts";

const options: LanOptions = {
  receivers: 2,
  size: 100,
  rate: 400,
  loss: [0],
  against: ["uftp", "udpcast"],
  encrypt: false,
  cutRuns: false,
  receiveBuffer: null,
  repeat: 1,
  timeout: 60,
};

const result = (lastMs: number, more: Partial<TransferResult> = {}): TransferResult => ({
  receivers: [
    { name: "d2", completeAfterMs: lastMs - 100, wrong: null },
    { name: "d3", completeAfterMs: lastMs, wrong: null },
  ],
  lastMs,
  medianMs: lastMs - 100,
  verified: 2,
  sentBytes: 107_000_000,
  senderCpuSeconds: 1,
  receiverCpuSeconds: 0.5,
  senderPeakBytes: 90e6,
  receiverPeakBytes: 80e6,
  processors: { busy: 0.9, stolen: 0.05 },
  ...more,
});

const row = (program: string, of: TransferResult | null): LanRow => ({
  lossPercent: 0,
  program,
  isOurs: program === "flockcast",
  isEncrypted: program === "flockcast" || program.endsWith("encrypted"),
  failure: of ? null : "it did not begin",
  result: of,
  datagramsPerMessage: program === "flockcast" && of ? 41.6 : null,
  kernelDrops: program === "flockcast" && of ? 0 : null,
});

test("computes goodput, time ÷ ideal, bytes ÷ package, and processor time per gigabyte", () => {
  const figures = figuresOf(result(2_500), 100, 400);
  expect(figures.goodputMbit).toBeCloseTo(320);
  expect(figures.lastToIdeal).toBeCloseTo(1.25);
  expect(figures.lanToPackage).toBeCloseTo(1.07);
  expect(figures.senderCpuPerGb).toBeCloseTo(10);
  expect(figures.receiverCpuPerGb).toBeCloseTo(5);
});

const programsWith = (more: Partial<LanOptions>) =>
  contendersOf({ ...options, ...more }).map(({ competitor, isEncrypted }) => [competitor, isEncrypted]);
const lastRatio = (rows: readonly LanRow[]) =>
  compare(rows, options).find(({ what }) => what === "last")?.ratio;

test("runs uftp a second time, encrypted, when asked to and when uftp is chosen", () => {
  expect(programsWith({})).toEqual([
    [null, true],
    ["uftp", false],
    ["udpcast", false],
  ]);
  expect(programsWith({ encrypt: true }).at(-1)).toEqual(["uftp", true]);
  expect(programsWith({ encrypt: true, against: ["udpcast"] })).toHaveLength(2);
});

describe("ours ÷ best other", () => {
  test("compares means over repeated runs", () => {
    const rows = [
      ...[2_000, 4_000].map((ms) => row("flockcast", result(ms))),
      ...[5_000, 7_000].map((ms) => row("uftp", result(ms))),
      row("udpcast", result(9_000)),
    ];
    expect(lastRatio(rows)).toBeCloseTo(0.5);
  });

  test("ignores a program that delivered a wrong file", () => {
    const rows = [
      row("flockcast", result(4_000)),
      row("uftp", result(1_000, { verified: 1 })),
      row("udpcast", result(8_000)),
    ];
    expect(lastRatio(rows)).toBeCloseTo(0.5);
  });

  test("compares encrypted programs with each other", () => {
    const rows = [
      row("flockcast", result(4_000)),
      row("uftp", result(4_000, { receiverCpuSeconds: 0.1 })),
      row("uftp encrypted", result(4_000, { receiverCpuSeconds: 0.25 })),
    ];
    expect(compare(rows, options).at(-1)).toEqual({ what: "receiver CPU, both encrypted", ratio: 2 });
  });
});

test("shows why a program has no result", () => {
  const text = lanText([row("flockcast", result(2_500)), row("uftp", null)], options);
  expect(text).toContain("2 receivers, 100 MB at 400 Mbit/s, 0 % loss at each receiver");
  expect(text).toMatch(/^flockcast +2\.50 s +2\.40 s +320 Mbit\/s +1\.25 +1\.070 .* 90 % \/ 5 % +2\/2$/m);
  expect(text).toMatch(/^uftp +– .* 0\/2$/m);
  expect(text).toContain("uftp: it did not begin");
});
