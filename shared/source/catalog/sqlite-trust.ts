/** Store of trust files and orders in SQLite. */
import type { Database } from "bun:sqlite";
import type { OrderKind, Signed } from "../../model/trust/index.ts";
import type { OrderRecord, TrustStore } from "./trust-store.ts";

type Row = { subject: string; sequence: number; signed_json: string | null; pending_json: string | null };

const signedOf = (json: string | null): Signed | null =>
  json === null ? null : (JSON.parse(json) as Signed);
const jsonOf = (signed: Signed | null): string | null => (signed === null ? null : JSON.stringify(signed));

const toOrder = ({ subject, sequence, signed_json, pending_json }: Row): OrderRecord => ({
  subject,
  sequence,
  signed: signedOf(signed_json),
  pending: signedOf(pending_json),
});

export function sqliteTrust(database: Database): TrustStore {
  const columns = "subject, sequence, signed_json, pending_json";
  const files = database.query<{ signed_json: string }, []>(
    "SELECT signed_json FROM trust_files ORDER BY version",
  );
  const addFile = database.query("INSERT INTO trust_files (version, signed_json) VALUES ($version, $signed)");
  const one = database.query<Row, { kind: OrderKind; subject: string }>(
    `SELECT ${columns} FROM orders WHERE kind = $kind AND subject = $subject`,
  );
  const all = database.query<Row, { kind: OrderKind }>(`SELECT ${columns} FROM orders WHERE kind = $kind`);
  const put = database.query(
    `INSERT INTO orders (kind, ${columns}) VALUES ($kind, $subject, $sequence, $signed, $pending)
     ON CONFLICT DO UPDATE SET sequence = excluded.sequence, signed_json = excluded.signed_json,
       pending_json = excluded.pending_json
     WHERE excluded.sequence >= orders.sequence`,
  );
  const remove = database.query("DELETE FROM orders WHERE kind = $kind AND subject = $subject");
  const last = database.query<{ sequence: number | null }, []>(
    "SELECT max(sequence) AS sequence FROM orders",
  );
  const putOrder: TrustStore["putOrder"] = async (kind, { subject, sequence, signed, pending }) => {
    put.run({ kind, subject, sequence, signed: jsonOf(signed), pending: jsonOf(pending) });
  };
  return {
    files: async () => files.all().map((row) => signedOf(row.signed_json)!),
    async addFile(version, signed) {
      addFile.run({ version, signed: jsonOf(signed) });
    },
    async order(kind, subject) {
      const row = one.get({ kind, subject });
      return row && toOrder(row);
    },
    orders: async (kind) => all.all({ kind }).map(toOrder),
    putOrder,
    putOwnOrder: putOrder,
    async removeOrder(kind, subject) {
      remove.run({ kind, subject });
    },
    async removeOrders() {
      database.run("DELETE FROM orders");
    },
    lastSequence: async () => last.get()?.sequence ?? 0,
  };
}
