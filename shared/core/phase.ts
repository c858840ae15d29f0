/** Phases of a representative's session, and every legal change between them. */
import { checkedBy, type Transitions } from "../model/transitions.ts";

export type Phase =
  /** The start delay is not over, or nothing was multicast yet. */
  | { readonly kind: "preparing" }
  | { readonly kind: "casting" }
  /** Everything was multicast; holders answer the rest by unicast. */
  | { readonly kind: "serving"; readonly sinceMs: number };

export const phaseTransitions = {
  preparing: ["casting", "serving"],
  casting: ["serving"],
  serving: ["casting"],
} as const satisfies Transitions<Phase["kind"]>;

export const nextPhase = checkedBy<Phase>("representative's phase", phaseTransitions);
