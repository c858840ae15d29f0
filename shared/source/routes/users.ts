/** Routes for administrators: users with a name, a role, a scope and a password. */
import { Hono } from "hono";
import * as v from "valibot";
import { doneSchema } from "../../api/schema/admin.ts";
import {
  newPasswordSchema,
  userCreateSchema,
  userEditSchema,
  userListSchema,
  userPathSchema,
  userSchema,
  type User,
} from "../../api/schema/users.ts";
import { pageQuerySchema } from "../../api/schema/page.ts";
import { foldedName } from "../../model/glob.ts";
import { passwordProblem } from "../../model/password.ts";
import { scopeProblem, type Role, type Scope } from "../../model/role.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { UserPart, UserRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { keyIn, readPage } from "../page.ts";
import { lifeSince } from "../sign-in/session-life.ts";

const bodyBytesMax = 65_536;

export function userRoutes(context: SourceContext): Hono<SourceEnv> {
  const { log } = context;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/",
    documented({ summary: "Users by name, a page at a time", audience: ["admin"], answer: userListSchema }),
    allow(context),
    queryParameters(pageQuerySchema),
    async (c) => {
      const query = c.req.valid("query");
      const { rows, next } = await readPage({
        query,
        after: keyIn(query, v.string()),
        read: (after, limit) => usersOf(context, { after, limit }),
        keyOf: ({ name }) => foldedName(name),
      });
      return c.json({ users: rows, next });
    },
  );
  routes.post(
    "/",
    documented({ summary: "Add a user with a password", audience: ["admin"], answer: userSchema }),
    allow(context),
    limitBody(bodyBytesMax),
    jsonBody(userCreateSchema),
    async (c) => {
      const user = await addUser(context, c.req.valid("json"));
      log.info({ user: user.name, role: user.role, scope: user.scope }, "user added");
      return c.json(user);
    },
  );
  routes.patch(
    "/:name",
    documented({
      summary: "Change the role or the scope of a user; disable a user, which ends the sessions, or enable",
      audience: ["admin"],
      answer: userSchema,
    }),
    allow(context),
    pathParameters(userPathSchema),
    limitBody(bodyBytesMax),
    jsonBody(userEditSchema),
    async (c) => {
      const edit = c.req.valid("json");
      const user = await editUser(context, c.req.valid("param").name, edit);
      log.info({ user: user.name, ...edit }, "user changed");
      return c.json(user);
    },
  );
  addPasswordAndRemoval(routes, context);
  return routes;
}

function addPasswordAndRemoval(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log } = context;
  routes.put(
    "/:name/password",
    documented({
      summary: "Give a user another password; the sessions of the user end",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    pathParameters(userPathSchema),
    limitBody(bodyBytesMax),
    jsonBody(newPasswordSchema),
    async (c) => {
      const user = await userNamed(context, c.req.valid("param").name);
      if (user.passwordHash === null)
        throw new ApiError(409, `"${user.name}" signs in at the provider`, "change the password there");
      const hash = await hashOf(context, c.req.valid("json").password, user.name);
      const current = c.get("session");
      const keep = current?.user.id === user.id ? current.session.secretSha256 : null;
      // The user may have been removed while the password was hashed.
      if ((await catalog.users.setPassword(user.id, hash, keep)) === null) throw unknownUser(user.name);
      log.info({ user: user.name }, "password changed; the sessions of the user ended");
      return c.json({ ok: true } as const);
    },
  );
  routes.delete(
    "/:name",
    documented({ summary: "Remove a user; the sessions end", audience: ["admin"], answer: doneSchema }),
    allow(context),
    pathParameters(userPathSchema),
    async (c) => {
      const { name } = await userNamed(context, c.req.valid("param").name);
      await catalog.users.remove(name);
      log.info({ user: name }, "user removed");
      return c.json({ ok: true } as const);
    },
  );
}

async function usersOf({ catalog, nowMs }: SourceContext, part: UserPart): Promise<User[]> {
  const { usedSinceMs, begunSinceMs } = lifeSince(nowMs());
  return (await catalog.users.list(usedSinceMs, begunSinceMs, part)).map(
    ({ name, role, scope, passwordHash, disabledAtMs, createdAtMs, lastLoginAtMs, sessions }) => ({
      name,
      role,
      scope: [...scope],
      signIn: passwordHash === null ? "provider" : "password",
      disabled: disabledAtMs !== null,
      createdAtMs,
      lastLoginAtMs,
      sessions,
    }),
  );
}

/** @throws ApiError 404 */
async function userNamed({ catalog }: SourceContext, name: string): Promise<UserRecord> {
  const user = await catalog.users.byName(name);
  if (user !== null) return user;
  throw unknownUser(name);
}

const unknownUser = (name: string): ApiError => new ApiError(404, `No user "${name}"`, "user list shows all");

/** Returns the user as the API shows it. */
async function viewOf(context: SourceContext, name: string): Promise<User> {
  const { name: spelling } = await userNamed(context, name);
  return (await usersOf(context, { only: spelling }))[0]!;
}

function checkScope(role: Role, scope: Scope): void {
  const problem = scopeProblem(role, scope);
  if (problem !== null)
    throw new ApiError(422, problem, "a scope is a list of tags, for viewers and operators");
}

/** @throws ApiError 422 that names the broken rule */
async function hashOf({ signIn }: SourceContext, password: string, name: string): Promise<string> {
  const problem = passwordProblem(password, name);
  if (problem !== null)
    throw new ApiError(422, `The password cannot be used: ${problem}`, "choose another password");
  return signIn.hashes.hash(password);
}

async function addUser(
  context: SourceContext,
  { name, role, scope, password }: v.InferOutput<typeof userCreateSchema>,
): Promise<User> {
  checkScope(role, scope);
  const passwordHash = await hashOf(context, password, name);
  const user = { name, role, scope, passwordHash, createdAtMs: context.nowMs() };
  const result = await context.catalog.users.add(user);
  if (result === "added") return viewOf(context, name);
  throw result === "name-taken"
    ? new ApiError(
        409,
        `The user "${name}" exists`,
        "user list shows all, user password changes the password",
      )
    : new ApiError(409, "The source has as many users as it can have", "user remove removes some");
}

async function editUser(
  context: SourceContext,
  name: string,
  edit: v.InferOutput<typeof userEditSchema>,
): Promise<User> {
  const { role, scope, disabled } = edit;
  const disabledAtMs = disabled === undefined ? undefined : disabled ? context.nowMs() : null;
  // Another administrator may change the same user at the same time.
  const user = await context.catalog.users.change(name, { role, scope, disabledAtMs }, (before) => {
    if (before.passwordHash === null && (role !== undefined || scope !== undefined))
      throw new ApiError(
        409,
        `"${before.name}" has the role of a group of the provider`,
        "change the groups there, or the roles with oidc set",
      );
    checkScope(role ?? before.role, scope ?? before.scope);
  });
  if (user === null) throw unknownUser(name);
  return viewOf(context, user.name);
}
