/**
 * Catalog of a large fleet, filled by SQL: devices in subnets, sites, rooms and tasks with their
 * reports. A fill through the API would take an hour.
 */
import { Database } from "bun:sqlite";
import { inventoryOf, reportOf } from "../../shared/source/app-fixture.ts";
import { openSqliteCatalog } from "../../shared/source/catalog/index.ts";

export type FleetSize = {
  readonly devices: number;
  readonly subnets: number;
  readonly tasks: number;
  /** Tasks whose target is all devices; the others are for one room. */
  readonly tasksForAll: number;
};

/** Rooms; each device has the tag of one. */
export const rooms = 200;
const sites = 50;
const packages = 100;
const people = 1_000;
const auditRows = 100_000;
const settings = 40;

const numbers = (count: string): string =>
  `WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ${count})`;

/** State of a device's report: nine of ten are complete, and some failed or have not ended. */
const stateSql = `CASE WHEN (devices.rowid_ * 7 + tasks.id) % 20 = 0 THEN 'failed'
  WHEN (devices.rowid_ * 7 + tasks.id) % 20 = 1 THEN 'receiving' ELSE 'complete' END`;

function fillDevices(database: Database, { devices, subnets }: FleetSize, nowMs: number): void {
  const inventory = JSON.stringify(inventoryOf("pc"));
  const facts = JSON.stringify({
    deviceClass: "desktop",
    onBattery: false,
    memoryBytes: 8e9,
    medium: "wired",
  });
  database
    .query(
      `${numbers("$devices")}
       INSERT INTO devices (id, credential_sha256, hostname, os, arch, agent_version, enrolled_at_ms, last_seen_at_ms,
         subnet_id, subnet_cidr, subnet_site, own_subnet_id, own_subnet_site, subnet_group, groups_json, tags_json,
         facts_json, packages_json, checked_in_at_ms, way, way_subnet_id)
       SELECT printf('%016x', n), printf('%064x', n), 'pc-' || printf('%06d', (n * 7919) % $devices),
         'Windows_NT 10.0.' || (22000 + n % 3), 'x64', '0.1.' || (n % 4), $nowMs - 1000000000 + n, $nowMs - n % 86400000,
         printf('%016x', n % $subnets), '10.' || (n % $subnets / 250) || '.' || (n % $subnets % 250) || '.0/24', 'gateway',
         printf('%016x', n % $subnets), 'gateway', '', '[]', json_array('room-' || (n % ${rooms})), $facts,
         '[]', $nowMs, 'multicast', printf('%016x', n % $subnets)
       FROM numbers`,
    )
    .run({ devices, subnets, nowMs, facts });
  database
    .query(
      `INSERT INTO device_inventories (device_id, inventory_json)
       SELECT id, json_set($inventory, '$.hostname', hostname) FROM devices`,
    )
    .run({ inventory });
  database
    .query(
      `${numbers(String(sites))} INSERT INTO sites (folded, name, created_at_ms)
       SELECT 'site-' || n, 'site-' || n, $nowMs FROM numbers`,
    )
    .run({ nowMs });
  database
    .query(
      `${numbers("$subnets")} INSERT INTO subnet_labels (subnet_id, name, site_id)
       SELECT printf('%016x', n), 'floor-' || n, 1 + n % ${sites} FROM numbers`,
    )
    .run({ subnets });
}

