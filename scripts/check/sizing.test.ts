/** The formulas of docs/SIZING.md, computed again from the measured figures of the same page. */
import { expect, test } from "bun:test";
import { join } from "node:path";

const page = await Bun.file(join(import.meta.dir, "../../docs/SIZING.md")).text();

/** Returns the cells of the row that begins with these words. */
const row = (words: string): string[] => {
  const line = page.split("\n").find((one) => one.startsWith(`| ${words} `));
  return (line ?? "")
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
};
const numberOf = (text: string | undefined): number => Number.parseFloat(text!.replaceAll(",", ""));
const measured = (words: string): number => numberOf(row(words)[1]) / 1_000;

const devices = 10_000;
const [checkIn, report] = [measured("check-in"), measured("report of progress")];

test.each([
  ["a day without changes", devices * checkIn],
  ["a task: wake, check in, report", devices * (checkIn + 10 * report)],
  ["all devices connect again", devices * (measured("new TLS connection") + checkIn)],
  ["the bytes of a package", 200 * 1_000 * measured("MB of a package")],
  ["enrolment of all", devices * (measured("enrolment") + measured("first check-in"))],
])("%s takes the seconds that the measured figures give", (words, seconds) => {
  expect(numberOf(row(words)[2])).toBeCloseTo(seconds, 1);
});

test("the lines, memory and disk of the table are those of the formulas", () => {
  for (const [count, subnets] of [
    ["1,000", 20],
    ["10,000", 200],
    ["50,000", 1_000],
    ["100,000", 2_000],
  ] as const) {
    const line = page.split("\n").find((one) => new RegExp(`^\\| +${count} \\|`).test(one))!;
    const [, , , memory, disk, rate] = line.split("|").slice(1, -1);
    expect(numberOf(rate!.trim())).toBe(Math.round((subnets * 1_000 * 8.56) / 3_600));
    const fleet = numberOf(count);
    expect(numberOf(memory!.trim())).toBeGreaterThan(0.3 + fleet * 25e-6);
    expect(numberOf(disk!.trim())).toBeGreaterThan((3 * fleet * (2.2 + 50 * 0.7)) / 1e6);
  }
  for (const count of ["10,000", "100,000"]) {
    const seconds = Number((numberOf(count) * measured("heartbeat of a connection")).toFixed(2));
    expect(page).toMatch(new RegExp(`${seconds} s for\\s+${count}`));
  }
  expect(page).toContain(`10,000 devices take ${Math.round((devices * (2.2 + 50 * 0.7)) / 1_000)} MB`);
});
