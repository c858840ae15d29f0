/**
 * State machines as literal tables: from each state to the states that may follow. A change that a
 * table does not list is a bug of this program, whatever input it received.
 */
import { assert } from "./assert.ts";

export type Transitions<K extends string> = { readonly [from in K]: readonly K[] };

/**
 * Returns a function that asserts a change and returns the next state.
 *
 * @param machine name for the message, for example "task"
 */
export function checkedBy<S extends { readonly kind: string }>(
  machine: string,
  table: Transitions<S["kind"]>,
): (from: S, to: S) => S {
  return (from, to) => {
    const legal: readonly string[] = table[from.kind as S["kind"]];
    assert(legal.includes(to.kind), `illegal change of a ${machine}: ${from.kind} → ${to.kind}`);
    return to;
  };
}
