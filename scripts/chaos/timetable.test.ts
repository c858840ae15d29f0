import { expect, test } from "bun:test";
import { faultKinds, faultKindFacts } from "./fault-kinds.ts";
import { drawTimetable, waitBoundMs, type Fault } from "./timetable.ts";

const shape = { sites: 2, expectedMs: 4_000 };
const seeds = Array.from({ length: 20 }, (_, at) => at + 1);
const twenty = (kind: (typeof faultKinds)[number]): Fault[] =>
  seeds.flatMap((seed) => drawTimetable([kind], seed, shape));

test("draws the same timetable for the same seed, and another one for another seed", () => {
  expect(drawTimetable(faultKinds, 7, shape)).toEqual(drawTimetable(faultKinds, 7, shape));
  expect(new Set(seeds.map((seed) => JSON.stringify(drawTimetable(["kill"], seed, shape)))).size).toBe(20);
});

test("draws every kind once, ordered by time and within the transfer", () => {
  for (const seed of seeds) {
    const faults = drawTimetable(faultKinds, seed, shape);
    expect(faults.map(({ kind }) => kind).toSorted()).toEqual([...faultKinds].toSorted());
    expect(faults).toEqual(faults.toSorted((a, b) => a.atMs - b.atMs));
    for (const { kind, atMs, lastsMs } of faults) {
      expect(atMs).toBeLessThanOrEqual(3_600);
      const bounds = faultKindFacts[kind].lastsMs;
      if (bounds === null) expect(lastsMs).toBeNull();
      else expect(lastsMs! >= bounds[0] && lastsMs! <= bounds[1]).toBe(true);
    }
  }
});

test("affects both roles, both sites, early and late times within twenty consecutive seeds", () => {
  for (const kind of ["kill", "stop", "link", "move"] as const) {
    const faults = twenty(kind);
    const roles: Fault["whom"][] = ["peer", "representative"];
    if (kind === "link") roles.push("wan");
    expect([...new Set(faults.map(({ whom }) => whom))].toSorted()).toEqual(roles);
    expect(new Set(faults.map(({ site }) => site)).size).toBe(2);
    expect(Math.min(...faults.map(({ atMs }) => atMs))).toBeLessThan(1_000);
    expect(Math.max(...faults.map(({ atMs }) => atMs))).toBeGreaterThan(3_000);
  }
});

test("states a bound that grows with the faults, up to a limit", () => {
  expect(waitBoundMs([])).toBe(0);
  expect(waitBoundMs(twenty("intruder").slice(0, 2))).toBe(2 * faultKindFacts.intruder.waitMsMax);
  expect(waitBoundMs(drawTimetable(faultKinds, 1, shape))).toBe(20_000);
});
