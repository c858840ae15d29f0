/** Claims: a device does not state that it holds a chunk that it found corrupt on its own disk. */
import type { Ranges } from "../../model/chunk-set.ts";
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";

export class ClaimsCheck {
  readonly #checker: Checker;
  /** Chunks that a machine's current process found corrupt and has not stored again. */
  readonly #corrupt = new Map<Machine, Set<number>>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  foundCorrupt(machine: Machine, chunk: number): void {
    let corrupt = this.#corrupt.get(machine);
    if (!corrupt) this.#corrupt.set(machine, (corrupt = new Set()));
    corrupt.add(chunk);
  }

  /** Forgets a chunk that was stored again; without a chunk, all of a process that ended. */
  forget(machine: Machine, chunk?: number): void {
    if (chunk === undefined) this.#corrupt.delete(machine);
    else this.#corrupt.get(machine)?.delete(chunk);
  }

  /** Checks a message that states held chunks. @param message its kind, as "HAVE" or "poll" */
  statesHeld(machine: Machine, heldRanges: Ranges, message: string): void {
    const corrupt = this.#corrupt.get(machine);
    if (!corrupt || corrupt.size === 0) return;
    for (let i = 0; i + 1 < heldRanges.length; i += 2)
      for (const chunk of corrupt)
        if (chunk >= heldRanges[i]! && chunk < heldRanges[i]! + heldRanges[i + 1]!)
          this.#checker.fail("claims", machine, `a ${message} states chunk ${chunk}, found corrupt before`);
  }
}
