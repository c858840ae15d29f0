/**
 * Bytes: a verified chunk equals the published one on the disk, and the ledger lists no chunk that
 * a power cut could lose.
 */
import type { ChunkRow } from "../../cache/index.ts";
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";
import { everySpan, isCorrectOnDisk } from "../disk-layout.ts";

export class BytesCheck {
  readonly #checker: Checker;
  /** World time of the last verification, by machine and chunk. */
  readonly #verifiedAtMs = new Map<number, number>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  #keyOf(machine: Machine, chunk: number): number {
    return machine.index * this.#checker.world.package.chunkCount + chunk;
  }

  /** World time at which the machine last verified the chunk; 0 when it never did. */
  verifiedAtMs(machine: Machine, chunk: number): number {
    return this.#verifiedAtMs.get(this.#keyOf(machine, chunk)) ?? 0;
  }

  /** Checks a chunk that the device begins to count as verified. */
  verified(machine: Machine, chunk: number, origin: string | null): void {
    const { world, fail } = this.#checker;
    if (!isCorrectOnDisk(world, machine, chunk))
      fail("wrong bytes", machine, `accepted chunk ${chunk} from ${origin}, its bytes are wrong`);
    this.#verifiedAtMs.set(this.#keyOf(machine, chunk), world.clock.nowMs);
    world.history.mix(chunk * 4_096 + machine.index);
  }

  /** Checks chunks that the ledger is about to list. */
  listed(machine: Machine, id: string, rows: readonly ChunkRow[]): void {
    const { world, fail } = this.#checker;
    if (id !== world.package.id) return;
    for (const { chunk } of rows) {
      const isDurable = everySpan(world, machine, chunk, (path, fileOffset, length) =>
        machine.disk.isDurable(path, fileOffset, length),
      );
      if (!isDurable) fail("ledger", machine, `lists chunk ${chunk}, its bytes are not synced`);
    }
  }
}