function fillTasks(database: Database, size: FleetSize, nowMs: number): void {
  const { tasks, tasksForAll, devices } = size;
  database
    .query(
      `${numbers(String(packages))} INSERT INTO packages (id, name, version, size_bytes, file_count, chunk_size_bytes,
         state, published_at_ms, package_key, manifest, signature, publisher_key)
       SELECT printf('%064x', n), 'package-' || (n / 2), '1.' || (n % 2), 1000000000, 10, 262144, 'ready', $nowMs + n,
         zeroblob(16), zeroblob(4096), zeroblob(64), zeroblob(32) FROM numbers`,
    )
    .run({ nowMs });
  database
    .query(
      `${numbers("$tasks")} INSERT INTO tasks (epoch, version, package_id, package_name, package_version, package_bytes,
         action, run, allow_downgrade, target, state, created_at_ms, start_at_ms, expires_at_ms, task_key)
       SELECT '', 1, packages.id, name, packages.version, size_bytes, iif(n < $all, 'pre-cache', 'run'),
         iif(n < $all, NULL, 'install'), 0, iif(n < $all, 'all', 'tag=room-' || (n % ${rooms})), 'active',
         $nowMs - 500000000, $nowMs - 500000000, $nowMs + 5000000000, zeroblob(16)
       FROM numbers JOIN packages ON packages.rowid = 1 + n % ${packages}`,
    )
    .run({ tasks, all: tasksForAll, nowMs });
  const report = JSON.stringify(reportOf(1, "complete", { way: "multicast", epoch: "", createdAtMs: 0 }));
  database
    .query(
      `WITH devices (id, rowid_) AS (SELECT id, row_number() OVER (ORDER BY id) - 1 FROM main.devices),
       tasks (id, number) AS (SELECT id, id - 1 FROM main.tasks)
       INSERT INTO progress (task_id, device_id, attempt, state, has_begun, updated_at_ms, report_json)
       SELECT tasks.id, devices.id, 1, ${stateSql}, 0, $nowMs,
         json_set($report, '$.taskId', tasks.id, '$.state', ${stateSql})
       FROM tasks JOIN devices ON tasks.number < $all OR devices.rowid_ % ${rooms} = tasks.number % ${rooms}
       WHERE devices.rowid_ < $devices * 9 / 10`,
    )
    .run({ all: tasksForAll, devices, nowMs, report });
  database.run(
    `INSERT OR IGNORE INTO device_packages (device_id, package_name, package_version, ran_order, removed)
     SELECT device_id, package_name, package_version, iif(action = 'run', 1, NULL), 0
     FROM progress JOIN tasks ON tasks.id = task_id WHERE progress.state = 'complete'`,
  );
}

function fillPeople(database: Database, nowMs: number): void {
  database
    .query(
      `${numbers(String(people))} INSERT INTO users (folded, name, role, scope_json, password_hash, created_at_ms)
       SELECT 'user-' || n, 'user-' || n, 'viewer', '[]', 'none', $nowMs FROM numbers`,
    )
    .run({ nowMs });
  database
    .query(
      `${numbers(String(people))} INSERT INTO tokens (id, sha256, kind, name, role, scope_json, tags_json, needs_approval,
         approves_takeovers, uses, created_at_ms, created_by)
       SELECT printf('%016x', n), printf('%064x', n), 'person', 'token-' || n, 'viewer', '[]', '[]', 0, 0, 0,
         $nowMs + n, 'admin' FROM numbers`,
    )
    .run({ nowMs });
  database
    .query(
      `${numbers(String(auditRows))} INSERT INTO audit (sequence, at_ms, actor, kind, address, action, object, result,
         count, previous, hash)
       SELECT 1000 + n, $nowMs + n, 'user-' || (n % 100), 'session', '10.0.0.1', 'PATCH /v1/devices/:device',
         'device ' || printf('%016x', n), 'done', 1, '', '' FROM numbers`,
    )
    .run({ nowMs });
  database
    .query(
      `${numbers(String(settings))} INSERT INTO settings (name, version, parent, differences_json)
       SELECT 'setting-' || n, 1, 'default', '{}' FROM numbers`,
    )
    .run();
  database
    .query(
      `${numbers(String(settings))} INSERT INTO setting_assignments (rank, setting, target)
       SELECT n + 1, 'setting-' || n, 'site=site-' || n FROM numbers`,
    )
    .run();
}

/** Writes the catalog to a file that does not exist yet. */
export async function fillCatalog(path: string, size: FleetSize, nowMs: number): Promise<void> {
  (await openSqliteCatalog(path)).close();
  const database = new Database(path, { strict: true });
  database.run("PRAGMA synchronous = OFF");
  database.transaction(() => {
    fillDevices(database, size, nowMs);
    fillTasks(database, size, nowMs);
    fillPeople(database, nowMs);
  })();
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}
