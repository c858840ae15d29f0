/**
 * Migration step of webhooks. Triggers queue the events in the transaction of the change that they
 * tell about: an event is neither lost by a crash nor sent for a change that was taken back.
 */
import { webhookQueueMax } from "../../model/webhook.ts";

/** Queues an event for the webhooks that want it and whose queue has room. */
const queued = (event: string, at: string, data: string): string => `
  INSERT INTO webhook_queue (webhook_id, event, at_ms, data_json)
    SELECT id, '${event}', ${at}, ${data} FROM webhooks
    WHERE instr(events, '${event}') > 0 AND queued < ${webhookQueueMax};
  UPDATE webhooks SET queued = queued + 1 WHERE instr(events, '${event}') > 0 AND queued < ${webhookQueueMax};`;

const full = (event: string): string => `
  UPDATE webhooks SET dropped = dropped + 1
    WHERE instr(events, '${event}') > 0 AND queued >= ${webhookQueueMax};`;

const taskData = (task: string): string => `'task', json_object(
      'id', ${task}.id, 'packageName', ${task}.package_name, 'packageVersion', ${task}.package_version,
      'action', ${task}.action, 'target', ${task}.target, 'state', ${task}.state,
      'endedWhy', ${task}.ended_why, 'endedAtMs', ${task}.ended_at_ms)`;

const taskEvent = (state: string): string => `
  CREATE TRIGGER webhooks_task_${state} AFTER UPDATE OF state ON tasks
    WHEN new.state = '${state}' AND old.state <> new.state AND EXISTS (SELECT 1 FROM webhooks)
  BEGIN ${full(`task.${state}`)} ${queued(
    `task.${state}`,
    "coalesce(new.ended_at_ms, 0)",
    `json_object(${taskData("new")}, 'reports', json((
      SELECT json_group_object(state, n) FROM
        (SELECT state, count(*) AS n FROM progress WHERE task_id = new.id GROUP BY state))))`,
  )}
  END;`;

const deviceEvent = (name: string, when: string): string => `
  CREATE TRIGGER ${name} ${when} AND EXISTS (SELECT 1 FROM webhooks)
  BEGIN ${full("device.failed")} ${queued(
    "device.failed",
    "new.updated_at_ms",
    `(SELECT json_object(${taskData("tasks")}, 'device', json_object(
        'id', new.device_id, 'hostname', (SELECT hostname FROM devices WHERE id = new.device_id)),
        'reasons', json(coalesce(json_extract(new.report_json, '$.reasons'), '[]')))
      FROM tasks WHERE tasks.id = new.task_id)`,
  )}
  END;`;

export const webhooksStep = `
  CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    events TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    queued INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    last_success_at_ms INTEGER,
    last_failure_at_ms INTEGER,
    last_failure TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE webhook_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL,
    event TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    data_json TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at_ms INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX webhook_queue_by_webhook ON webhook_queue (webhook_id, id);
  ${taskEvent("ended")}
  ${taskEvent("cancelled")}
  ${deviceEvent("webhooks_device_failed", "AFTER INSERT ON progress WHEN new.state = 'failed'")}
  ${deviceEvent(
    "webhooks_device_failed_later",
    "AFTER UPDATE OF state ON progress WHEN new.state = 'failed' AND old.state <> 'failed'",
  )}
`;
