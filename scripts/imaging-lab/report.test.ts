/** Problems that make a run of the imaging lab a failure. */
import { expect, test } from "bun:test";
import { imagingProblems, imagingText, type ImagingReport, type MachineResult } from "./report.ts";

const sentBytes = 1_000_000;

function machine(number: number, multicast: number, more: Partial<MachineResult> = {}): MachineResult {
  const from = { wan: 0, multicast, peers: 0, cache: 0 };
  return { number, from, wanBytesFetched: 0, differsAt: null, ...more };
}

const good: ImagingReport = {
  image: { sizeBytes: 2_000_000, sentBytes },
  machines: [
    machine(1, 300_000, { from: { wan: 0, multicast: 300_000, peers: 200_000, cache: 500_000 } }),
    machine(2, 0, { wanBytesFetched: sentBytes }),
    machine(3, sentBytes),
    machine(4, 100_000),
  ],
  wanBytes: 1_010_000,
  cut: { number: 1, bytesVerified: 500_000 },
  lateNumber: 4,
  lanRateBps: null,
  multicastBps: 8e6,
  timesMs: {},
  totalMs: 1,
};
const withMachine = (number: number, more: Partial<MachineResult>): ImagingReport => ({
  ...good,
  machines: good.machines.map((one) => (one.number === number ? { ...one, ...more } : one)),
});

test("a run in which every machine got the image by multicast has no problem", () => {
  expect(imagingProblems(good)).toEqual([]);
  expect(imagingText(good)).toContain("lanRate: none; multicast 8.0 Mbit/s on average");
  expect(imagingText({ ...good, lanRateBps: 20_000_000 })).toContain("lanRate: 20mbit;");
});

test.each<[what: string, report: ImagingReport, problem: string]>([
  ["a wrong disk", withMachine(3, { differsAt: 4_096 }), "the disk of machine 3 differs"],
  ["a second download", { ...good, wanBytes: 1_040_000 }, "WAN ÷ image is 1.0400"],
  ["machines that got all by unicast", withMachine(3, machine(3, 0)), "more than 300000 bytes by multicast"],
  ["a power cut that lost the disk", withMachine(1, machine(1, sentBytes)), "machine 1 kept 0 of 500000"],
  ["no power cut", { ...good, cut: null }, "no machine lost its power"],
  [
    "a download of the late machine",
    withMachine(4, { wanBytesFetched: 50_000 }),
    "the late machine downloaded",
  ],
])("%s is a problem", (_, report, problem) => {
  expect(imagingProblems(report)).toEqual([expect.stringContaining(problem)]);
});
