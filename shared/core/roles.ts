/**
 * Roles of a device in one session, and every legal change between them. A change that is not in
 * this table is a bug of this program, whatever frames it received.
 */
export const roleTransitions = {
  idle: ["candidate", "peer"],
  candidate: ["peer", "representative", "idle"],
  peer: ["candidate", "idle"],
  representative: ["peer", "idle"],
} as const;

export type Role = keyof typeof roleTransitions;

/** @throws Error when the table does not list the change: a bug, never caused by input */
export function assertTransition(from: Role, to: Role): void {
  if (!(roleTransitions[from] as readonly Role[]).includes(to))
    throw new Error(`illegal role change: ${from} → ${to}`);
}
