/**
 * Catalog in one SQLite file (WAL): opens, locks and migrates the file and creates its first
 * contents. Each store has a module of its own in this folder.
 *
 * The file stays locked while the source runs. A second source on the same folder would grant
 * leases twice and notify no device, so it is refused with an error.
 */
import { Database, SQLiteError } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, statSync } from "node:fs";
import { preparePrivateDatabase } from "../../platform/private-files.ts";
import { rootSetting } from "../../model/setting-inheritance.ts";
import type { AddressStore, Catalog } from "./catalog.ts";
import { migrate } from "./migrations.ts";
import { auditedStores } from "./audited-catalog.ts";
import { sqliteAudit } from "./sqlite-audit.ts";
import { sqliteDeviceLife } from "./sqlite-device-life.ts";
import { sqliteDeviceList } from "./sqlite-device-list.ts";
import { sqliteDevices } from "./sqlite-devices.ts";
import { sqliteDeviceLogs, sqliteDeviceStatements } from "./sqlite-device-statements.ts";
import { sqliteDevicePackages } from "./sqlite-device-packages.ts";
import { sqliteLabels } from "./sqlite-labels.ts";
import { sqliteLanKeys } from "./sqlite-lan-keys.ts";
import { sqliteLeases } from "./sqlite-leases.ts";
import { sqlitePackages } from "./sqlite-packages.ts";
import { sqliteSessions } from "./sqlite-sessions.ts";
import { sqliteSettings } from "./sqlite-settings.ts";
import { sqliteSubnets } from "./sqlite-subnets.ts";
import { sqliteTaskCourse } from "./sqlite-task-course.ts";
import { sqliteTasks } from "./sqlite-tasks.ts";
import { sqliteTrust } from "./sqlite-trust.ts";
import { sqliteWebhooks } from "./sqlite-webhooks.ts";
import { sqliteTokens } from "./sqlite-tokens.ts";
import { sqliteSingleSignOn, sqliteUsers } from "./sqlite-users.ts";
import { sqliteWakes } from "./sqlite-wakes.ts";
import { sqliteWanAccount } from "./sqlite-wan-account.ts";

const damaged = (how: string): string =>
  `it is damaged (${how.replaceAll(/\s+/g, " ")}): restore a backup, or move the file away to start with an empty catalog`;

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = error instanceof SQLiteError ? (error.code ?? "") : "";
  if (code.startsWith("SQLITE_BUSY")) return "another source is running on this folder: stop it first";
  if (code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT")) {
    return damaged(error.message);
  }
  return error.message;
}

/**
 * Largest catalog that is checked for damage at each start, which reads all of it: a second or two.
 * Damage of a larger one is found when the damaged page is read.
 */
const checkedBytesMax = 256 * 1_048_576;

function open(path: string, checkedBytes: number): Database {
  // The file holds the keys of the tasks. SQLite gives new side files the same mode.
  preparePrivateDatabase(path);
  const database = new Database(path, { create: true, strict: true });
  try {
    database.run("PRAGMA busy_timeout = 500");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    // With NORMAL, a published package or a granted lease survives a crash of the program. A power
    // failure may lose the last moments, and agents then repeat their requests.
    database.run("PRAGMA synchronous = NORMAL");
    database.run("PRAGMA foreign_keys = ON");
    // Keys that were replaced or erased leave no bytes in unused parts of the file.
    database.run("PRAGMA secure_delete = ON");
    // Notes of changed devices (sqlite-device-index.ts) cost no file.
    database.run("PRAGMA temp_store = MEMORY");
    // KiB; the default of 2 MiB reads pages of a large fleet again and again.
    database.run("PRAGMA cache_size = -65536");
    if (statSync(path).size <= checkedBytes) {
      const checked = database.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
      if (checked?.quick_check !== "ok") throw new Error(damaged(checked?.quick_check ?? "unreadable"));
    }
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function deploymentOf(database: Database): number {
  database
    .query("INSERT OR IGNORE INTO meta (key, value) VALUES ('deployment', $value)")
    .run({ value: String(randomBytes(4).readUInt32BE()) });
  const row = database.query<{ value: string }, []>("SELECT value FROM meta WHERE key = 'deployment'").get();
  return Number(row!.value);
}

function sqliteAddress(database: Database): AddressStore {
  const key = "announced-url";
  return {
    async announced() {
      const row = database
        .query<{ value: string }, { key: string }>("SELECT value FROM meta WHERE key = $key")
        .get({ key });
      return row?.value ?? null;
    },
    async announce(url) {
      if (url === null) database.query("DELETE FROM meta WHERE key = $key").run({ key });
      else
        database
          .query("INSERT OR REPLACE INTO meta (key, value) VALUES ($key, $value)")
          .run({ key, value: url });
    },
  };
}

function snapshot(database: Database, path: string): void {
  // SQLite takes an empty file, and keeps its mode.
  closeSync(openSync(path, "wx", 0o600));
  database.query("VACUUM INTO $path").run({ path });
}

/** Begins another epoch: the file may be an older copy of the one that the last run wrote. */
function renewEpoch(database: Database): string {
  const value = randomBytes(8).toString("hex");
  database.query("INSERT OR REPLACE INTO meta (key, value) VALUES ('epoch', $value)").run({ value });
  return value;
}

async function storesOf(database: Database, nowMs: () => number): Promise<Catalog> {
  const { store: audit, append } = sqliteAudit(database, nowMs);
  const { store: plainSettings, forget: onRollback } = sqliteSettings(database);
  const epoch = renewEpoch(database);
  const stores = auditedStores(
    { database, append, onRollback },
    {
      life: sqliteDeviceLife(database),
      logs: sqliteDeviceLogs(database),
      packages: sqlitePackages(database),
      tasks: sqliteTasks(database, epoch),
      settings: plainSettings,
      subnets: sqliteSubnets(database),
      labels: sqliteLabels(database),
      address: sqliteAddress(database),
      tokens: sqliteTokens(database),
      webhooks: sqliteWebhooks(database),
      trust: sqliteTrust(database),
      users: sqliteUsers(database),
      sessions: sqliteSessions(database),
      singleSignOn: sqliteSingleSignOn(database),
    },
  );
  const { settings } = stores;
  await settings.change(rootSetting, Date.now(), (tree) =>
    tree.has(rootSetting) ? null : { parent: null, differences: {} },
  );
  return {
    ...stores,
    epoch,
    deployment: deploymentOf(database),
    devices: sqliteDevices(database),
    deviceList: sqliteDeviceList(database),
    courses: sqliteTaskCourse(database),
    statements: sqliteDeviceStatements(database),
    leases: sqliteLeases(database),
    devicePackages: sqliteDevicePackages(database),
    lanKeys: sqliteLanKeys(database),
    wan: sqliteWanAccount(database),
    wakes: sqliteWakes(database),
    audit,
    snapshot: async (path) => snapshot(database, path),
    close: () => database.close(),
  };
}

/**
 * Opens the catalog, and creates it if the file does not exist.
 *
 * @param checkedBytes largest file that is checked for damage
 * @param nowMs clock of the audit
 * @throws Error that names the file, what is wrong with it and what to do
 */
export async function openSqliteCatalog(
  path: string,
  checkedBytes = checkedBytesMax,
  nowMs: () => number = Date.now,
): Promise<Catalog> {
  let database: Database | null = null;
  try {
    database = open(path, checkedBytes);
    return await storesOf(database, nowMs);
  } catch (error) {
    database?.close();
    throw new Error(`Cannot open the catalog "${path}": ${explain(error)}`, { cause: error });
  }
}
