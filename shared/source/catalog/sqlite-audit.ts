/** Store of audit rows in SQLite: audit-store.ts. */
import { createHash } from "node:crypto";
import type { Database } from "bun:sqlite";
import { auditHash, auditOrigin, type AuditBeginning, type AuditRow } from "../../model/audit.ts";
import { currentAct } from "../acting.ts";
import type { AuditFilter, AuditNote, AuditStore } from "./audit-store.ts";

type Row = Omit<AuditRow, "atMs" | "before" | "after"> & {
  at_ms: number;
  before_json: string | null;
  after_json: string | null;
};
export type AuditEntry = AuditNote & { readonly before?: unknown };

/** Upper bound on the text of before and after; of a longer one the digest stays. */
const textLengthMax = 4_096;
const beginningKey = "audit_beginning";

const toRow = ({ at_ms: atMs, before_json: before, after_json: after, ...row }: Row): AuditRow => ({
  ...row,
  atMs,
  before,
  after,
});

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const text = JSON.stringify(value);
  if (text.length <= textLengthMax) return text;
  const sha256 = createHash("sha256").update(text).digest("hex");
  return JSON.stringify({ leftOut: `${text.length} characters`, sha256 });
}

function readers(database: Database): Pick<AuditStore, "list" | "after" | "beginning" | "head"> {
  const list = database.query<Row, Omit<AuditFilter, "sinceMs"> & { sinceMs: number }>(
    `SELECT * FROM audit WHERE at_ms >= $sinceMs AND ($before IS NULL OR sequence < $before)
       AND ($actor IS NULL OR actor = $actor COLLATE NOCASE)
       AND ($action IS NULL OR instr(lower(action), lower($action)) > 0)
       AND ($object IS NULL OR object = $object COLLATE NOCASE)
     ORDER BY sequence DESC LIMIT $limit`,
  );
  const after = database.query<Row, { sequence: number; limit: number }>(
    "SELECT * FROM audit WHERE sequence > $sequence ORDER BY sequence LIMIT $limit",
  );
  const newest = database.query<AuditBeginning, []>(
    "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1",
  );
  const stored = database.query<{ value: string }, { key: string }>(
    "SELECT value FROM meta WHERE key = $key",
  );
  const beginning = (): AuditBeginning => {
    const text = stored.get({ key: beginningKey })?.value;
    return text === undefined ? auditOrigin : (JSON.parse(text) as AuditBeginning);
  };
  return {
    list: async (filter) => list.all({ ...filter, sinceMs: filter.sinceMs ?? 0 }).map(toRow),
    after: async (sequence, limit) => after.all({ sequence, limit }).map(toRow),
    beginning: async () => beginning(),
    head: async () => newest.get() ?? beginning(),
  };
}

/** Returns the function that appends a row; the caller has begun the transaction. */
function appender(database: Database, nowMs: () => number): (entry: AuditEntry) => void {
  const newest = database.query<AuditBeginning, { key: string }>(
    `SELECT sequence, hash FROM audit
     UNION ALL SELECT value ->> 'sequence', value ->> 'hash' FROM meta WHERE key = $key
     ORDER BY sequence DESC LIMIT 1`,
  );
  const insert = database.query(
    `INSERT INTO audit (sequence, at_ms, actor, kind, address, action, object, before_json, after_json, result,
       count, previous, hash)
     VALUES ($sequence, $atMs, $actor, $kind, $address, $action, $object, $before, $after, $result,
       $count, $previous, $hash)`,
  );
  return ({ method = "note", object, before, after, result = "done", count = 1 }) => {
    const act = currentAct() ?? { actor: "source", kind: "source", address: "", action: method };
    const last = newest.get({ key: beginningKey }) ?? auditOrigin;
    const row = {
      ...act,
      sequence: last.sequence + 1,
      atMs: nowMs(),
      object,
      before: textOf(before),
      after: textOf(after),
      result,
      count,
      previous: last.hash,
    };
    insert.run({ ...row, hash: auditHash(row) });
  };
}

function remover(
  database: Database,
  append: (entry: AuditEntry) => void,
  nowMs: () => number,
): AuditStore["removeBefore"] {
  // A row of a wrong clock, such as one of 1970, must not take newer rows before it away.
  const newestBefore = database.query<AuditBeginning, { atMs: number; nowMs: number }>(
    `SELECT sequence, hash FROM audit WHERE at_ms < $atMs AND sequence < coalesce(
       (SELECT min(sequence) FROM audit WHERE at_ms BETWEEN $atMs AND $nowMs), ${Number.MAX_SAFE_INTEGER})
     ORDER BY sequence DESC LIMIT 1`,
  );
  const remove = database.query("DELETE FROM audit WHERE sequence <= $sequence");
  const keep = database.query("INSERT OR REPLACE INTO meta (key, value) VALUES ($key, $value)");
  const run = database.transaction((atMs: number): number => {
    const last = newestBefore.get({ atMs, nowMs: nowMs() });
    if (last === null) return 0;
    const { changes } = remove.run({ sequence: last.sequence });
    keep.run({ key: beginningKey, value: JSON.stringify(last) });
    append({ method: "audit.removeBefore", object: `audit rows up to ${last.sequence}`, after: last });
    return changes;
  });
  return async (atMs) => run.immediate(atMs);
}

export function sqliteAudit(
  database: Database,
  nowMs: () => number,
): { readonly store: AuditStore; readonly append: (entry: AuditEntry) => void } {
  const append = appender(database, nowMs);
  const note = database.transaction((entry: AuditEntry) => append(entry));
  const store: AuditStore = {
    ...readers(database),
    note: async (entry) => note.immediate(entry),
    removeBefore: remover(database, append, nowMs),
  };
  return { store, append };
}
