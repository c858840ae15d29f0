/** The part of the administrator's client about people: users and single sign-on. */
import { allPages } from "./pages.ts";
import { ask, type Connection } from "./request.ts";
import { doneSchema } from "./schema/admin.ts";
import {
  callerSchema,
  signInLinkSchema,
  singleSignOnStateSchema,
  userListSchema,
  userSchema,
  type CallerView,
  type SignInLink,
  type SingleSignOnSet,
  type SingleSignOnView,
  type User,
  type UserCreate,
  type UserEdit,
} from "./schema/users.ts";

export type UserClient = {
  /** Returns the person whose token the client sends. */
  caller(): Promise<CallerView>;
  users(): Promise<User[]>;
  addUser(user: UserCreate): Promise<User>;
  editUser(name: string, edit: UserEdit): Promise<User>;
  setPassword(name: string, password: string): Promise<void>;
  /** Returns a secret that signs the user in once. */
  signInLink(name: string): Promise<SignInLink>;
  removeUser(name: string): Promise<void>;
  /** Returns null without single sign-on. */
  singleSignOn(): Promise<SingleSignOnView | null>;
  setSingleSignOn(provider: SingleSignOnSet): Promise<SingleSignOnView>;
  removeSingleSignOn(): Promise<void>;
};

const userPath = (name: string): string => `/v1/users/${encodeURIComponent(name)}`;
const providerPath = "/v1/single-sign-on";

export const userClient = (connection: Connection): UserClient => ({
  caller: () => ask(connection, "GET", "/v1/session", callerSchema),
  users: () => allPages(connection, "/v1/users", userListSchema, ({ users }) => users),
  addUser: (user) => ask(connection, "POST", "/v1/users", userSchema, { json: user }),
  editUser: (name, edit) => ask(connection, "PATCH", userPath(name), userSchema, { json: edit }),
  async setPassword(name, password) {
    await ask(connection, "PUT", `${userPath(name)}/password`, doneSchema, { json: { password } });
  },
  signInLink: (name) => ask(connection, "POST", `${userPath(name)}/sign-in-link`, signInLinkSchema),
  async removeUser(name) {
    await ask(connection, "DELETE", userPath(name), doneSchema);
  },
  singleSignOn: async () => (await ask(connection, "GET", providerPath, singleSignOnStateSchema)).provider,
  async setSingleSignOn(provider) {
    const set = await ask(connection, "PUT", providerPath, singleSignOnStateSchema, { json: provider });
    return set.provider!;
  },
  async removeSingleSignOn() {
    await ask(connection, "DELETE", providerPath, doneSchema);
  },
});
