/**
 * Tables of the SQLite catalog, and the steps that upgrade an older file. `user_version` counts the
 * steps. A file of a newer program is refused, because writing to unknown tables would lose data.
 */
import type { Database } from "bun:sqlite";
import { wanAccountStep } from "./wan-account-step.ts";

const steps: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    credential_sha256 TEXT NOT NULL UNIQUE,
    hostname TEXT NOT NULL,
    os TEXT NOT NULL,
    arch TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    enrolled_at_ms INTEGER NOT NULL,
    last_seen_at_ms INTEGER NOT NULL,
    subnet_id TEXT,
    subnet_cidr TEXT,
    subnet_site TEXT,
    groups_json TEXT NOT NULL DEFAULT '[]',
    inventory_json TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE publisher_keys (key BLOB PRIMARY KEY, registered_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE packages (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE,
    version TEXT NOT NULL COLLATE NOCASE,
    size_bytes INTEGER NOT NULL,
    file_count INTEGER NOT NULL,
    chunk_size_bytes INTEGER NOT NULL,
    url TEXT,
    state TEXT NOT NULL CHECK (state IN ('uploading', 'ready')),
    published_at_ms INTEGER NOT NULL,
    package_key BLOB NOT NULL,
    manifest BLOB NOT NULL,
    signature BLOB NOT NULL,
    publisher_key BLOB NOT NULL,
    UNIQUE (name, version)
  ) STRICT;
  CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    values_json TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id TEXT NOT NULL REFERENCES packages (id),
    action TEXT NOT NULL,
    command TEXT,
    setting_name TEXT NOT NULL REFERENCES settings (name),
    target TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'cancelled')),
    created_at_ms INTEGER NOT NULL,
    start_at_ms INTEGER NOT NULL,
    task_key BLOB NOT NULL
  ) STRICT;
  CREATE TABLE progress (
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    state TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    report_json TEXT NOT NULL,
    PRIMARY KEY (task_id, device_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX progress_by_device ON progress (device_id, state);
  CREATE TABLE leases (
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    subnet_id TEXT NOT NULL,
    state_json TEXT NOT NULL,
    PRIMARY KEY (task_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE wan_account (
    package_id TEXT NOT NULL,
    subnet_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (package_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  -- Account at the creation of the task: bytes of a package's earlier tasks do not count for this one.
  CREATE TABLE wan_baseline (
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    subnet_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (task_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  `,
  // A lease belongs to the package, not to a task: its bytes cross the WAN once per subnet for all
  // its tasks.
  `
  DROP TABLE leases;
  CREATE TABLE leases (
    package_id TEXT NOT NULL REFERENCES packages (id),
    subnet_id TEXT NOT NULL,
    state_json TEXT NOT NULL,
    PRIMARY KEY (package_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  `,
  // A published version can get another URL, so URLs are not part of the signed manifest.
  `
  CREATE TABLE package_urls (
    package_id TEXT NOT NULL REFERENCES packages (id),
    position INTEGER NOT NULL,
    url TEXT NOT NULL,
    layout TEXT NOT NULL CHECK (layout IN ('file', 'folder')),
    PRIMARY KEY (package_id, position),
    UNIQUE (package_id, url)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO package_urls
    SELECT id, 1, url, iif(file_count = 1, 'file', 'folder') FROM packages WHERE url IS NOT NULL;
  ALTER TABLE packages DROP COLUMN url;
  `,
  // Named commands of packages, from their manifests, and the command that a task names.
  `
  ALTER TABLE packages ADD COLUMN commands_json TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE tasks ADD COLUMN run TEXT;
  `,
  // Subnets that are one: devices of both confirmed each other. `subnet_id` is the subnet after
  // merges, `own_subnet_id` the identity of the device alone.
  `
  ALTER TABLE devices ADD COLUMN own_subnet_id TEXT;
  ALTER TABLE devices ADD COLUMN own_subnet_site TEXT;
  ALTER TABLE devices ADD COLUMN subnet_group TEXT;
  ALTER TABLE devices ADD COLUMN remote_address TEXT;
  ALTER TABLE devices ADD COLUMN lan_address TEXT;
  ALTER TABLE devices ADD COLUMN lan_port INTEGER NOT NULL DEFAULT 0;
  UPDATE devices SET own_subnet_id = subnet_id, own_subnet_site = subnet_site;
  CREATE INDEX devices_by_cidr ON devices (subnet_cidr, subnet_group, subnet_id);
  CREATE INDEX devices_by_remote ON devices (remote_address, subnet_cidr);
  -- device_id is empty for a merge of all devices with this identity.
  CREATE TABLE subnet_merges (
    device_id TEXT NOT NULL,
    subnet_id TEXT NOT NULL,
    into_id TEXT NOT NULL,
    into_site TEXT NOT NULL,
    confirmed_by_json TEXT NOT NULL,
    merged_at_ms INTEGER NOT NULL,
    PRIMARY KEY (device_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX subnet_merges_by_target ON subnet_merges (into_id);
  `,
  // Cancelled tasks are removed some time after their cancellation.
  `
  ALTER TABLE tasks ADD COLUMN cancelled_at_ms INTEGER;
  `,
  // Devices that take part in the session of a subnet are counted before it starts.
  "CREATE INDEX devices_by_subnet ON devices (subnet_id);",
  // Tasks end and expire, and outlast their package. An attempt is repeated on devices that failed.
  `
  CREATE TABLE tasks_2 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL,
    package_id TEXT NOT NULL,
    package_name TEXT NOT NULL,
    package_version TEXT NOT NULL,
    package_bytes INTEGER NOT NULL,
    action TEXT NOT NULL,
    command TEXT,
    run TEXT,
    allow_downgrade INTEGER NOT NULL,
    setting_name TEXT NOT NULL REFERENCES settings (name),
    target TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'cancelled', 'ended')),
    ended_why TEXT,
    ended_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    start_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    task_key BLOB NOT NULL
  ) STRICT;
  CREATE TABLE progress_2 (
    task_id INTEGER NOT NULL REFERENCES tasks_2 (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    has_begun INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    report_json TEXT NOT NULL,
    PRIMARY KEY (task_id, device_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE wan_baseline_2 (
    task_id INTEGER NOT NULL REFERENCES tasks_2 (id),
    subnet_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (task_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO tasks_2
    SELECT tasks.id, 1, package_id, name, packages.version, size_bytes, action, command, run, 0, setting_name,
      target, tasks.state, NULL, cancelled_at_ms, created_at_ms, start_at_ms, start_at_ms + 7776000000, task_key
    FROM tasks JOIN packages ON packages.id = package_id;
  INSERT INTO progress_2
    SELECT task_id, device_id, 1, state, state = 'running' OR json_extract(report_json, '$.command') IS NOT NULL,
      updated_at_ms, report_json
    FROM progress;
  INSERT INTO wan_baseline_2 SELECT task_id, subnet_id, bytes FROM wan_baseline;
  -- Ids of removed tasks are not used again: devices still know them.
  DELETE FROM sqlite_sequence WHERE name = 'tasks_2';
  INSERT INTO sqlite_sequence (name, seq) SELECT 'tasks_2', seq FROM sqlite_sequence WHERE name = 'tasks';
  DROP TABLE progress;
  DROP TABLE wan_baseline;
  DROP TABLE tasks;
  ALTER TABLE tasks_2 RENAME TO tasks;
  ALTER TABLE progress_2 RENAME TO progress;
  ALTER TABLE wan_baseline_2 RENAME TO wan_baseline;
  CREATE INDEX progress_by_device ON progress (device_id, state);
  CREATE INDEX tasks_open ON tasks (state, expires_at_ms);
  `,
  // Order of commands on a device, and cancellations that end a running command.
  `
  ALTER TABLE tasks ADD COLUMN after_task INTEGER;
  ALTER TABLE tasks ADD COLUMN kills INTEGER NOT NULL DEFAULT 0;
  `,
  // When the command of a task begins.
  `
  ALTER TABLE tasks ADD COLUMN start_is_local INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE tasks ADD COLUMN deadline_at_ms INTEGER;
  ALTER TABLE tasks ADD COLUMN not_while_json TEXT NOT NULL DEFAULT '[]';
  `,
  // The reason of a report is a list of codes with parameters, and no sentence.
  `
  UPDATE progress SET report_json = json_set(json_remove(report_json, '$.reason'), '$.reasons',
    CASE coalesce(json_extract(report_json, '$.reason'), '')
      WHEN '' THEN json_array()
      ELSE json_array(json_object('code', 'problem', 'detail', substr(json_extract(report_json, '$.reason'), 1, 1024)))
    END)
  WHERE json_type(report_json, '$.reasons') IS NULL;
  `,
  // Properties that targets name: tags and sites, given at the source, facts, and packages.
  // `groups_json` are the wishes of a device. A declared group is a tag that may have no device.
  `
  ALTER TABLE devices ADD COLUMN tags_json TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE devices ADD COLUMN facts_json TEXT NOT NULL DEFAULT '{}';
  -- Last delivery mode, its causes, and the identity of the subnet where it was.
  ALTER TABLE devices ADD COLUMN way TEXT;
  ALTER TABLE devices ADD COLUMN way_causes_json TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE devices ADD COLUMN way_subnet_id TEXT;
  CREATE TABLE groups (
    folded TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE sites (
    id INTEGER PRIMARY KEY,
    folded TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE subnet_labels (
    subnet_id TEXT PRIMARY KEY,
    name TEXT,
    site_id INTEGER REFERENCES sites (id) ON DELETE SET NULL
  ) STRICT, WITHOUT ROWID;
  -- ran_order: counts the successful commands of the device; null: cached only.
  CREATE TABLE device_packages (
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    package_name TEXT NOT NULL COLLATE NOCASE,
    package_version TEXT NOT NULL,
    ran_order INTEGER,
    removed INTEGER NOT NULL,
    PRIMARY KEY (device_id, package_name, package_version)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX device_packages_by_name ON device_packages (package_name);
  INSERT OR REPLACE INTO device_packages
    SELECT device_id, package_name, package_version,
      iif(action = 'run', row_number() OVER (PARTITION BY device_id ORDER BY updated_at_ms), NULL), run IS 'uninstall'
    FROM progress JOIN tasks ON tasks.id = task_id
    WHERE progress.state IN ('complete', 'reboot-pending') ORDER BY action = 'run', updated_at_ms;
    `,
  // A setting keeps its differences to its parent; `default` those to the values that were built in
  // at this step. A task without a setting uses each device's own one.
  `
  ALTER TABLE settings ADD COLUMN parent TEXT REFERENCES settings (name) ON UPDATE CASCADE;
  UPDATE settings SET parent = 'default' WHERE name <> 'default';
  UPDATE settings SET values_json = (
    SELECT json_group_object(own.key, json(settings.values_json -> own.key))
    FROM json_each(settings.values_json) own
    WHERE settings.values_json -> own.key IS NOT
      (SELECT root.values_json FROM settings root WHERE root.name = 'default') -> own.key)
  WHERE name <> 'default';
  UPDATE settings SET values_json = (
    SELECT json_group_object(own.key, json(settings.values_json -> own.key))
    FROM json_each(settings.values_json) own WHERE settings.values_json -> own.key IS NOT
    ('{"useMulticast":true,"wirelessMulticast":false,"sessionStartDelayMs":60000,' ||
    '"startWhenAllPresent":true,"wanRateBps":null,"wanSchedule":[],"lanRateBps":null,"wanAttempts":8,' ||
    '"wanStallMs":30000,"wanFallback":"last-resort","useDeputy":true,"cacheMaxBytes":null,' ||
    '"cacheMaxAgeMs":7776000000,"cacheKeepFree":{"percent":10},"checkInIntervalMs":86400000,' ||
    '"reportIntervalMs":2000,"representativeWeight":50,"commandTimeoutMs":3600000,' ||
    '"commandSuccessExitCodes":[0],"commandRebootExitCodes":[194,1641,3010],' ||
    '"commandBusyExitCodes":[75,1618],"commandAttempts":10,"runSchedule":[],' ||
    '"runWhileUserActive":true,"userIdleMs":600000,"runDeferrals":null,"runDeferralMs":3600000,' ||
    '"startJitterMs":30000,"upgradeConfirmMs":300000}') -> own.key)
  WHERE name = 'default';
  ALTER TABLE settings RENAME COLUMN values_json TO differences_json;
  CREATE TABLE setting_versions (
    name TEXT NOT NULL REFERENCES settings (name) ON UPDATE CASCADE ON DELETE CASCADE,
    version INTEGER NOT NULL,
    parent TEXT,
    differences_json TEXT NOT NULL,
    changed_at_ms INTEGER,
    changed_by TEXT,
    PRIMARY KEY (name, version)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO setting_versions
    SELECT name, version, parent, differences_json, NULL, NULL FROM settings;
  CREATE TABLE setting_assignments (
    rank INTEGER PRIMARY KEY,
    setting TEXT NOT NULL REFERENCES settings (name) ON UPDATE CASCADE,
    target TEXT NOT NULL UNIQUE
  ) STRICT;
  ALTER TABLE tasks ADD COLUMN setting TEXT;
  UPDATE tasks SET setting = nullif(setting_name, 'default');
  ALTER TABLE tasks DROP COLUMN setting_name;
  `,
  // Ids of tasks repeat after a restore from a backup, in another epoch.
  `
  ALTER TABLE tasks ADD COLUMN epoch TEXT NOT NULL DEFAULT '';
  `,
  wanAccountStep,
];

export const catalogVersion = steps.length;

/**
 * Upgrades the file to this program's version in one transaction.
 *
 * @param version lower in tests that need the file of an earlier program
 * @throws Error when a newer program wrote the file
 */
export function migrate(database: Database, version = catalogVersion): void {
  const found = database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
  if (found > catalogVersion) {
    throw new Error(
      `the file has version ${found}, this program knows ${catalogVersion}: use the newer program, or a backup`,
    );
  }
  database
    .transaction(() => {
      for (const step of steps.slice(found, version)) database.run(step);
      database.run(`PRAGMA user_version = ${version}`);
    })
    .immediate();
  // Returns the pages of dropped tables: damage of unused pages cannot be found.
  if (found < catalogVersion) database.run("VACUUM");
}
