/** Rows of the audit about people: users, their sessions, and single sign-on; never a secret. */
import type { Catalog } from "./catalog.ts";
import { settled, type AuditTable } from "./audited-store.ts";
import type { UserRecord } from "./user-store.ts";

export type PeopleStores = Pick<Catalog, "users" | "sessions" | "singleSignOn">;

const userText = (name: string | null): string => `user ${name ?? "unknown"}`;
const userState = (user: UserRecord | null) =>
  user && {
    name: user.name,
    role: user.role,
    scope: user.scope,
    signIn: user.passwordHash === null ? "provider" : "password",
    disabled: user.disabledAtMs !== null,
  };

export const usersTable = ({ users }: PeopleStores): AuditTable<PeopleStores["users"]> => {
  const stateOf = (name: string): unknown => userState(settled(users.byName(name)));
  return {
    list: "unaudited",
    byName: "unaudited",
    hasAny: "unaudited",
    addFirst: { object: ([{ name }]) => userText(name), after: ([{ name }]) => stateOf(name) },
    add: { object: ([{ name }]) => userText(name), after: ([{ name }]) => stateOf(name) },
    change: { object: ([name]) => userText(name), state: ([name]) => stateOf(name) },
    setPassword: { object: (_, name) => userText(name), after: () => ({ password: "changed" }) },
    remove: { object: ([name]) => userText(name), state: ([name]) => stateOf(name) },
    recordProviderUser: {
      object: ([{ name }]) => userText(name),
      after: (_, user) => (typeof user === "string" ? user : userState(user)),
    },
    removeProviderUsers: { object: (_, names) => `users ${names.join(", ")}` },
  };
};

export const sessionsTable: AuditTable<PeopleStores["sessions"]> = {
  bySecret: "unaudited",
  noteUse: "unaudited",
  removeEnded: "unaudited",
  begin: { object: (_, name) => userText(name), after: () => ({ session: "began" }) },
  end: { object: (_, name) => userText(name), after: () => ({ session: "ended" }) },
};

export const singleSignOnTable = ({
  singleSignOn,
}: PeopleStores): AuditTable<PeopleStores["singleSignOn"]> => ({
  read: "unaudited",
  write: {
    object: () => "single sign-on",
    state: () => {
      const provider = settled(singleSignOn.read());
      if (provider === null) return null;
      const { clientSecret: _secret, ...rest } = provider;
      return rest;
    },
  },
});
