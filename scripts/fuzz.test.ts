/** A short run of every fuzz target; `bun run fuzz` is the long one. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { targets } from "./fuzz.ts";
import { SeededRandom } from "./fuzz/seeded-random.ts";
import { mutated, mutatedValue } from "./fuzz/mutate.ts";
import { fuzzTarget } from "./fuzz/run.ts";

const cases = { frames: 20_000, members: 1_000, manifests: 6_000, exchange: 9_000, api: 6_000 } as const;
const casesOf = (name: string): number => (cases as Partial<Record<string, number>>)[name] ?? 4_000;

test.each(targets.map((target) => [target.name, target] as const))(
  "%s: gives no finding in a few thousand hostile cases",
  async (name, target) => {
    const { findings, outcomes, ...run } = await fuzzTarget(target, {
      seed: 7,
      first: 0,
      count: casesOf(name),
    });
    expect(findings).toEqual([]);
    expect(run.cases).toBe(casesOf(name));
    // More than one outcome: not every case is refused at the first check.
    expect(outcomes.size).toBeGreaterThan(1);
  },
);

function made(number: number): unknown[] {
  const random = new SeededRandom(3, number);
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => i);
  return [mutated(random, bytes).toHex(), mutatedValue(random, { a: [1, "b"] })];
}

test("draws the same case for the same number", () => {
  expect(made(5)).toEqual(made(5));
  expect(made(5)[0]).not.toEqual(made(6)[0]);
});

test("reports a case that throws as a finding with its number", async () => {
  const target = {
    name: "bad",
    about: "",
    share: 1,
    open: () => ({
      run: (random: SeededRandom) => {
        if (random.oneIn(50)) throw new TypeError("undefined is not an object");
        return "fine";
      },
    }),
  };
  const { findings, outcomes } = await fuzzTarget(target, { seed: 1, first: 0, count: 500 });
  expect(findings.length).toBeGreaterThan(3);
  expect(outcomes.get("fine")).toBeGreaterThan(100);
  const [first] = findings;
  expect(first!.error).toContain("TypeError: undefined is not an object");
  const again = await fuzzTarget(target, { seed: 1, first: first!.number, count: 1 });
  expect(again.findings.map(({ number }) => number)).toEqual([first!.number]);
});

test("refuses an unknown target and lists the known ones", () => {
  const run = Bun.spawnSync([process.execPath, join(import.meta.dir, "fuzz.ts"), "--target", "nothing"]);
  expect(run.exitCode).toBe(2);
  expect(run.stderr.toString()).toContain("frames, members, manifests");
});
