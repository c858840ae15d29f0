/**
 * Scope of a request: the devices that a person's token or user concerns. The middleware `allow`
 * checks the task or device that a path names; lists and targets are limited by their routes.
 */
import type { Context } from "hono";
import type { Scope } from "../model/role.ts";
import { isWithinScope, TargetError, targetInScope } from "../model/target/index.ts";
import { ApiError } from "./api-error.ts";
import type { Caller, Person } from "./caller.ts";
import type { DeviceRecord } from "./catalog/index.ts";
import type { SourceContext, SourceEnv } from "./context.ts";
import { isInScope } from "./device-scope.ts";
import { deviceNamed } from "./routes/named-device.ts";

type ScopedRequest = { readonly var: { readonly caller: Caller } };

/** Returns the scope of a request; empty: all devices. */
export const scopeOf = ({ var: { caller } }: ScopedRequest): Scope =>
  caller.kind === "person" ? caller.scope : [];

/** Returns the device of the request's scope that has this id or name: deviceNamed. */
export const deviceInScope = (
  context: SourceContext,
  request: ScopedRequest,
  words: string,
  which: "all" | "kept" = "all",
): Promise<DeviceRecord> =>
  deviceNamed(context, words, which, (device) => isInScope(scopeOf(request), device));

/**
 * Checks a task again in its change: others may have edited it while the request was on its way.
 * @throws ApiError 403
 */
export function requireInScope(
  request: ScopedRequest,
  { id, target }: { readonly id: number; readonly target: string },
): void {
  const scope = scopeOf(request);
  if (isWithinScope(target, scope)) return;
  throw new ApiError(
    403,
    `Task ${id} is no longer within your scope: ${scope.join(", ")}`,
    "somebody has changed its target: an administrator can change the task",
  );
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
    if (error instanceof TargetError)
      throw new ApiError(422, `The target is too long: ${error.message}`, "write a shorter one");
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
    const found = await context.catalog.life.named(device);
    const isInside = found.length === 0 || found.some((one) => isInScope(scope, one));
    return isInside ? null : `Device "${device}"`;
  }
  const id = c.req.param("id");
  if (id === undefined || !/^\d{1,15}$/.test(id)) return null;
  const task = await context.catalog.tasks.byId(Number(id));
  return task === null || isWithinScope(task.target, scope) ? null : `Task ${id}`;
}
