/** Keys of the only task of a world and of its package, which the source may replace. */
import { Random } from "./random.ts";

export class TaskKeys {
  task: Uint8Array;
  package: Uint8Array;
  /** Key of the package in the epoch before, while it is valid. */
  packageBefore: Uint8Array | null = null;
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed, "keys");
    this.task = this.#random.bytes(16);
    this.package = this.#random.bytes(16);
  }

  /** Begins another epoch of the package. @param why `removal`: no key from before stays valid */
  renew(why: "epoch" | "removal"): void {
    this.packageBefore = why === "epoch" ? this.package : null;
    this.package = this.#random.bytes(16);
    if (why === "removal") this.task = this.#random.bytes(16);
  }
}
