/** Costs of a source that runs in this process: processor time, p95, and the longest turn. */
import type { Fixture } from "../../shared/source/app-fixture.ts";

/** Milliseconds of processor time of this process. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Returns the p95 of at least one value. */
export const p95Of = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1]!;

/** Opens the event streams of the first devices of the catalog. */
export function connectDevices(fixture: Fixture, devices: number): void {
  for (let index = 0; index < devices; index++) fixture.changeHub.open(index.toString(16).padStart(16, "0"));
}

/** Runs work, and returns the longest time for which the event loop did nothing else; ms. */
export async function longestTurnMs(work: () => Promise<unknown>): Promise<number> {
  let [lastMs, longest] = [performance.now(), 0];
  const note = (): void => {
    const nowMs = performance.now();
    longest = Math.max(longest, nowMs - lastMs);
    lastMs = nowMs;
  };
  const timer = setInterval(note, 1);
  await work();
  clearInterval(timer);
  note();
  return longest;
}
