/**
 * Runs the world of one seed: first the faults, then until every device is complete, then until
 * every session is over. The result is a plain record that a process of a sweep can send.
 */
import { completeWithinMs } from "./checks/completion.ts";
import type { FaultName } from "./faults.ts";
import { createScenario, type Choice } from "./scenario.ts";
import { Violation } from "./violation.ts";

export type Outcome = {
  readonly seed: number;
  readonly faults: readonly FaultName[];
  /** Hash of the history, equal in all runs of this seed. */
  readonly hash: string;
  readonly simulatedMs: number;
  readonly devices: number;
  readonly datagrams: number;
  /**
   * Time from the last fault to the last complete device. Null when a device cannot complete,
   * because the setting forbids every running device to download.
   */
  readonly settledMs: number | null;
  /** Chunks that crossed the WAN, over all subnets. */
  readonly wanChunks: number;
  /** Chunks of `wanChunks` that another running device of the subnet held at that time. */
  readonly wanHeld: number;
  readonly violation: { checker: string; device: string; atMs: number; message: string } | null;
  readonly log: readonly string[];
};

/**
 * Runs one world; the same seed and choice give the same outcome, bit for bit.
 * @param minutes minimum of simulated time; 0: the world ends when every session is over
 */
export function simulate(choice: Choice, minutes = 0): Outcome {
  const { world, faults, quietAtMs } = createScenario(choice);
  let violation: Violation | null = null;
  let settledMs: number | null = null;
  try {
    world.run(quietAtMs);
    // Rests after failed downloads double: an administrator ends them once the faults are over.
    world.source.forgetFailures();
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
