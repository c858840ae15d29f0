/**
 * Tables of the SQLite catalog, and the steps that upgrade an older file. `user_version` counts the
 * steps. A file of a newer program is refused, because writing to unknown tables would lose data.
 */
import type { Database } from "bun:sqlite";
import { firstSteps } from "./first-migrations.ts";

const steps: readonly string[] = [
  ...firstSteps,
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
  // Ids of tasks repeat after a restore from a backup, in another epoch.
  `
  ALTER TABLE tasks ADD COLUMN epoch TEXT NOT NULL DEFAULT '';
  `,
  // WAN account by hour, package and subnet, which outlives packages and tasks. Bytes of earlier
  // versions have no hour: they count for the hour of the upgrade.
  `
  CREATE TABLE wan_packages (
    number INTEGER PRIMARY KEY,
    package_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    size_bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE wan_subnets (
    subnet_id TEXT PRIMARY KEY,
    cidr TEXT NOT NULL,
    site TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- direct_bytes: what would have crossed if each device had downloaded for itself.
  CREATE TABLE wan_hours (
    hour INTEGER NOT NULL,
    package INTEGER NOT NULL,
    subnet_id TEXT NOT NULL,
    source_bytes INTEGER NOT NULL,
    web_bytes INTEGER NOT NULL,
    direct_bytes INTEGER NOT NULL,
    PRIMARY KEY (hour, package, subnet_id)
  ) STRICT, WITHOUT ROWID;
  -- Counters of a device: sent by the source, reported as fetched, and counted as from web sites.
  CREATE TABLE wan_devices (
    package INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    sent_bytes INTEGER NOT NULL DEFAULT 0,
    fetched_bytes INTEGER NOT NULL DEFAULT 0,
    web_bytes INTEGER NOT NULL DEFAULT 0,
    is_complete INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (package, device_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE wan_tasks (
    task_id INTEGER NOT NULL,
    subnet_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (task_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE wan_totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source_bytes INTEGER NOT NULL,
    web_bytes INTEGER NOT NULL,
    direct_bytes INTEGER NOT NULL
  ) STRICT;
  INSERT INTO wan_packages (package_id, name, version, size_bytes)
    SELECT package_id, min(package_name), min(package_version), min(package_bytes) FROM tasks GROUP BY package_id;
  INSERT INTO wan_subnets SELECT subnet_id, min(subnet_cidr), min(subnet_site) FROM devices
    WHERE subnet_id IS NOT NULL GROUP BY subnet_id;
  INSERT INTO wan_devices (package, device_id, fetched_bytes, sent_bytes, web_bytes, is_complete)
    SELECT number, device_id, fetched, iif(has_urls, 0, fetched), iif(has_urls, fetched, 0), is_complete
    FROM (
      SELECT number, device_id, sum(json_extract(report_json, '$.wanBytesFetched')) AS fetched,
        max(progress.state IN ('complete', 'reboot-pending')) AS is_complete,
        EXISTS (SELECT 1 FROM package_urls WHERE package_urls.package_id = tasks.package_id) AS has_urls
      FROM progress JOIN tasks ON tasks.id = task_id JOIN wan_packages USING (package_id)
      GROUP BY number, device_id
    );
  INSERT INTO wan_hours
    SELECT CAST(strftime('%s', 'now') AS INTEGER) / 3600, package, coalesce(subnet_id, ''), sum(sent_bytes),
      sum(web_bytes), sum(iif(is_complete, size_bytes, 0))
    FROM wan_devices JOIN wan_packages ON number = package JOIN devices ON id = device_id
    GROUP BY package, coalesce(subnet_id, '');
  INSERT INTO wan_totals
    SELECT 1, coalesce(sum(source_bytes), 0), coalesce(sum(web_bytes), 0), coalesce(sum(direct_bytes), 0)
    FROM wan_hours;
  INSERT INTO wan_tasks
    SELECT task_id, coalesce(subnet_id, ''), sum(json_extract(report_json, '$.wanBytesFetched'))
    FROM progress JOIN devices ON id = device_id GROUP BY 1, 2;
  DROP TABLE wan_account;
  DROP TABLE wan_baseline;
  `,
  // Life of a device: identity of its machine, takeover, removal, clones, packages in its cache.
  `
  ALTER TABLE devices ADD COLUMN machine TEXT;
  ALTER TABLE devices ADD COLUMN display_name TEXT;
  ALTER TABLE devices ADD COLUMN suspended_at_ms INTEGER;
  ALTER TABLE devices ADD COLUMN taken_over_at_ms INTEGER;
  ALTER TABLE devices ADD COLUMN removed_at_ms INTEGER;
  ALTER TABLE devices ADD COLUMN removed_why TEXT;
  -- Process that holds a credential that was never used, and the time of the credential.
  ALTER TABLE devices ADD COLUMN unused_instance TEXT;
  ALTER TABLE devices ADD COLUMN unused_since_ms INTEGER;
  -- Row whose credential several processes used, and the process that got this row instead.
  ALTER TABLE devices ADD COLUMN cloned_from TEXT;
  ALTER TABLE devices ADD COLUMN clone_instance TEXT;
  ALTER TABLE devices ADD COLUMN checked_in_at_ms INTEGER;
  ALTER TABLE devices ADD COLUMN packages_json TEXT NOT NULL DEFAULT '[]';
  CREATE INDEX devices_by_machine ON devices (machine) WHERE machine IS NOT NULL;
  CREATE UNIQUE INDEX devices_by_clone ON devices (cloned_from, clone_instance) WHERE cloned_from IS NOT NULL;
  CREATE TABLE replaced_credentials (
    credential_sha256 TEXT PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    replaced_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX replaced_credentials_by_device ON replaced_credentials (device_id);
  -- Devices without which a task ended, because they were not seen after its creation.
  CREATE TABLE task_absentees (
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    PRIMARY KEY (device_id, task_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX task_absentees_by_task ON task_absentees (task_id);
  `,
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
