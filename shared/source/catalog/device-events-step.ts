/**
 * Step of migrations.ts for the history of devices: triggers note what happened to a device, in the
 * transaction of the change. Each device keeps its newest events. The step also makes the tables of
 * what a device stated about its cache and its setting, and of the end of its log.
 */

/** Upper bound on the events of a device. */
const eventsMax = 200;

/** @param fields pairs of the JSON object, in SQL */
const note = (device: string, at: string, kind: string, fields = "", where = "true"): string =>
  `INSERT INTO device_events (device_id, at_ms, event_json)
     SELECT ${device}, ${at}, json_object('kind', '${kind}'${fields === "" ? "" : `, ${fields}`}) WHERE ${where};`;

const ofDevice = (kind: string, at: string, fields = "", where = "true"): string =>
  note("new.id", at, kind, fields, where);
const ofCheckIn = (kind: string, column: string): string =>
  ofDevice(
    kind,
    "new.checked_in_at_ms",
    `'before', old.${column}, 'after', new.${column}`,
    `old.${column} IS NOT NULL AND old.${column} IS NOT new.${column}`,
  );

/** The name of the package stays when the task is removed. */
const ofTask = (kind: string, fields: string, where: string): string =>
  note(
    "new.device_id",
    "new.updated_at_ms",
    kind,
    `'taskId', new.task_id, 'package', (SELECT package_name || ' ' || package_version FROM tasks WHERE id = new.task_id)${fields}`,
    where,
  );
const endStates = "'reboot-pending', 'complete', 'failed', 'cancelled', 'superseded', 'expired'";
const role = (row: string): string => `json_extract(${row}.report_json, '$.role')`;
const refusal = (row: string): string =>
  `(SELECT json_extract(value, '$.why') FROM json_each(${row}.report_json, '$.reasons')
     WHERE json_extract(value, '$.code') = 'order-refused' LIMIT 1)`;
/** @param before value of the earlier report, in SQL */
const reported = (state: string, earlierRole: string, earlierRefusal: string): string =>
  ofTask(
    "order-refused",
    `, 'why', ${refusal("new")}`,
    `${refusal("new")} IS NOT ${earlierRefusal}
    AND ${refusal("new")} IS NOT NULL`,
  ) +
  ofTask(
    "role-changed",
    `, 'role', ${role("new")}, 'term', json_extract(new.report_json, '$.term')`,
    `${role("new")} IS NOT ${earlierRole} AND (${role("new")} IN ('representative', 'peer') OR ${earlierRole} = 'representative')`,
  ) +
  ofTask(
    "task-ended",
    ", 'state', new.state, 'attempt', new.attempt",
    `new.state IN (${endStates}) AND new.state IS NOT ${state}`,
  );

export const deviceEventsStep = `
  CREATE TABLE device_events (
    sequence INTEGER PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    event_json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX device_events_by_device ON device_events (device_id, sequence);
  CREATE TRIGGER device_events_bounded AFTER INSERT ON device_events BEGIN
    DELETE FROM device_events WHERE device_id = new.device_id AND sequence <=
      (SELECT sequence FROM device_events WHERE device_id = new.device_id
       ORDER BY sequence DESC LIMIT 1 OFFSET ${eventsMax});
  END;
  INSERT INTO device_events (device_id, at_ms, event_json)
    SELECT id, enrolled_at_ms, json_object('kind', 'enrolled') FROM devices ORDER BY enrolled_at_ms;

  -- What a device stated at its last check-in about its cache, and its own setting.
  CREATE TABLE device_statements (
    device_id TEXT PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    cache_json TEXT NOT NULL,
    setting TEXT,
    setting_version INTEGER
  ) STRICT, WITHOUT ROWID;
  -- The end of a device's log, or the request for it.
  CREATE TABLE device_logs (
    device_id TEXT PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    request TEXT NOT NULL,
    state TEXT NOT NULL,
    asked_at_ms INTEGER NOT NULL,
    answered_at_ms INTEGER,
    lines_json TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER device_events_of_enrolment AFTER INSERT ON devices BEGIN
    ${ofDevice("enrolled", "new.enrolled_at_ms")}
  END;
  CREATE TRIGGER device_events_of_life AFTER UPDATE OF taken_over_at_ms, removed_at_ms ON devices BEGIN
    ${ofDevice("installed-again", "new.taken_over_at_ms", "", "new.taken_over_at_ms IS NOT old.taken_over_at_ms AND new.taken_over_at_ms IS NOT NULL")}
    ${ofDevice("removed", "new.removed_at_ms", "'why', new.removed_why", "old.removed_at_ms IS NULL AND new.removed_at_ms IS NOT NULL")}
  END;
  CREATE TRIGGER device_events_of_check_in AFTER UPDATE OF checked_in_at_ms ON devices
    WHEN ${["agent_version", "hostname", "lan_address", "subnet_cidr"].map((column) => `old.${column} IS NOT new.${column}`).join(" OR ")} BEGIN
    ${ofCheckIn("agent-changed", "agent_version")}
    ${ofCheckIn("hostname-changed", "hostname")}
    ${ofCheckIn("address-changed", "lan_address")}
    ${ofCheckIn("subnet-changed", "subnet_cidr")}
  END;
  CREATE TRIGGER device_events_of_setting AFTER INSERT ON device_statements WHEN new.setting IS NOT NULL BEGIN
    ${note("new.device_id", "new.at_ms", "setting-applied", "'setting', new.setting, 'version', new.setting_version")}
  END;
  CREATE TRIGGER device_events_of_new_setting AFTER UPDATE ON device_statements
    WHEN new.setting IS NOT NULL
      AND (new.setting IS NOT old.setting OR new.setting_version IS NOT old.setting_version) BEGIN
    ${note("new.device_id", "new.at_ms", "setting-applied", "'setting', new.setting, 'version', new.setting_version")}
  END;
  CREATE TRIGGER device_events_of_task AFTER INSERT ON progress BEGIN
    ${ofTask("task-received", "", "true")}
    ${reported("NULL", "'none'", "NULL")}
  END;
  CREATE TRIGGER device_events_of_report AFTER UPDATE OF state, report_json ON progress
    WHEN new.state <> old.state OR new.attempt <> old.attempt OR ${role("new")} IS NOT ${role("old")}
      OR instr(new.report_json, '"order-refused"') BEGIN
    ${ofTask("task-retried", ", 'attempt', new.attempt", "new.attempt > old.attempt")}
    ${reported("old.state", role("old"), refusal("old"))}
  END;
`;
