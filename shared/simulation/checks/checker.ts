/** Record that every checker gets: the world, the reachability of devices, and `fail`. */
import type { Machine } from "../machine.ts";
import type { CheckedWorld } from "./checked-world.ts";
import type { Reachability } from "./reachability.ts";

export type Checker = {
  readonly world: CheckedWorld;
  readonly reachability: Reachability;
  /**
   * Records a violation; the world ends after the current event.
   * @param checker name of the checker, as in docs/TESTING.md
   * @param machine null: the whole world
   */
  readonly fail: (checker: string, machine: Machine | null, message: string) => void;
};
