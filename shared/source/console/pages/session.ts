/**
 * Person who is signed in, and the permissions of this person's role. The source decides every
 * request; the console only leaves out buttons that it would refuse.
 */
import { signal } from "@preact/signals";
import type { CallerView } from "../../../api/schema/users.ts";
import { permissions } from "../../permissions.ts";

/** `unknown`: the first answer is not there yet. */
export const caller = signal<CallerView | null | "unknown">("unknown");
/** Why the sign-in page is shown; null: nobody was signed in. */
export const farewell = signal<"ended" | "signed-out" | null>(null);

export function beginSession(person: CallerView): void {
  farewell.value = null;
  caller.value = person;
}

export function endSession(why: "ended" | "signed-out"): void {
  if (caller.value === null) return;
  farewell.value = caller.value === "unknown" ? null : why;
  caller.value = null;
}

/**
 * Returns whether the person may send a request.
 * @param name row of permissions.ts, such as "GET /v1/tasks/:id"
 */
export function may(name: string): boolean {
  const person = caller.value;
  const permission = permissions.get(name);
  if (person === null || person === "unknown" || permission === undefined) return false;
  if (permission.scope === "refuses" && person.scope.length > 0) return false;
  return permission.callers.includes(person.role);
}
