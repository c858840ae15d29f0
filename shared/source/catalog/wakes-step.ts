/**
 * Step of migrations.ts for Wake-on-LAN: whether a task wakes its devices, and what was done for
 * each device that was not awake.
 */
export const wakesStep = `
  ALTER TABLE tasks ADD COLUMN wakes INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE task_wakes (
    task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    attempts INTEGER NOT NULL,
    -- Why no device was asked; null: some were.
    problem TEXT,
    asked_at_ms INTEGER,
    wakers_json TEXT NOT NULL,
    sent_at_ms INTEGER,
    sent_by_json TEXT NOT NULL,
    woke_at_ms INTEGER,
    PRIMARY KEY (task_id, device_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX task_wakes_by_device ON task_wakes (device_id, woke_at_ms);
`;
