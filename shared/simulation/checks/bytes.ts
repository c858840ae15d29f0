/** Bytes: nothing is taken for a chunk that is not one, and the ledger lists nothing that a power cut could lose. */
import type { ChunkRow } from "../../cache/index.ts";
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";
import { everySpan, isCorrectOnDisk } from "../disk-layout.ts";

export class BytesCheck {
  readonly #checker: Checker;
  /** World time at which each machine verified each chunk last. */
  readonly #verifiedAtMs = new Map<number, number>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  #keyOf(machine: Machine, chunk: number): number {
    return machine.index * this.#checker.world.package.chunkCount + chunk;
  }

  verifiedAtMs(machine: Machine, chunk: number): number {
    return this.#verifiedAtMs.get(this.#keyOf(machine, chunk)) ?? 0;
  }

  /** The device counts the chunk as verified now. */
  verified(machine: Machine, chunk: number, origin: string | null): void {
    const { world, fail } = this.#checker;
    if (!isCorrectOnDisk(world, machine, chunk))
      fail("wrong bytes", machine, `chunk ${chunk} from ${origin} was accepted, its bytes are wrong`);
    this.#verifiedAtMs.set(this.#keyOf(machine, chunk), world.clock.nowMs);
    world.history.mix(chunk * 4_096 + machine.index);
  }

  /** The ledger is about to list chunks. */
  listed(machine: Machine, id: string, rows: readonly ChunkRow[]): void {
    const { world, fail } = this.#checker;
    if (id !== world.package.id) return;
    for (const { chunk } of rows) {
      const isDurable = everySpan(world, machine, chunk, (path, fileOffset, length) =>
        machine.disk.isDurable(path, fileOffset, length),
      );
      if (!isDurable) fail("ledger", machine, `chunk ${chunk} is listed, and its bytes are not synced`);
    }
  }
}
