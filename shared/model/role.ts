/**
 * Roles of people and programs that administrate a source, and the scope that limits a role to a
 * part of the devices. Which role may send which request: shared/source/permissions.ts. Pure.
 */

export const roles = ["viewer", "operator", "publisher", "administrator"] as const;
export type Role = (typeof roles)[number];

/** Permissions of each role in words. */
export const roleWords: Readonly<Record<Role, string>> = {
  viewer: "read devices, tasks, packages, settings and metrics",
  operator: "the same, and change tasks, tags, groups, sites, names of devices and subnets; remove devices",
  publisher: "read, and publish and remove packages",
  administrator: "everything, also settings, users, tokens, audit, backup and the source's address",
};

/** Tags. A device belongs to the scope if it has one of them; an empty scope has all devices. */
export type Scope = readonly string[];

/** Roles whose requests concern devices, so that a scope can limit them. */
const limitedRoles: ReadonlySet<Role> = new Set(["viewer", "operator"]);

/** Returns why the role cannot have the scope; null if it can. */
export const scopeProblem = (role: Role, scope: Scope): string | null =>
  scope.length === 0 || limitedRoles.has(role)
    ? null
    : `the role ${role} concerns all devices: a scope is for viewers and operators`;
