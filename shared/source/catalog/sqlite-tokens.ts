/** Store of tokens in SQLite: token-store.ts. */
import type { Database } from "bun:sqlite";
import type { TokenKind } from "../../api/token.ts";
import type { Role } from "../../model/role.ts";
import type { TokenRecord, TokenStore } from "./token-store.ts";

type Row = {
  id: string;
  kind: TokenKind;
  name: string;
  role: Role | null;
  scope_json: string;
  tags_json: string;
  needs_approval: number;
  approves_takeovers: number;
  is_imaging: number;
  uses_left: number | null;
  uses: number;
  expires_at_ms: number | null;
  created_at_ms: number;
  created_by: string;
  last_used_at_ms: number | null;
  revoked_at_ms: number | null;
};

const toToken = (row: Row): TokenRecord => ({
  id: row.id,
  kind: row.kind,
  name: row.name,
  role: row.role,
  scope: JSON.parse(row.scope_json) as string[],
  tags: JSON.parse(row.tags_json) as string[],
  needsApproval: row.needs_approval === 1,
  approvesTakeovers: row.approves_takeovers === 1,
  isImaging: row.is_imaging === 1,
  usesLeft: row.uses_left,
  uses: row.uses,
  expiresAtMs: row.expires_at_ms,
  createdAtMs: row.created_at_ms,
  createdBy: row.created_by,
  lastUsedAtMs: row.last_used_at_ms,
  revokedAtMs: row.revoked_at_ms,
});

/** Returns the function that takes one use of an enrolment token, within a transaction. */
export function tokenSpender(database: Database): (id: string, atMs: number) => boolean {
  const spend = database.query(
    `UPDATE tokens SET uses = uses + 1, uses_left = uses_left - 1, last_used_at_ms = $atMs
     WHERE id = $id AND revoked_at_ms IS NULL AND coalesce(uses_left, 1) > 0`,
  );
  return (id, atMs) => spend.run({ id, atMs }).changes > 0;
}

export function sqliteTokens(database: Database): TokenStore {
  const list = database.query<Row, { atMs: number; id: string; limit: number }>(
    `SELECT * FROM tokens WHERE (created_at_ms, id) > ($atMs, $id) ORDER BY created_at_ms, id LIMIT $limit`,
  );
  const byDigest = database.query<Row, { sha256: string }>("SELECT * FROM tokens WHERE sha256 = $sha256");
  const named = database.query<Row, { words: string }>(
    `SELECT * FROM tokens WHERE id = $words OR (name = $words COLLATE NOCASE AND revoked_at_ms IS NULL)
     ORDER BY id = $words DESC LIMIT 1`,
  );
  const insert = database.query(
    `INSERT OR IGNORE INTO tokens (id, sha256, kind, name, role, scope_json, tags_json, needs_approval,
       approves_takeovers, is_imaging, uses_left, uses, expires_at_ms, created_at_ms, created_by)
     VALUES ($id, $sha256, $kind, $name, $role, $scope, $tags, $needsApproval, $approvesTakeovers, $isImaging, $usesLeft,
       0, $expiresAtMs, $createdAtMs, $createdBy)`,
  );
  const setApproves = database.query(
    "UPDATE tokens SET approves_takeovers = $approves WHERE id = $id AND approves_takeovers <> $approves",
  );
  const revoke = database.query(
    "UPDATE tokens SET revoked_at_ms = $atMs WHERE id = $id AND revoked_at_ms IS NULL",
  );
  const noteUse = database.query("UPDATE tokens SET last_used_at_ms = $atMs WHERE id = $id");
  const remove = database.query(
    `DELETE FROM tokens WHERE (revoked_at_ms < $atMs OR expires_at_ms < $atMs)
       AND name NOT IN ('admin.token', 'enroll.token')`,
  );
  return {
    list: async (after, limit) =>
      list.all({ atMs: after?.[0] ?? -1, id: after?.[1] ?? "", limit }).map(toToken),
    async byDigest(sha256) {
      const row = byDigest.get({ sha256 });
      return row && toToken(row);
    },
    async named(words) {
      const row = named.get({ words });
      return row && toToken(row);
    },
    async add({ scope, tags, needsApproval, approvesTakeovers, isImaging, ...token }, sha256) {
      const flags = {
        needsApproval: Number(needsApproval),
        approvesTakeovers: Number(approvesTakeovers),
        isImaging: Number(isImaging),
      };
      const lists = { scope: JSON.stringify(scope), tags: JSON.stringify(tags) };
      return insert.run({ ...token, ...flags, ...lists, sha256 }).changes > 0;
    },
    async setApprovesTakeovers(id, approves) {
      setApproves.run({ id, approves: Number(approves) });
    },
    revoke: async (id, atMs) => revoke.run({ id, atMs }).changes > 0,
    async noteUse(id, atMs) {
      noteUse.run({ id, atMs });
    },
    async removeEndedBefore(atMs) {
      remove.run({ atMs });
    },
  };
}
