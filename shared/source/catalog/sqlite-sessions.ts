/** Store of the sessions of people in SQLite. */
import type { Database } from "bun:sqlite";
import { toUser, userColumns, type UserRow } from "./sqlite-users.ts";
import type { SessionStore } from "./user-store.ts";

/** Upper bound on the sessions of one user. */
const sessionsMax = 16;

type SessionRow = { secret_sha256: string; began_at_ms: number; used_at_ms: number };

export function sqliteSessions(database: Database): SessionStore {
  const bySecret = database.query<UserRow & SessionRow, { secretSha256: string }>(
    `SELECT ${userColumns}, secret_sha256, began_at_ms, used_at_ms
     FROM sessions JOIN users ON users.id = user_id WHERE secret_sha256 = $secretSha256`,
  );
  const noteUse = database.query(
    "UPDATE sessions SET used_at_ms = $atMs WHERE secret_sha256 = $secretSha256 AND used_at_ms < $atMs",
  );
  const end = database.query<{ name: string | null }, { secretSha256: string }>(
    `DELETE FROM sessions WHERE secret_sha256 = $secretSha256
     RETURNING (SELECT name FROM users WHERE id = user_id) AS name`,
  );
  const removeEnded = database.query(
    "DELETE FROM sessions WHERE used_at_ms <= $usedBeforeMs OR began_at_ms <= $begunBeforeMs",
  );
  return {
    begin: beginning(database),
    async bySecret(secretSha256) {
      const row = bySecret.get({ secretSha256 });
      if (row === null) return null;
      const { began_at_ms: beganAtMs, used_at_ms: usedAtMs } = row;
      return { session: { secretSha256, beganAtMs, usedAtMs }, user: toUser(row) };
    },
    async noteUse(secretSha256, atMs) {
      noteUse.run({ secretSha256, atMs });
    },
    async end(secretSha256) {
      const row = end.get({ secretSha256 });
      return row && row.name;
    },
    async removeEnded(usedBeforeMs, begunBeforeMs) {
      removeEnded.run({ usedBeforeMs, begunBeforeMs });
    },
  };
}

function beginning(database: Database): SessionStore["begin"] {
  const insert = database.query(
    `INSERT INTO sessions (secret_sha256, user_id, began_at_ms, used_at_ms)
     VALUES ($secretSha256, $userId, $beganAtMs, $beganAtMs)`,
  );
  const trim = database.query(
    `DELETE FROM sessions WHERE user_id = $userId AND secret_sha256 NOT IN (
       SELECT secret_sha256 FROM sessions WHERE user_id = $userId
       ORDER BY used_at_ms DESC, began_at_ms DESC LIMIT ${sessionsMax})`,
  );
  const noteLogin = database.query<{ name: string }, { userId: number; beganAtMs: number }>(
    "UPDATE users SET last_login_at_ms = $beganAtMs WHERE id = $userId RETURNING name",
  );
  const run = database.transaction((userId: number, session: Parameters<SessionStore["begin"]>[1]) => {
    const { secretSha256, beganAtMs } = session;
    insert.run({ secretSha256, userId, beganAtMs });
    trim.run({ userId });
    return noteLogin.get({ userId, beganAtMs })!.name;
  });
  return async (userId, session) => run.immediate(userId, session);
}
