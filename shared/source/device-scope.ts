/** Membership of devices in the scope of a person (scope.ts has the scope of a request). */
import { foldedName } from "../model/glob.ts";
import type { Scope } from "../model/role.ts";

/** Whether a device belongs to the scope. The tags of a suspended device count here. */
export function isInScope(scope: Scope, { tags }: { readonly tags: readonly string[] }): boolean {
  if (scope.length === 0) return true;
  const own = new Set(tags.map(foldedName));
  return scope.some((tag) => own.has(foldedName(tag)));
}
