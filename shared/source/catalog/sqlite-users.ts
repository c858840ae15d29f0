/** Stores of users and of the provider of single sign-on in SQLite. */
import type { Database } from "bun:sqlite";
import { foldedName } from "../../model/glob.ts";
import type { Role, Scope } from "../../model/role.ts";
import {
  usersMax,
  type NewUser,
  type SingleSignOn,
  type SingleSignOnStore,
  type UserRecord,
  type UserStore,
} from "./user-store.ts";

export type UserRow = {
  id: number;
  name: string;
  role: string;
  scope_json: string;
  password_hash: string | null;
  created_at_ms: number;
  last_login_at_ms: number | null;
  disabled_at_ms: number | null;
};
/** Columns of a `UserRow`. */
export const userColumns = `users.id, users.name, users.role, users.scope_json, users.password_hash,
  users.created_at_ms, users.last_login_at_ms, users.disabled_at_ms`;

export const toUser = (row: UserRow): UserRecord => ({
  id: row.id,
  name: row.name,
  role: row.role as Role,
  scope: JSON.parse(row.scope_json) as Scope,
  passwordHash: row.password_hash,
  createdAtMs: row.created_at_ms,
  lastLoginAtMs: row.last_login_at_ms,
  disabledAtMs: row.disabled_at_ms,
});

export function sqliteUsers(database: Database): UserStore {
  type Part = { usedSinceMs: number; begunSinceMs: number; after: string; only: string; limit: number };
  const all = database.query<UserRow & { sessions: number }, Part>(
    `SELECT ${userColumns}, (SELECT count(*) FROM sessions WHERE user_id = users.id
       AND used_at_ms > $usedSinceMs AND began_at_ms > $begunSinceMs) AS sessions
     FROM users WHERE folded > $after AND $only IN ('', folded) ORDER BY folded LIMIT $limit`,
  );
  const byName = database.query<UserRow, { folded: string }>(
    `SELECT ${userColumns} FROM users WHERE folded = $folded`,
  );
  const any = database.query("SELECT 1 FROM users LIMIT 1");
  const remove = database.query("DELETE FROM users WHERE folded = $folded");
  const removeUnused = database.query<{ name: string }, { beforeMs: number }>(
    `DELETE FROM users WHERE subject IS NOT NULL AND disabled_at_ms IS NULL
     AND coalesce(last_login_at_ms, created_at_ms) < $beforeMs RETURNING name`,
  );
  const read = (name: string): UserRecord | null => {
    const row = byName.get({ folded: foldedName(name) });
    return row && toUser(row);
  };
  return {
    list: async (usedSinceMs, begunSinceMs, { after = null, only, limit = -1 } = {}) =>
      all
        .all({
          usedSinceMs,
          begunSinceMs,
          after: after ?? "",
          only: only === undefined ? "" : foldedName(only),
          limit,
        })
        .map((row) => Object.assign(toUser(row), { sessions: row.sessions })),
    byName: async (name) => read(name),
    hasAny: async () => any.get() !== null,
    ...adding(database),
    change: changing(database, read),
    setPassword: passwords(database),
    remove: async (name) => remove.run({ folded: foldedName(name) }).changes > 0,
    recordProviderUser: providerUsers(database),
    removeProviderUsers: async (beforeMs) => removeUnused.all({ beforeMs }).map((row) => row.name),
  };
}

function adding(database: Database): Pick<UserStore, "add" | "addFirst"> {
  const count = database.query<{ count: number }, []>("SELECT count(*) AS count FROM users");
  const insert = database.query(
    `INSERT OR IGNORE INTO users (folded, name, role, scope_json, password_hash, created_at_ms)
     VALUES ($folded, $name, $role, $scope, $passwordHash, $createdAtMs)`,
  );
  const run = database.transaction((user: NewUser) => {
    if (count.get()!.count >= usersMax) return "too-many";
    const { name, role, scope, passwordHash, createdAtMs } = user;
    const row = { folded: foldedName(name), name, role, scope: JSON.stringify(scope), passwordHash };
    return insert.run({ ...row, createdAtMs }).changes > 0 ? "added" : "name-taken";
  });
  const runFirst = database.transaction((user: NewUser) => {
    if (count.get()!.count > 0) return "not-first";
    run(user);
    return "added";
  });
  return {
    add: async (user) => run.immediate(user),
    addFirst: async (user) => runFirst.immediate(user),
  };
}

