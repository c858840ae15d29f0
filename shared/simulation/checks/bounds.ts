/** Bounds on a device's memory, holders, requests in flight and roster, whatever it receives. */
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
    // One chunk more may begin, and one more may be written, before the receiver checks a bound.
    const memoryMax =
      sizes.partialBytesMax + sizes.writingBytesMax + 2 * this.#checker.world.options.chunkBytes;
    this.#bound(machine, "bytes of partial chunks", memoryBytes, memoryMax);
    this.#bound(machine, "holders", member.holders.count, holdersMax);
    this.#bound(machine, "fetches in flight", member.holders.fetching, fetchesMax);
    this.#bound(machine, "devices in the roster", member.roster.size, rosterDevicesMax);
  }

  #bound(machine: Machine, what: string, count: number, max: number): void {
    if (count > max) this.#checker.fail("bounds", machine, `${what}: ${count}, more than ${max}`);
  }
}
