/**
 * Schemas of the HTTP bodies about people: users, their sessions, and single sign-on. common.ts
 * defines units and encodings.
 */
import * as v from "valibot";
import { labelNameSchema } from "../../model/label-name.ts";
import { passwordBytesMax } from "../../model/password.ts";
import { roles } from "../../model/role.ts";
import { userNameSchema } from "../../model/user-name.ts";
import { counter, name, timeMs } from "./common.ts";
import { tagsMax } from "./labels.ts";
import { nextEntries } from "./page.ts";

const roleSchema = v.picklist(roles);
const scopeSchema = v.pipe(v.array(labelNameSchema), v.maxLength(tagsMax, `at most ${tagsMax} tags`));
/** The rules of a new password are checked by model/password.ts. */
const passwordSchema = v.pipe(
  v.string(),
  v.maxBytes(passwordBytesMax, `a password has at most ${passwordBytesMax} bytes`),
);

export const signInSchema = v.object({
  user: v.pipe(v.string(), v.maxLength(512)),
  password: passwordSchema,
});
/** The person that sends the request. */
export const callerSchema = v.object({
  name: v.string(),
  role: roleSchema,
  scope: v.array(v.string()),
  by: v.picklist(["token", "session"]),
  /** Null for a token. */
  session: v.nullable(
    v.object({
      beganAtMs: timeMs,
      /** The session ends then at the latest, and earlier when it is not used. */
      endsAtMs: timeMs,
      idleEndsAtMs: timeMs,
      /** `provider`: the user has no password here. */
      signIn: v.picklist(["password", "provider"]),
    }),
  ),
});
/** Ways to sign in, for the page that asks. */
export const signInWaysSchema = v.object({
  password: v.boolean(),
  /**
   * Null without single sign-on, and where the provider leads back to another address. Otherwise
   * the provider, and where its sign-in begins.
   */
  provider: v.nullable(v.object({ issuer: v.string(), path: v.string() })),
  /** Whether the request has the cookie of a session, so that nobody needs to sign in. */
  signedIn: v.boolean(),
  /** Address for devices and command lines; null: that of this connection. */
  sourceUrl: v.optional(v.nullable(v.string()), null),
});
const linkSecret = v.pipe(v.string(), v.maxLength(128));
/** First administrator, with the secret of the link in the log of the source. */
export const setUpSchema = v.object({ secret: linkSecret, name: userNameSchema, password: passwordSchema });
export const setUpStateSchema = v.object({
  /** `open`: the first user is still missing. */
  state: v.picklist(["open", "done"]),
  /**
   * Certificate of this connection. `own`: the source issued it itself, and no browser knows it;
   * `none`: no TLS.
   */
  certificate: v.picklist(["own", "files", "none"]),
  /** Whether people may sign in over this connection. */
  isSafe: v.boolean(),
  /** Console for browsers of the source's own machine; null: there is none. */
  consoleUrl: v.nullable(v.string()),
});
/** The administrator, and where the source keeps its data, for commands on its machine. */
export const setUpDoneSchema = v.object({ ...callerSchema.entries, dataFolder: v.string() });
export const signInLinkSchema = v.object({ secret: v.string(), endsAtMs: timeMs });
export const linkSignInSchema = v.object({ secret: linkSecret });
export const ownPasswordSchema = v.object({ current: passwordSchema, password: passwordSchema });

export const userSchema = v.object({
  name: v.string(),
  role: roleSchema,
  scope: v.array(v.string()),
  signIn: v.picklist(["password", "provider"]),
  disabled: v.boolean(),
  createdAtMs: timeMs,
  lastLoginAtMs: v.nullable(timeMs),
  sessions: counter,
});
export const userListSchema = v.object({ users: v.array(userSchema), ...nextEntries });
export const userCreateSchema = v.strictObject({
  name: userNameSchema,
  role: roleSchema,
  scope: v.optional(scopeSchema, []),
  password: passwordSchema,
});
/** Parts that are left out stay. */
export const userEditSchema = v.strictObject({
  role: v.optional(roleSchema),
  scope: v.optional(scopeSchema),
  disabled: v.optional(v.boolean()),
});
export const userPathSchema = v.object({ name: userNameSchema });
export const newPasswordSchema = v.object({ password: passwordSchema });

/** Upper bound on the entries that map groups of the provider to roles. */
const groupRolesMax = 256;
const httpUrl = v.pipe(
  v.string(),
  v.maxLength(1_024),
  v.check((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ""), "write an https:// URL"),
);
const claimName = v.pipe(
  name(128),
  v.regex(/^[\w:/.-]+$/, "the name of a claim has letters, digits, _ : / . -"),
);
const groupRoleSchema = v.strictObject({
  group: name(256),
  role: roleSchema,
  scope: v.optional(scopeSchema, []),
});
const singleSignOnEntries = {
  issuer: httpUrl,
  clientId: name(256),
  /** Address of the source in browsers. */
  publicUrl: httpUrl,
  requested: v.optional(
    v.pipe(v.array(v.pipe(name(128), v.regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/))), v.maxLength(32)),
    ["openid", "profile"],
  ),
  groupsClaim: v.optional(claimName, "groups"),
  nameClaim: v.optional(claimName, "preferred_username"),
  roles: v.pipe(
    v.array(groupRoleSchema),
    v.minLength(1, "give at least one group that has a role"),
    v.maxLength(groupRolesMax, `at most ${groupRolesMax} groups`),
  ),
};
export const singleSignOnSetSchema = v.strictObject({
  ...singleSignOnEntries,
  /** Without one, the secret stays if the provider and the client do. */
  clientSecret: v.optional(name(1_024)),
});
/** Settings of single sign-on without the secret. */
const singleSignOnSchema = v.object({
  ...singleSignOnEntries,
  /** Address that the provider has to allow for this client. */
  redirectUrl: v.string(),
});
export const singleSignOnStateSchema = v.object({ provider: v.nullable(singleSignOnSchema) });

export type CallerView = v.InferOutput<typeof callerSchema>;
export type User = v.InferOutput<typeof userSchema>;
export type UserCreate = v.InferInput<typeof userCreateSchema>;
export type SetUpDone = v.InferOutput<typeof setUpDoneSchema>;
export type SignInLink = v.InferOutput<typeof signInLinkSchema>;
export type UserEdit = v.InferInput<typeof userEditSchema>;
export type SingleSignOnSet = v.InferInput<typeof singleSignOnSetSchema>;
export type SingleSignOnView = v.InferOutput<typeof singleSignOnSchema>;
