/** Bounds that hold whatever arrives: memory, holders, requests, roster. */
import { fetchesMax, holdersMax } from "../../core/peers/holders.ts";
import { rosterDevicesMax } from "../../core/peers/roster.ts";
import type { Session } from "../../device/session.ts";
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";

export class BoundsCheck {
  readonly #checker: Checker;

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  observe(machine: Machine, { member, receiver }: Session): void {
    const { sizes } = machine.process!;
    const { memoryBytes } = receiver.reassembly;
    // One chunk may be begun, and one written, before a bound is looked at.
    const memoryMax =
      sizes.partialBytesMax + sizes.writingBytesMax + 2 * this.#checker.world.options.chunkBytes;
    this.#bound(machine, "bytes of partial chunks", memoryBytes, memoryMax);
    this.#bound(machine, "holders", member.holders.count, holdersMax);
    this.#bound(machine, "fetches under way", member.holders.fetching, fetchesMax);
    this.#bound(machine, "devices in the roster", member.roster.size, rosterDevicesMax);
  }

  #bound(machine: Machine, what: string, count: number, max: number): void {
    if (count > max) this.#checker.fail("bounds", machine, `${what}: ${count}, at most ${max}`);
  }
}
