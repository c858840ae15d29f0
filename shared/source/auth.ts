/**
 * Authentication and authorization: finds the caller of a request, and admits what permissions.ts
 * allows to this caller.
 *
 * Secrets of tokens and credentials of devices are stored as SHA-256 only.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { routePath } from "hono/route";
import { readToken, type TokenKind } from "../api/token.ts";
import { canonicalAddress } from "../model/subnet.ts";
import { runFor, type Act } from "./acting.ts";
import { ApiError } from "./api-error.ts";
import { barCodeOf, barredError } from "./barred-credential.ts";
import type { Caller, Person } from "./caller.ts";
import type { TokenRecord } from "./catalog/index.ts";
import type { SourceContext, SourceEnv } from "./context.ts";
import { permissions, routeName, type Permission } from "./permissions.ts";
import type { Refusal } from "./refused-requests.ts";
import { namedOutsideScope } from "./scope.ts";
import { sha256Hex } from "./sha256-hex.ts";
import { isOwnRequest } from "./sign-in/session-cookie.ts";
import { currentSession, personOf } from "./sign-in/sessions.ts";

/**
 * Interval of updates of the last contact, which only people read: one write per half minute and
 * device or token.
 */
const lastSeenStepMs = 30_000;

/**
 * Returns the token of a text; null for an unknown one and for one of another kind.
 *
 * @throws ApiError 401 for a token that was revoked, or that has expired
 */
export async function tokenBy(
  context: SourceContext,
  c: Context<SourceEnv>,
  text: string,
  kind: TokenKind,
): Promise<TokenRecord | null> {
  const read = readToken(text);
  if (read?.kind !== kind) return null;
  // The SHA-256 is looked up: the time of the look-up tells nothing about the secret.
  const token = await context.catalog.tokens.byDigest(sha256Hex(read.secret));
  if (token === null || token.kind !== kind) return null;
  const isExpired = token.expiresAtMs !== null && token.expiresAtMs <= context.nowMs();
  if (token.revokedAtMs === null && !isExpired) return token;
  countRefusal(context, c, "ended-token", { actor: token.name, kind: "token" });
  const what = token.revokedAtMs === null ? "has expired" : "was revoked";
  throw new ApiError(401, `The token "${token.name}" ${what}`, "an administrator can create another one");
}

/**
 * Returns a middleware that admits the callers of the route's row in permissions.ts.
 *
 * @throws ApiError 401 for a missing or unknown credential, 403 for a barred one and for a caller
 *   without the permission
 */
export function allow(context: SourceContext) {
  return createMiddleware<SourceEnv>(async (c, next) => {
    const name = routeName(c.req.method, routePath(c));
    const permission = permissions.get(name);
    if (permission === undefined) throw new Error(`permissions.ts has no row for ${name}`);
    const caller = await callerOf(context, c);
    const refusal = refusalOf(permission, caller);
    if (refusal !== null) {
      countRefusal(context, c, refusal.why, partyOf(caller));
      throw new ApiError(403, refusal.message, refusal.hint);
    }
    if (caller.kind === "person" && caller.scope.length > 0 && permission.scope === "limits")
      await refuseOutsideScope(context, c, caller);
    c.set("caller", caller);
    if (caller.kind === "device") c.set("device", caller.device);
    await runFor({ ...partyOf(caller), address: addressOf(c), action: name }, next);
  });
}

/** Returns the name and the kind of a caller, as the audit has them. */
const partyOf = (caller: Caller): Pick<Act, "actor" | "kind"> =>
  caller.kind === "device"
    ? { actor: caller.device.id, kind: "device" }
    : { actor: caller.name, kind: caller.by };

const addressOf = (c: Context<SourceEnv>): string => canonicalAddress(c.env.remoteAddress);

/** @throws ApiError 403 for a task or a device of the path that does not belong to the scope */
async function refuseOutsideScope(
  context: SourceContext,
  c: Context<SourceEnv>,
  person: Person,
): Promise<void> {
  const what = await namedOutsideScope(context, c, person);
  if (what === null) return;
  countRefusal(context, c, "outside-scope", partyOf(person));
  const scope = person.scope.join(", ");
  throw new ApiError(
    403,
    `${what} is not within the scope of "${person.name}": ${scope}`,
    "an administrator can give you another scope, or another token",
  );
}

/** @throws ApiError 401 for a missing or unknown credential, 403 for a barred one */
async function callerOf(context: SourceContext, c: Context<SourceEnv>): Promise<Caller> {
  if (c.req.header("authorization") === undefined) {
    const person = await personInBrowser(context, c);
    if (person !== null) return person;
  }
  const credential = credentialIn(context, c);
  const caller = (await personBy(context, c, credential)) ?? (await deviceBy(context, credential));
  if (caller !== null) return caller;
  const barred = await barCodeOf(context.catalog, sha256Hex(credential), context.nowMs());
  const party = barred === null ? nobody : ({ actor: barred.deviceId, kind: "device" } as const);
  countRefusal(context, c, barred === null ? "unknown-credential" : barred.code, party);
  if (barred !== null) throw barredError(barred.code);
  throw new ApiError(
    401,
    "Unknown credential",
    "devices: enrol again; people: use a token that an administrator created, or that of the file admin.token",
  );
}

