/**
 * Scope of a request: the devices that a person's token or user concerns. The middleware `allow`
 * checks the task or device that a path names; lists and targets are limited by their routes.
 */
import type { Context } from "hono";
import { foldedName } from "../model/glob.ts";
import type { Scope } from "../model/role.ts";
import { isWithinScope, TargetError, targetInScope } from "../model/target/index.ts";
import { ApiError } from "./api-error.ts";
import type { Caller, Person } from "./caller.ts";
import type { DeviceRecord } from "./catalog/index.ts";
import type { SourceContext, SourceEnv } from "./context.ts";
import { deviceNamed } from "./routes/named-device.ts";

type ScopedRequest = { readonly var: { readonly caller: Caller } };

/** Returns the scope of a request; empty: all devices. */
export const scopeOf = ({ var: { caller } }: ScopedRequest): Scope =>
  caller.kind === "person" ? caller.scope : [];

/** Whether a device belongs to the scope. The tags of a suspended device count here. */
export function isInScope(scope: Scope, { tags }: Pick<DeviceRecord, "tags">): boolean {
  if (scope.length === 0) return true;
  const own = new Set(tags.map(foldedName));
  return scope.some((tag) => own.has(foldedName(tag)));
}

/**
 * Returns the body of a request with its target limited to the scope.
 * @throws ApiError 422 for a target that is too long with the scope
 */
export function withTargetInScope<T extends { readonly target?: string | undefined }>(
  request: ScopedRequest,
  body: T,
): T {
  if (body.target === undefined) return body;
  try {
    return { ...body, target: targetInScope(body.target, scopeOf(request)) };
  } catch (error) {
    if (error instanceof TargetError) throw new ApiError(422, `The target is too long: ${error.message}`);
    throw error;
  }
}

/** Returns what the path of a request names outside of the person's scope; null for nothing. */
export async function namedOutsideScope(
  context: SourceContext,
  c: Context<SourceEnv>,
  { scope }: Person,
): Promise<string | null> {
  const device = c.req.param("device");
  if (device !== undefined) {
    const found = await deviceNamed(context, device);
    return isInScope(scope, found) ? null : `Device ${found.id}`;
  }
  const id = c.req.param("id");
  if (id === undefined || !/^\d{1,15}$/.test(id)) return null;
  const task = await context.catalog.tasks.byId(Number(id));
  return task === null || isWithinScope(task.target, scope) ? null : `Task ${id}`;
}
