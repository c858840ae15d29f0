/**
 * Tables of the SQLite catalog, and the steps that upgrade an older file. `user_version` counts the
 * steps. A file of a newer program is refused, because writing to unknown tables would lose data.
 */
import type { Database } from "bun:sqlite";
import { deviceEventsStep } from "./device-events-step.ts";
import { firstSteps } from "./first-migrations.ts";
import { listsStep } from "./lists-step.ts";
import { packageIndexStep } from "./sqlite-device-packages.ts";
import { lanKeyStep } from "./sqlite-lan-keys.ts";
import { taskCourseStep } from "./task-course-step.ts";
import { wakesStep } from "./wakes-step.ts";
import { usersStep } from "./users-step.ts";
import { webhooksStep } from "./webhooks-step.ts";
import { wanAccountStep } from "./wan-account-step.ts";

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
  // Signed statements: versions of the trust file, and the newest order about each subject.
  `
  CREATE TABLE trust_files (version INTEGER PRIMARY KEY, signed_json TEXT NOT NULL) STRICT;
  CREATE TABLE orders (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    signed_json TEXT,
    pending_json TEXT,
    PRIMARY KEY (kind, subject)
  ) STRICT, WITHOUT ROWID;
  -- Attempts that an administrator has allowed to each device.
  ALTER TABLE tasks ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
  DROP TABLE publisher_keys;
  `,
  // Tokens of people and of enrolments, and the token by which a device enrolled.
  `
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    role TEXT,
    scope_json TEXT NOT NULL,
    tags_json TEXT NOT NULL,
    needs_approval INTEGER NOT NULL,
    approves_takeovers INTEGER NOT NULL,
    uses_left INTEGER,
    uses INTEGER NOT NULL,
    expires_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    last_used_at_ms INTEGER,
    revoked_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at_ms IS NULL;
  -- 1: the device gets nothing while it is suspended.
  ALTER TABLE devices ADD COLUMN awaits_approval INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE devices ADD COLUMN enrolled_with TEXT;
  `,
  // Audit rows, chained by their hashes (model/audit.ts).
  `
  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    before_json TEXT,
    after_json TEXT,
    result TEXT NOT NULL,
    count INTEGER NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_by_time ON audit (at_ms);
  `,
  usersStep,
  // Number of devices that are not removed: counting rows would read the inventories of all.
  `
  CREATE TABLE device_count (devices INTEGER NOT NULL) STRICT;
  INSERT INTO device_count SELECT count(*) FROM devices WHERE removed_at_ms IS NULL;
  CREATE TRIGGER devices_counted_after_insert AFTER INSERT ON devices WHEN new.removed_at_ms IS NULL
    BEGIN UPDATE device_count SET devices = devices + 1; END;
  CREATE TRIGGER devices_counted_after_delete AFTER DELETE ON devices WHEN old.removed_at_ms IS NULL
    BEGIN UPDATE device_count SET devices = devices - 1; END;
  CREATE TRIGGER devices_counted_after_update AFTER UPDATE OF removed_at_ms ON devices
    WHEN (old.removed_at_ms IS NULL) <> (new.removed_at_ms IS NULL)
    BEGIN UPDATE device_count SET devices = devices + iif(new.removed_at_ms IS NULL, 1, -1); END;
  `,
  lanKeyStep,
  // Egresses of a subnet whose devices share one lease: the first one, and those that are proven.
  `
  ALTER TABLE devices ADD COLUMN egress TEXT;
  CREATE TABLE subnet_egresses (
    subnet_id TEXT NOT NULL,
    egress TEXT NOT NULL,
    joined_at_ms INTEGER NOT NULL,
    PRIMARY KEY (subnet_id, egress)
  ) STRICT, WITHOUT ROWID;
  `,
  listsStep,
  webhooksStep,
  taskCourseStep,
  deviceEventsStep,
  packageIndexStep,
  // Disk of a task that writes an image.
  "ALTER TABLE tasks ADD COLUMN image_json TEXT",
  wakesStep,
  // Machines that only get an image: their tokens, and the code of one that enrolled without any.
  `
  ALTER TABLE tokens ADD COLUMN is_imaging INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE devices ADD COLUMN is_imaging INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE devices ADD COLUMN approval_code TEXT;
  CREATE INDEX devices_imaging ON devices (enrolled_at_ms) WHERE is_imaging = 1 AND removed_at_ms IS NULL;
  CREATE UNIQUE INDEX devices_by_approval_code ON devices (approval_code) WHERE approval_code IS NOT NULL;
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