/**
 * Returns the person whose session the request's cookie belongs to; null without a cookie.
 * @throws ApiError 401 for a session that has ended, 403 for a change that a foreign page asks for
 */
async function personInBrowser(context: SourceContext, c: Context<SourceEnv>): Promise<Person | null> {
  const current = await currentSession(context, c);
  if (current === null) return null;
  if (current === "ended") {
    countRefusal(context, c, "ended-session");
    throw new ApiError(401, "The session has ended", "sign in again");
  }
  if (!isOwnRequest(c)) {
    countRefusal(context, c, "foreign-page", { actor: current.user.name, kind: "session" });
    const hint =
      "the browser has to send Sec-Fetch-Site: same-origin, or the source's address as Origin; a program uses a token";
    throw new ApiError(403, "A page of another site asked for this change", hint);
  }
  c.set("session", current);
  return personOf(current);
}

type RoleRefusal = { readonly why: Refusal; readonly message: string; readonly hint: string };

function refusalOf({ callers, scope }: Permission, caller: Caller): RoleRefusal | null {
  const kind = caller.kind === "device" ? "device" : caller.role;
  const people = callers.filter((one) => one !== "device");
  if (!callers.includes(kind)) {
    if (caller.kind === "device" || people.length === 0) {
      const who = caller.kind === "device" ? "devices" : "administrators";
      const hint =
        caller.kind === "device"
          ? "send it with a token of a person"
          : "a device sends it, with its credential";
      return { why: "wrong-caller", message: `This request is not allowed for ${who}`, hint };
    }
    return {
      why: "wrong-role",
      message: `"${caller.name}" has the role ${caller.role}, and this request needs ${people.join(" or ")}`,
      hint: "an administrator can give you this role, or a token with it",
    };
  }
  if (caller.kind === "device" || caller.scope.length === 0 || scope !== "refuses") return null;
  return {
    why: "outside-scope",
    message: `This request concerns all devices, and "${caller.name}" has the scope ${caller.scope.join(", ")}`,
    hint: "an administrator can end the scope, or give you another token",
  };
}

/** Counts a refused request by its reason, and records it in the audit. */
export function countRefusal(
  context: SourceContext,
  c: Context<SourceEnv>,
  why: Refusal,
  party: Pick<Act, "actor" | "kind"> = nobody,
): void {
  const nowMs = context.nowMs();
  context.refused.count(why, c.env.remoteAddress, c.req.path, nowMs);
  const action = routeName(c.req.method, routePath(c));
  context.refusalAudit.note({ ...party, address: addressOf(c), action, path: c.req.path, why }, nowMs);
}

/** Runs code for a person who has proved a name with this request, and has no session yet. */
export const runForPerson = <T>(c: Context<SourceEnv>, name: string, run: () => Promise<T>): Promise<T> => {
  const action = routeName(c.req.method, routePath(c));
  return runFor({ actor: name, kind: "session", address: addressOf(c), action }, run);
};

const nobody = { actor: "", kind: "nobody" } as const;

/** @throws ApiError 401 for a request without a credential */
export function credentialIn(context: SourceContext, c: Context<SourceEnv>): string {
  const header = c.req.header("authorization") ?? "";
  const credential = /^Bearer\s+(\S{1,512})$/i.exec(header)?.[1];
  if (credential !== undefined) return credential;
  countRefusal(context, c, "no-credential");
  throw new ApiError(
    401,
    "No credential",
    "send the header Authorization: Bearer, with a device's credential or an administrator's token",
  );
}

/** Returns the person whose token it is; null for another credential. */
async function personBy(
  context: SourceContext,
  c: Context<SourceEnv>,
  credential: string,
): Promise<Person | null> {
  const token = await tokenBy(context, c, credential, "person");
  if (token === null || token.role === null) return null;
  const { id, name, role, scope, lastUsedAtMs } = token;
  const nowMs = context.nowMs();
  if (nowMs - (lastUsedAtMs ?? 0) > lastSeenStepMs) await context.catalog.tokens.noteUse(id, nowMs);
  return { kind: "person", name, role, scope, by: "token" };
}

async function deviceBy({ catalog, nowMs }: SourceContext, credential: string): Promise<Caller | null> {
  const device = await catalog.devices.byCredential(sha256Hex(credential));
  if (device === null) return null;
  if (nowMs() - device.lastSeenAtMs > lastSeenStepMs) await catalog.devices.touch([device.id], nowMs());
  return { kind: "device", device };
}
