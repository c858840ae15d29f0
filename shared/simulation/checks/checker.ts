/** What every checker is given: the world, what the program could have known, and how a violation is reported. */
import type { Machine } from "../machine.ts";
import type { CheckedWorld } from "./checked-world.ts";
import type { Reachability } from "./reachability.ts";

export type Checker = {
  readonly world: CheckedWorld;
  readonly reachability: Reachability;
  /** Records a violation; the world ends after the present event. @param machine null: no device in particular */
  readonly fail: (checker: string, machine: Machine | null, message: string) => void;
};
