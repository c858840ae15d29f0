/** Runs the cases of one target and collects outcomes and findings. */
import { SeededRandom } from "./seeded-random.ts";
import type { Fuzzing, Target } from "./target.ts";

/**
 * Upper bound on the time of a case. Input that takes longer could be used to block the program. A
 * busy machine is slow as well, so a slow case is run twice.
 */
const caseMsMax = 400;
/** Upper bound on the time of a case on a socket, which has to wait for the other side. */
const waitingCaseMsMax = 8_000;
/** Upper bound on the growth of memory between two samples. Cases keep none of their memory. */
const growthBytesMax = 256 * 1_048_576;
/** Cases between two samples of the memory. */
const sampleEvery = 1_024;
const findingsMax = 10;

type Finding = { readonly number: number; readonly error: string };
export type FuzzReport = {
  readonly target: string;
  readonly cases: number;
  readonly seconds: number;
  readonly outcomes: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
};
type Run = {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
  /** Time of `performance.now` after which no case is started. */
  readonly endAtMs?: number;
};

/** Runs one case and measures whether it took too long. */
async function runCase(
  fuzzing: Fuzzing,
  seed: number,
  number: number,
): Promise<{ outcome: string; isSlow: boolean }> {
  const startMs = performance.now();
  const result = fuzzing.run(new SeededRandom(seed, number));
  const outcome = typeof result === "string" ? result : await result;
  const limitMs = typeof result === "string" ? caseMsMax : waitingCaseMsMax;
  return { outcome, isSlow: performance.now() - startMs > limitMs };
}

/** Runs `count` cases of a target. Stops after ten findings, or when the time is over. */
export async function fuzzTarget(target: Target, run: Run): Promise<FuzzReport> {
  const { seed, first, count, endAtMs = Number.POSITIVE_INFINITY } = run;
  const fuzzing = await target.open();
  const outcomes = new Map<string, number>();
  const findings: Finding[] = [];
  const startMs = performance.now();
  let memoryBytes = process.memoryUsage.rss();
  let number = first;
  for (; number < first + count && findings.length < findingsMax; number++) {
    try {
      const { outcome, isSlow } = await runCase(fuzzing, seed, number);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (isSlow && (await runCase(fuzzing, seed, number)).isSlow)
        findings.push({
          number,
          error: `the case takes more than ${caseMsMax} ms (${waitingCaseMsMax} ms on a socket)`,
        });
    } catch (error) {
      findings.push({
        number,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
    if (number % sampleEvery !== 0) continue;
    const nowBytes = process.memoryUsage.rss();
    if (nowBytes - memoryBytes > growthBytesMax)
      findings.push({
        number,
        error: `memory grew by ${nowBytes - memoryBytes} bytes in the ${sampleEvery} cases up to this one`,
      });
    memoryBytes = Math.max(memoryBytes, nowBytes);
    if (performance.now() > endAtMs) break;
  }
  await fuzzing.close?.();
  return {
    target: target.name,
    cases: number - first,
    seconds: (performance.now() - startMs) / 1_000,
    outcomes,
    findings,
  };
}