function changing(database: Database, read: (name: string) => UserRecord | null): UserStore["change"] {
  const write = database.query(
    "UPDATE users SET role = $role, scope_json = $scope, disabled_at_ms = $disabledAtMs WHERE id = $id",
  );
  const endSessions = database.query("DELETE FROM sessions WHERE user_id = $id");
  const run = database.transaction((...[name, change, check]: Parameters<UserStore["change"]>) => {
    const user = read(name);
    if (user === null) return null;
    check(user);
    const { role = user.role, scope = user.scope, disabledAtMs = user.disabledAtMs } = change;
    write.run({ id: user.id, role, scope: JSON.stringify(scope), disabledAtMs });
    if (disabledAtMs !== null) endSessions.run({ id: user.id });
    return read(name);
  });
  return async (...call) => run.immediate(...call);
}

function passwords(database: Database): UserStore["setPassword"] {
  const write = database.query<{ name: string }, { id: number; passwordHash: string }>(
    `UPDATE users SET password_hash = $passwordHash WHERE id = $id AND password_hash IS NOT NULL
     RETURNING name`,
  );
  const endOthers = database.query(
    "DELETE FROM sessions WHERE user_id = $id AND ($keep IS NULL OR secret_sha256 <> $keep)",
  );
  const run = database.transaction((id: number, passwordHash: string, keep: string | null) => {
    const row = write.get({ id, passwordHash });
    if (row !== null) endOthers.run({ id, keep });
    return row && row.name;
  });
  return async (id, passwordHash, keep) => run.immediate(id, passwordHash, keep);
}

function providerUsers(database: Database): UserStore["recordProviderUser"] {
  const find = database.query<UserRow, { issuer: string; subject: string }>(
    `SELECT ${userColumns} FROM users WHERE issuer = $issuer AND subject = $subject`,
  );
  const count = database.query<{ count: number }, []>("SELECT count(*) AS count FROM users");
  const insert = database.query(
    `INSERT OR IGNORE INTO users (folded, name, role, scope_json, issuer, subject, created_at_ms)
     VALUES ($folded, $name, $role, $scope, $issuer, $subject, $atMs)`,
  );
  const rename = database.query("UPDATE OR IGNORE users SET folded = $folded, name = $name WHERE id = $id");
  const update = database.query("UPDATE users SET role = $role, scope_json = $scope WHERE id = $id");
  const run = database.transaction((user: Parameters<UserStore["recordProviderUser"]>[0], atMs: number) => {
    const { issuer, subject, name, role } = user;
    const [folded, scope] = [foldedName(name), JSON.stringify(user.scope)];
    const found = find.get({ issuer, subject });
    if (found?.disabled_at_ms != null) return "disabled";
    if (found === null) {
      if (count.get()!.count >= usersMax) return "too-many";
      const added = insert.run({ folded, name, role, scope, issuer, subject, atMs }).changes > 0;
      if (!added) return "name-taken";
    } else {
      // A sign-in that changes nothing writes nothing, and has no row in the audit.
      if (found.name !== name) rename.run({ id: found.id, folded, name });
      if (found.role !== role || found.scope_json !== scope) update.run({ id: found.id, role, scope });
    }
    return toUser(find.get({ issuer, subject })!);
  });
  return async (user, atMs) => run.immediate(user, atMs);
}

/** Reads and writes the provider as one row of the table `meta`. */
export function sqliteSingleSignOn(database: Database): SingleSignOnStore {
  const key = "single-sign-on";
  const read = database.query<{ value: string }, { key: string }>("SELECT value FROM meta WHERE key = $key");
  const write = database.query("INSERT OR REPLACE INTO meta (key, value) VALUES ($key, $value)");
  const remove = database.query("DELETE FROM meta WHERE key = $key");
  const endSessions = database.query(
    "DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE subject IS NOT NULL)",
  );
  const run = database.transaction((provider: SingleSignOn | null) => {
    if (provider === null) remove.run({ key });
    else write.run({ key, value: JSON.stringify(provider) });
    endSessions.run();
  });
  return {
    async read() {
      const row = read.get({ key });
      return row && (JSON.parse(row.value) as SingleSignOn);
    },
    write: async (provider) => run.immediate(provider),
  };
}
