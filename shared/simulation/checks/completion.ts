/**
 * Completion: a package marked complete has every chunk listed, read back after its last write, and
 * in its final folder. After the last fault every running device completes, and every session ends.
 */
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";
import { mayNotLead } from "../guarded.ts";
import { everySpan, isCorrectOnDisk, isFinal, rootOf } from "../disk-layout.ts";

/**
 * Time from the last fault within which every running device is complete. The source refuses the
 * lease for 300 s of it after three failed representatives (`leaseFailedMs`).
 */
export const completeWithinMs = 480_000;

export class CompletionCheck {
  readonly #checker: Checker;

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  /** Checks a package that the ledger is about to mark complete. */
  completed(machine: Machine, id: string): void {
    const { world, fail } = this.#checker;
    const { package: published } = world;
    if (id !== published.id) return;
    const listed = machine.ledger.listed(id);
    if (!isFinal(world, machine)) fail("complete", machine, "complete, but not in its final folder");
    for (let chunk = 0; chunk < published.chunkCount; chunk++) {
      if (!listed.has(chunk))
        fail("complete", machine, `complete, but the ledger does not list chunk ${chunk}`);
      const wasReadBack = everySpan(world, machine, chunk, (path, fileOffset, length) =>
        machine.disk.wasReadBack(path, fileOffset, length),
      );
      if (!wasReadBack) fail("complete", machine, `complete, but chunk ${chunk} was not read back`);
      // A bit that flips after the read-back shows nowhere.
      if (!machine.disk.hasFlippedBits && !isCorrectOnDisk(world, machine, chunk))
        fail("complete", machine, `complete, but the bytes of chunk ${chunk} are wrong`);
    }
    for (const { path, mode } of published.manifest.files)
      if (machine.disk.modeOf(`${rootOf(world, machine)}/${path}`) !== mode)
        fail("complete", machine, `complete, but "${path}" is missing or has another mode`);
  }

  /** Checks that every device is complete, `completeWithinMs` after the last fault. */
  checkAllComplete(): void {
    const { world, fail } = this.#checker;
    for (const machine of world.machines) {
      const { process } = machine;
      if (!process || machine.subnet === 0 || process.isEnded || this.#cannotComplete(machine)) continue;
      const held = `holds ${process.heldCount} of ${world.package.chunkCount} chunks`;
      fail("all complete", machine, `${held} (${process.role})`);
    }
  }

  /** Returns true when the setting forbids every running device of the subnet to download. */
  #cannotComplete({ subnet }: Machine): boolean {
    const { options, machines } = this.#checker.world;
    if (options.wanFallback !== "never") return false;
    const running = machines.filter((other) => other.subnet === subnet && other.isRunning);
    return running.every(
      ({ process, profile, faults }) =>
        process!.isEnded || profile.weight === 0 || mayNotLead(faults.conditions),
    );
  }

  /** Checks that every session is over, `completeWithinMs` later. */
  checkAtRest(): void {
    const { world, fail } = this.#checker;
    for (const machine of world.machines)
      if (machine.process?.session && machine.subnet !== 0 && !this.#cannotComplete(machine))
        fail("at rest", machine, `session continues as ${machine.process.role} after all are complete`);
  }
}
