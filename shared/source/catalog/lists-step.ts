/**
 * Step of migrations.ts for the lists of large fleets: a table of tags, indexes for the orders of
 * lists, and counters that triggers keep. Inventories have a table of their own: a scan of devices
 * would read them too.
 */
/** Tags of removed devices are left out. */
const tagsOf = (row: string): string =>
  `INSERT OR IGNORE INTO device_tags (tag, device_id)
     SELECT value, ${row}.id FROM json_each(${row}.tags_json) WHERE ${row}.removed_at_ms IS NULL;`;

/** Removed devices count in no subnet. */
const isPlaced = (row: string): string => `${row}.subnet_id IS NOT NULL AND ${row}.removed_at_ms IS NULL`;
const addDevice = (row: string): string =>
  `INSERT INTO subnet_counters (subnet_id, devices) SELECT ${row}.subnet_id, 1 WHERE ${isPlaced(row)}
     ON CONFLICT DO UPDATE SET devices = devices + 1;`;
const takeDevice = (row: string): string =>
  `UPDATE subnet_counters SET devices = devices - 1 WHERE subnet_id = ${row}.subnet_id AND ${isPlaced(row)};
   DELETE FROM subnet_counters WHERE subnet_id = ${row}.subnet_id AND devices = 0;`;

/** Counts the reports of a device again after a change of its subnet or its removal. */
const subnetOf = (device: string): string =>
  `coalesce((SELECT subnet_id FROM devices WHERE id = ${device}), '')`;
const addReport = (row: string): string =>
  `INSERT INTO task_counters (task_id, subnet_id, state, devices)
     VALUES (${row}.task_id, ${subnetOf(`${row}.device_id`)}, ${row}.state, 1)
     ON CONFLICT DO UPDATE SET devices = devices + 1;`;
const takeReport = (row: string): string =>
  `UPDATE task_counters SET devices = devices - 1
     WHERE task_id = ${row}.task_id AND state = ${row}.state AND subnet_id = ${subnetOf(`${row}.device_id`)};
   DELETE FROM task_counters WHERE task_id = ${row}.task_id AND devices = 0;`;

export const listsStep = `
  CREATE TABLE device_inventories (
    device_id TEXT PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    inventory_json TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO device_inventories SELECT id, inventory_json FROM devices WHERE inventory_json IS NOT NULL;
  ALTER TABLE devices DROP COLUMN inventory_json;

  CREATE TABLE device_tags (
    tag TEXT NOT NULL COLLATE NOCASE,
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, device_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX device_tags_by_device ON device_tags (device_id);
  INSERT OR IGNORE INTO device_tags
    SELECT value, devices.id FROM devices, json_each(devices.tags_json) WHERE removed_at_ms IS NULL;
  CREATE TRIGGER devices_tagged_after_insert AFTER INSERT ON devices BEGIN ${tagsOf("new")} END;
  CREATE TRIGGER devices_tagged_after_update AFTER UPDATE OF tags_json, removed_at_ms ON devices
    WHEN old.tags_json <> new.tags_json OR old.removed_at_ms IS NOT new.removed_at_ms
    BEGIN DELETE FROM device_tags WHERE device_id = new.id; ${tagsOf("new")} END;

  CREATE INDEX devices_by_enrolment ON devices (enrolled_at_ms, id);
  CREATE INDEX devices_by_subnet_and_id ON devices (coalesce(subnet_id, ''), id);
  CREATE INDEX devices_by_hostname ON devices (hostname COLLATE NOCASE, id);
  CREATE INDEX devices_by_display_name ON devices (display_name COLLATE NOCASE) WHERE display_name IS NOT NULL;
  CREATE INDEX devices_by_contact ON devices (last_seen_at_ms, id) WHERE removed_at_ms IS NULL;
  CREATE INDEX devices_with_wishes ON devices (id) WHERE groups_json <> '[]';
  CREATE INDEX devices_suspended ON devices (awaits_approval) WHERE suspended_at_ms IS NOT NULL;
  CREATE INDEX devices_removed ON devices (removed_at_ms, id) WHERE removed_at_ms IS NOT NULL;
  CREATE INDEX progress_by_state ON progress (task_id, state, device_id);
  CREATE INDEX tasks_by_package ON tasks (package_id);

  CREATE TABLE subnet_counters (
    subnet_id TEXT PRIMARY KEY,
    devices INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO subnet_counters SELECT subnet_id, count(*) FROM devices
    WHERE subnet_id IS NOT NULL AND removed_at_ms IS NULL GROUP BY subnet_id;
  CREATE TRIGGER subnets_counted_after_insert AFTER INSERT ON devices BEGIN ${addDevice("new")} END;
  CREATE TRIGGER subnets_counted_after_delete AFTER DELETE ON devices BEGIN ${takeDevice("old")} END;
  CREATE TRIGGER subnets_counted_after_update AFTER UPDATE OF subnet_id, removed_at_ms ON devices
    WHEN old.subnet_id IS NOT new.subnet_id OR (old.removed_at_ms IS NULL) <> (new.removed_at_ms IS NULL)
    BEGIN ${takeDevice("old")} ${addDevice("new")} END;

  -- Devices by the state that they reported; '': a device on no subnet.
  CREATE TABLE task_counters (
    task_id INTEGER NOT NULL,
    subnet_id TEXT NOT NULL,
    state TEXT NOT NULL,
    devices INTEGER NOT NULL,
    PRIMARY KEY (task_id, subnet_id, state)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO task_counters SELECT task_id, coalesce(subnet_id, ''), state, count(*)
    FROM progress JOIN devices ON devices.id = device_id GROUP BY 1, 2, 3;
  CREATE TRIGGER reports_counted_after_insert AFTER INSERT ON progress BEGIN ${addReport("new")} END;
  CREATE TRIGGER reports_counted_after_delete AFTER DELETE ON progress BEGIN ${takeReport("old")} END;
  CREATE TRIGGER reports_counted_after_update AFTER UPDATE OF state ON progress WHEN old.state <> new.state
    BEGIN ${takeReport("old")} ${addReport("new")} END;
  CREATE TRIGGER reports_counted_after_move AFTER UPDATE OF subnet_id ON devices
    WHEN old.subnet_id IS NOT new.subnet_id
    BEGIN
      UPDATE task_counters SET devices = task_counters.devices - 1
        FROM progress WHERE progress.device_id = new.id AND task_counters.task_id = progress.task_id
          AND task_counters.state = progress.state AND task_counters.subnet_id = coalesce(old.subnet_id, '');
      INSERT INTO task_counters (task_id, subnet_id, state, devices)
        SELECT task_id, coalesce(new.subnet_id, ''), state, 1 FROM progress WHERE device_id = new.id
        ON CONFLICT DO UPDATE SET devices = devices + 1;
      DELETE FROM task_counters WHERE devices = 0
        AND task_id IN (SELECT task_id FROM progress WHERE device_id = new.id);
    END;
`;
