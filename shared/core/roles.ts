/**
 * The roles a device plays for one task on one subnet, and every legal way from one to another. A change that is
 * not in this table is a bug of ours, whatever the network said.
 */
export const roleTransitions = {
  idle: ["candidate", "peer"],
  candidate: ["peer", "representative", "idle"],
  peer: ["candidate", "idle"],
  representative: ["peer", "idle"],
} as const;

export type Role = keyof typeof roleTransitions;

/** @throws Error when the table has no such cell: a bug, never an input. */
export function assertTransition(from: Role, to: Role): void {
  if (!(roleTransitions[from] as readonly Role[]).includes(to))
    throw new Error(`illegal role change: ${from} → ${to}`);
}
