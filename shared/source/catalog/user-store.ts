/**
 * Interfaces of the stores of people: users, their sessions, and the provider of single sign-on.
 * Passwords are stored as hashes, and the secrets of sessions as SHA-256.
 */
import type { Role, Scope } from "../../model/role.ts";

export type UserRecord = {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly scope: Scope;
  /** Null for a user who signs in at the provider. */
  readonly passwordHash: string | null;
  readonly createdAtMs: number;
  readonly lastLoginAtMs: number | null;
  readonly disabledAtMs: number | null;
};
export type NewUser = Pick<UserRecord, "name" | "role" | "scope" | "createdAtMs"> & {
  readonly passwordHash: string;
};
export type UserChange = {
  readonly role?: Role | undefined;
  readonly scope?: Scope | undefined;
  readonly disabledAtMs?: number | null | undefined;
};
/** A person as the provider describes it, with the role that the mapping gives. */
export type ProviderUser = {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly role: Role;
  readonly scope: Scope;
};
/** Upper bound on users. */
export const usersMax = 10_000;

/** Names compare without case. */
/** Users after a folded name, or one of them; default: all. */
export type UserPart = {
  readonly after?: string | null;
  readonly only?: string;
  readonly limit?: number;
};
export interface UserStore {
  /** Returns all users by name, with the number of their sessions that were used since a time. */
  list(
    usedSinceMs: number,
    begunSinceMs: number,
    part?: UserPart,
  ): Promise<(UserRecord & { readonly sessions: number })[]>;
  byName(name: string): Promise<UserRecord | null>;
  hasAny(): Promise<boolean>;
  /** Adds a user with a password to a catalog without users. */
  addFirst(user: NewUser): Promise<"added" | "not-first">;
  /** Adds a user with a password. */
  add(user: NewUser): Promise<"added" | "name-taken" | "too-many">;
  /**
   * Changes a user, and ends the sessions of one that is disabled.
   * @param check throws when the user of this moment may not be changed so
   * @returns null: unknown
   */
  change(name: string, change: UserChange, check: (user: UserRecord) => void): Promise<UserRecord | null>;
  /**
   * Replaces the password and ends the sessions of the user.
   * @param keep session that stays
   * @returns the name of the user; null if there is none with a password
   */
  setPassword(id: number, passwordHash: string, keep: string | null): Promise<string | null>;
  /** Removes a user with the sessions. @returns whether there was one */
  remove(name: string): Promise<boolean>;
  /**
   * Adds a user of the provider at the first login, and gives a known one today's name, role and
   * scope. A new name that another user has is not taken over.
   */
  recordProviderUser(
    user: ProviderUser,
    atMs: number,
  ): Promise<UserRecord | "disabled" | "name-taken" | "too-many">;
  /**
   * Removes users of the provider that are not disabled and have not signed in since a time.
   * @returns their names
   */
  removeProviderUsers(lastLoginBeforeMs: number): Promise<string[]>;
}

export type SessionRecord = {
  readonly secretSha256: string;
  readonly beganAtMs: number;
  readonly usedAtMs: number;
};
/** A session begins with a login, and ends after a time without use, and after a fixed time. */
export interface SessionStore {
  /**
   * Begins a session of a user, who then has at most 16: the one unused for longest ends.
   * @returns the name of the user
   */
  begin(userId: number, session: Omit<SessionRecord, "usedAtMs">): Promise<string>;
  bySecret(secretSha256: string): Promise<{ session: SessionRecord; user: UserRecord } | null>;
  noteUse(secretSha256: string, atMs: number): Promise<void>;
  /** @returns the name of the user; null without such a session */
  end(secretSha256: string): Promise<string | null>;
  /** Removes sessions that were not used, or did not begin, since these times. */
  removeEnded(usedBeforeMs: number, begunBeforeMs: number): Promise<void>;
}

/** Group of the provider whose members have a role. */
export type GroupRole = { readonly group: string; readonly role: Role; readonly scope: Scope };
export type SingleSignOn = {
  /** URL of the provider, as its discovery document states it. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Address of the source for browsers. */
  readonly publicUrl: string;
  /** Scopes that are requested of the provider. */
  readonly requested: readonly string[];
  readonly groupsClaim: string;
  readonly nameClaim: string;
  /** The first entry whose group a person has decides. */
  readonly roles: readonly GroupRole[];
};
export interface SingleSignOnStore {
  /** Returns null without a provider. */
  read(): Promise<SingleSignOn | null>;
  /** Replaces the provider, and ends the sessions of its users. */
  write(provider: SingleSignOn | null): Promise<void>;
}
