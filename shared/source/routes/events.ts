/** Event stream for people: a person gets the names of changes in what the person may read. */
import { Hono, type Context } from "hono";
import { changeKinds, type Change } from "../../api/schema/events.ts";
import { isWithinScope } from "../../model/target/index.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { Person } from "../caller.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented } from "../openapi.ts";
import { permissions } from "../permissions.ts";
import { isInScope } from "../device-scope.ts";
import { hasEnded } from "../sign-in/session-life.ts";

export function eventRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/events",
    documented({
      summary:
        "Event stream: `event: change` names what changed, at most twice a second; a heartbeat every 20 s",
      audience: ["admin"],
      media: "text/event-stream",
    }),
    allow(context),
    (c) => {
      const { caller } = c.var;
      if (caller.kind !== "person")
        throw new ApiError(
          403,
          "This request is not allowed for devices",
          "send it with a token of a person",
        );
      c.env.allowIdle(0);
      const subscriber = {
        person: `${caller.by} ${caller.name}`,
        visible: (changes: readonly Change[]) => visibleTo(context, caller, changes),
        isAllowed: isAllowed(context, c, caller),
      };
      const stream = context.events.open(subscriber, c.req.header("last-event-id") ?? null);
      if (stream === null)
        throw new ApiError(429, "Too many event streams are open", "close other windows, then try again");
      return c.body(stream, 200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        // Tells a reverse proxy not to buffer events.
        "x-accel-buffering": "no",
      });
    },
  );
  return routes;
}

/** Returns the changes that a person may see, by the permissions of the lists. */
async function visibleTo(
  context: SourceContext,
  person: Person,
  changes: readonly Change[],
): Promise<Change[]> {
  const isScoped = person.scope.length > 0;
  const visible: Change[] = [];
  for (const change of changes) {
    const permission = permissions.get(changeKinds[change.kind]);
    if (permission?.callers.includes(person.role) !== true) continue;
    if (isScoped && permission.scope === "refuses") continue;
    if (!isScoped || (await isChangeInScope(context, person, change))) visible.push(change);
  }
  return visible;
}

/** Whether a change concerns the devices of a scope. Changes of many name nothing. */
async function isChangeInScope(
  { catalog }: SourceContext,
  { scope }: Person,
  { kind, id }: Change,
): Promise<boolean> {
  if (id === null) return true;
  if (kind === "device") {
    const device = await catalog.devices.byId(id);
    return device === null || isInScope(scope, device);
  }
  if (kind === "task") {
    const task = await catalog.tasks.byId(Number(id));
    return task !== null && isWithinScope(task.target, scope);
  }
  return kind === "package";
}

/** Returns the check of a credential that an open stream repeats; the check counts as no use. */
function isAllowed(context: SourceContext, c: Context<SourceEnv>, person: Person): () => Promise<boolean> {
  const { catalog, nowMs } = context;
  const session = c.get("session");
  const isSame = (now: Pick<Person, "scope"> & { readonly role: string | null }): boolean =>
    now.role === person.role && now.scope.join() === person.scope.join();
  if (session !== undefined)
    return async () => {
      const found = await catalog.sessions.bySecret(session.session.secretSha256);
      if (found === null || found.user.disabledAtMs !== null) return false;
      return !hasEnded(found.session, nowMs()) && isSame(found.user);
    };
  return async () => {
    const token = await catalog.tokens.named(person.name);
    if (token === null || token.revokedAtMs !== null || !isSame(token)) return false;
    return token.expiresAtMs === null || token.expiresAtMs > nowMs();
  };
}
