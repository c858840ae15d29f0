/**
 * Step of migrations.ts that makes the tables of users and of their sessions. A user has a password
 * or is known by the provider's issuer and subject, never both.
 */
export const usersStep = `
  CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    folded TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    scope_json TEXT NOT NULL,
    password_hash TEXT,
    issuer TEXT,
    subject TEXT,
    created_at_ms INTEGER NOT NULL,
    last_login_at_ms INTEGER,
    disabled_at_ms INTEGER,
    UNIQUE (issuer, subject),
    CHECK ((password_hash IS NULL) <> (subject IS NULL) AND (issuer IS NULL) = (subject IS NULL))
  ) STRICT;
  -- The cookie is stored as SHA-256 only.
  CREATE TABLE sessions (
    secret_sha256 TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    began_at_ms INTEGER NOT NULL,
    used_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_by_user ON sessions (user_id);
  `;
