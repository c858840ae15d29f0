/** Runs the cases of one target and keeps what was found. */
import { SeededRandom } from "./seeded-random.ts";
import type { Fuzzing, Target } from "./target.ts";

/**
 * No case needs as long without being a way to stop a program. A busy machine may: a slow case is
 * run again.
 */
const caseMsMax = 400;
/** A case on a socket waits for others. */
const waitingCaseMsMax = 8_000;
/** Memory may grow by this from one look to the next; what cases allocate is freed or reused. */
const growthBytesMax = 256 * 1_048_576;
const lookEvery = 1_024;
const findingsMax = 10;

export type Finding = { readonly number: number; readonly error: string };
export type FuzzReport = {
  readonly target: string;
  readonly cases: number;
  readonly seconds: number;
  readonly outcomes: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
};
export type Run = {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
  /** On the clock of performance.now. */
  readonly endAtMs?: number;
};

/** Milliseconds of one case, and what came out. */
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
        findings.push({ number, error: "it takes too long" });
    } catch (error) {
      findings.push({
        number,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
    if (number % lookEvery !== 0) continue;
    const nowBytes = process.memoryUsage.rss();
    if (nowBytes - memoryBytes > growthBytesMax)
      findings.push({
        number,
        error: `memory grew by ${nowBytes - memoryBytes} bytes in the ${lookEvery} cases up to this`,
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
