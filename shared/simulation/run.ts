/** Runs one seed from its beginning to its end, and says how it went. */
import { completeWithinMs } from "./checks/completion.ts";
import type { FaultName } from "./faults.ts";
import { createScenario, type Choice } from "./scenario.ts";
import { Violation } from "./violation.ts";

export type Outcome = {
  readonly seed: number;
  readonly faults: readonly FaultName[];
  /** The same for every run of this seed. */
  readonly hash: string;
  readonly simulatedMs: number;
  readonly devices: number;
  readonly datagrams: number;
  /** From the last fault to the last device that is complete; null where some never are, as the setting forbids everybody who lives to fetch. */
  readonly settledMs: number | null;
  readonly wanChunks: number;
  readonly wanHeld: number;
  readonly violation: { checker: string; device: string; atMs: number; message: string } | null;
  readonly log: readonly string[];
};

/** @param minutes runs so long at least; 0: until everything is over */
export function simulate(choice: Choice, minutes = 0): Outcome {
  const { world, faults, quietAtMs } = createScenario(choice);
  let violation: Violation | null = null;
  let settledMs: number | null = null;
  try {
    world.run(quietAtMs);
    world.run(completeWithinMs, () => world.allComplete);
    if (world.allComplete) settledMs = world.nowMs - quietAtMs;
    world.checks.completion.checkAllComplete();
    world.checks.throwFound();
    world.run(completeWithinMs, () => world.isAtRest);
    world.checks.completion.checkAtRest();
    world.checks.throwFound();
    world.run(Math.max(0, minutes * 60_000 - world.nowMs));
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = error;
  }
  const wan = world.checks.wan.accounts.reduce(
    (sum, { chunks, held }) => ({ chunks: sum.chunks + chunks, held: sum.held + held }),
    { chunks: 0, held: 0 },
  );
  return {
    seed: choice.seed,
    faults,
    hash: world.hash,
    simulatedMs: world.nowMs,
    devices: world.machines.length,
    datagrams: world.checks.wire.datagrams,
    settledMs,
    wanChunks: wan.chunks,
    wanHeld: wan.held,
    violation: violation && {
      checker: violation.checker,
      device: violation.device,
      atMs: violation.atMs,
      message: violation.message,
    },
    log: choice.log ? world.log : [],
  };
}
