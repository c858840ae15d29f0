/** Leases in simulated worlds: terms after an outage of the source. */
import { expect, test } from "bun:test";
import { termStepMax } from "../model/lease.ts";
import { World } from "./world.ts";

/** Lets devices lead in turn, without the source, until the term exceeds `term`. */
function raiseTerms(world: World, term: number): void {
  const termOf = (): number => world.representatives()[0]?.process?.session?.member.term ?? 0;
  for (let times = 0; times < 200 && termOf() <= term; times++) {
    expect(world.run(60_000, () => world.representatives().length > 0)).toBe(true);
    const { name } = world.representatives()[0]!;
    world.crash(name);
    world.run(6_000, () => world.representatives().length > 0);
    world.start(name);
  }
  expect(termOf()).toBeGreaterThan(term);
}

test("a session whose term rose far while the source was away gets the lease, and so does its successor", () => {
  const world = new World({ seed: 4, devices: 4, chunks: 24, startDelayMs: 0 });
  world.changeSetting({ pausesDownloads: true });
  world.start();
  world.run(5_000, () => world.source.holderOn(1) !== null);
  world.setSource("down");
  raiseTerms(world, 3 * termStepMax);
  world.setSource("up");
  const isLedUnderLease = (): boolean =>
    world.representatives().length === 1 && world.source.holderOn(1) === world.representatives()[0]!.id;
  expect(world.run(60_000, isLedUnderLease)).toBe(true);
  // Devices that started without the source learn their subnet within their time-out.
  world.run(45_000);
  const before = world.representatives()[0]!;
  world.crash(before.name);
  expect(world.run(10_000, () => isLedUnderLease() && world.representatives()[0] !== before)).toBe(true);
  world.changeSetting({ pausesDownloads: false });
  world.start(before.name);
  expect(world.run(120_000, () => world.isAtRest)).toBe(true);
  expect(world.checks.wan.accounts[1]!.chunks).toBe(world.chunkCount);
});
