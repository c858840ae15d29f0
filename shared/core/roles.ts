/**
 * Roles of a device in one session, and every legal change between them. A change that is not in
 * this table is a bug of this program, whatever frames it received.
 */
import { assert } from "../model/assert.ts";
import type { Transitions } from "../model/transitions.ts";

export type Role = "idle" | "candidate" | "peer" | "representative";

export const roleTransitions = {
  idle: ["candidate", "peer"],
  candidate: ["peer", "representative", "idle"],
  peer: ["candidate", "idle"],
  representative: ["peer", "idle"],
} as const satisfies Transitions<Role>;

/** @throws BugError when the table does not list the change: never caused by input */
export function assertTransition(from: Role, to: Role): void {
  assert((roleTransitions[from] as readonly Role[]).includes(to), `illegal role change: ${from} → ${to}`);
}
