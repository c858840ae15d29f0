/**
 * Runs of `bun run chaos --` on one testbed: one without a fault, one per seed, and a last one
 * without a fault. The runs without a fault are what the others are compared with.
 */
import { secondsText } from "../rig/figures.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { openTestbed } from "./testbed.ts";
import type { ChaosOptions } from "./options.ts";
import { runOnce, type RunResult } from "./run.ts";
import { drawTimetable, type Fault } from "./timetable.ts";

export type ChaosRun = RunResult & { readonly faults: readonly Fault[] };
/** Result of all runs; also the JSON output of `--json`. */
export type ChaosReport = {
  /** Runs without a fault: the first one and, after several seeds, the last one. */
  readonly calm: readonly ChaosRun[];
  readonly runs: readonly ChaosRun[];
};

/** Mean duration of an election: listening, then the back-off by rank. */
const electionMs = 700;

/** Builds the testbed and runs every seed of the options. Problems are reported, not thrown. */
export async function runChaos(options: ChaosOptions, cleanup: Cleanup): Promise<ChaosReport> {
  const testbed = await openTestbed(options, cleanup);
  const { sizeBytes } = testbed.world.sent;
  const expectedMs = electionMs + (sizeBytes * 8) / (options.wan * 1_000);
  const shape = { sites: testbed.sites.length, expectedMs };
  let version = 0;
  const run = async (seed: number, faults: readonly Fault[]): Promise<ChaosRun> => ({
    faults,
    ...(await runOnce(testbed, seed, String(++version), faults)),
  });
  const calm = [await run(0, [])];
  console.error(`Without a fault the last device is complete after ${secondsText(calm[0]!.allMs)}.`);
  const runs: ChaosRun[] = [];
  for (let seed = options.seed; seed < options.seed + options.times; seed++) {
    console.error(`Seed ${seed}:`);
    const result = await run(seed, drawTimetable(options.kinds, seed, shape));
    for (const problem of result.problems) console.error(`  ${problem}`);
    console.error(
      `  ${result.verified} of ${result.expected} verified, the last healthy after ${secondsText(result.healthyMs)}`,
    );
    runs.push(result);
  }
  if (options.times > 1) calm.push(await run(0, []));
  return { calm, runs };
}
