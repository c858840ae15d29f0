import { expect, test } from "bun:test";
import { drawToFit, type DeviceLine } from "./screen.ts";

const linesOf = (subnets: number, devices: number): DeviceLine[] =>
  Array.from({ length: subnets * devices }, (_, at) => ({
    subnet: `subnet ${Math.floor(at / devices) + 1}`,
    device: `device${(at % devices) + 1}`,
    state: at % devices === 0 ? "complete" : "receiving",
    role: at % devices === 0 ? "representative" : "peer",
    share: at % devices === 0 ? 1 : 0.5,
    from: "multicast 50 %",
  }));

test("shows every device when the terminal has enough rows", () => {
  const drawn = drawToFit(linesOf(2, 4), "2 of 8 devices complete", 80, 24);
  expect(drawn).toHaveLength(11);
  expect(drawn[1]).toBe("  ★ device1  complete    ████████████████████████ 100 %  multicast 50 %");
  expect(drawn[10]).toBe("2 of 8 devices complete");
});

test("shows one line per subnet when the terminal has too few rows", () => {
  expect(drawToFit(linesOf(3, 8), "3 of 24 devices complete", 80, 24)).toEqual([
    "subnet 1  █████████████░░░░░░░░░░░  56 %  1 of 8, ★ device1",
    "subnet 2  █████████████░░░░░░░░░░░  56 %  1 of 8, ★ device1",
    "subnet 3  █████████████░░░░░░░░░░░  56 %  1 of 8, ★ device1",
    "3 of 24 devices complete",
  ]);
});

test.each([
  [1, 1],
  [8, 3],
  [80, 24],
  [120, 40],
])("draws nothing outside %i columns and %i rows", (columns, rows) => {
  for (const lines of [linesOf(1, 1), linesOf(2, 4), linesOf(8, 32)]) {
    const drawn = drawToFit(lines, "0 of many", columns, rows);
    expect(drawn.length).toBeLessThan(Math.max(3, rows));
    for (const line of drawn) expect(line.length).toBeLessThan(Math.max(1, columns));
  }
});
