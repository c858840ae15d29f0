/** Store of the keys of packages in SQLite, with the devices that have them. */
import type { Database } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import type { LanKeyStore, PackageKeys } from "./lan-key-store.ts";

/** Time for which a key is the current one. */
const epochMs = 7 * 86_400_000;
/** Time for which the key before is given, too: twice the default interval of check-ins. */
const overlapMs = 2 * 86_400_000;
export const lanKeyBytes = 16;

export const lanKeyStep = `
  ALTER TABLE packages ADD COLUMN previous_key BLOB;
  ALTER TABLE packages ADD COLUMN key_began_ms INTEGER NOT NULL DEFAULT 0;
  -- Devices that have the key of a package.
  CREATE TABLE key_grants (
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    package_id TEXT NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    PRIMARY KEY (device_id, package_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX key_grants_by_package ON key_grants (package_id);
  -- Tasks that have ended need no key.
  UPDATE tasks SET task_key = x'' WHERE state NOT IN ('active', 'paused');
  `;

/** Removes overwritten keys from the write-ahead log, once no transaction is open. */
export function clearLog(database: Database): void {
  if (database.inTransaction) return queueMicrotask(() => clearLogAfter(database));
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

function clearLogAfter(database: Database): void {
  try {
    clearLog(database);
  } catch {
    // The catalog was closed meanwhile, which clears the log too.
  }
}

type Row = { id: string; package_key: Uint8Array; previous_key: Uint8Array | null };
const toKeys = (row: Row): PackageKeys => ({
  packageId: row.id,
  key: row.package_key,
  keyBefore: row.previous_key,
});

/** Gives each package of a list another key. @param keepsBefore whether the old one stays valid */
function renewal(database: Database, keepsBefore: boolean) {
  const renew = database.query(
    `UPDATE packages SET previous_key = ${keepsBefore ? "package_key" : "NULL"}, package_key = $key, key_began_ms = $atMs
     WHERE id = $id`,
  );
  return (ids: readonly string[], atMs: number): void => {
    for (const id of ids) renew.run({ id, atMs, key: randomBytes(lanKeyBytes) });
  };
}

function removal(database: Database): Pick<LanKeyStore, "packagesOf" | "renew" | "forget" | "holdersAmong"> {
  const given = "device_id IN (SELECT value FROM json_each($devices))";
  const packagesOf = database.query<{ id: string }, { devices: string }>(
    `SELECT DISTINCT package_id AS id FROM key_grants WHERE ${given}`,
  );
  const forget = database.query(`DELETE FROM key_grants WHERE ${given}`);
  const holders = database.query<{ id: string }, { devices: string; packages: string }>(
    `SELECT DISTINCT device_id AS id FROM key_grants
     WHERE ${given} AND package_id IN (SELECT value FROM json_each($packages))`,
  );
  const tasksOf = database.query<{ id: number }, { id: string }>(
    "SELECT id FROM tasks WHERE package_id = $id AND state IN ('active', 'paused')",
  );
  const renewTask = database.query("UPDATE tasks SET task_key = $key WHERE id = $id");
  const renewPackages = renewal(database, false);
  return {
    packagesOf: async (ids) => packagesOf.all({ devices: JSON.stringify(ids) }).map(({ id }) => id),
    async renew(packages, atMs) {
      database
        .transaction(() => {
          renewPackages(packages, atMs);
          for (const id of packages)
            for (const task of tasksOf.all({ id }))
              renewTask.run({ id: task.id, key: randomBytes(lanKeyBytes) });
        })
        .immediate();
      if (packages.length > 0) clearLog(database);
    },
    async forget(ids) {
      forget.run({ devices: JSON.stringify(ids) });
    },
    holdersAmong: async (ids, packages) =>
      holders.all({ devices: JSON.stringify(ids), packages: JSON.stringify(packages) }).map(({ id }) => id),
  };
}

function beginEpochs(database: Database): LanKeyStore["beginEpochs"] {
  // A clock that was set back must not stop the epochs.
  const due = database.query<{ id: string }, { untilMs: number; atMs: number }>(
    "SELECT id FROM packages WHERE key_began_ms <= $untilMs OR key_began_ms > $atMs",
  );
  const endOverlaps = database.query(
    "UPDATE packages SET previous_key = NULL WHERE previous_key IS NOT NULL AND key_began_ms <= $untilMs",
  );
  const renew = renewal(database, true);
  return async (atMs) => {
    const [ids, ended] = database
      .transaction(() => {
        const packages = due.all({ untilMs: atMs - epochMs, atMs }).map(({ id }) => id);
        renew(packages, atMs);
        return [packages, endOverlaps.run({ untilMs: atMs - overlapMs }).changes] as const;
      })
      .immediate();
    if (ids.length > 0 || ended > 0) clearLog(database);
    return ids;
  };
}

export function sqliteLanKeys(database: Database): LanKeyStore {
  const byId = database.query<Row, { id: string }>(
    "SELECT id, package_key, previous_key FROM packages WHERE id = $id",
  );
  const isGranted = database.query<{ found: number }, { deviceId: string; id: string }>(
    "SELECT 1 AS found FROM key_grants WHERE device_id = $deviceId AND package_id = $id",
  );
  const grant = database.query(
    "INSERT OR IGNORE INTO key_grants (device_id, package_id) VALUES ($deviceId, $id)",
  );
  const keysOf = (ids: readonly string[]): PackageKeys[] =>
    ids.flatMap((id) => {
      const row = byId.get({ id });
      return row ? [toKeys(row)] : [];
    });
  return {
    async grant(deviceId, packageIds) {
      const keys = keysOf(packageIds);
      // Most check-ins grant nothing new, and write nothing.
      const fresh = keys.filter(({ packageId: id }) => isGranted.get({ deviceId, id }) === null);
      if (fresh.length > 0)
        database.transaction(() => fresh.forEach(({ packageId: id }) => grant.run({ deviceId, id })))();
      return keys;
    },
    granted: async (deviceId, packageIds) =>
      keysOf(packageIds.filter((id) => isGranted.get({ deviceId, id }) !== null)),
    beginEpochs: beginEpochs(database),
    ...removal(database),
  };
}
