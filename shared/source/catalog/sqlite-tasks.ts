/** Store of tasks and of the progress that devices reported in SQLite. */
import type { Database } from "bun:sqlite";
import type { DeviceTaskState, Progress } from "../../api/schema/common.ts";
import type { TaskRecord, TaskStore } from "./catalog.ts";

type Row = {
  id: number;
  package_id: string;
  action: TaskRecord["action"];
  command: string | null;
  run: string | null;
  setting_name: string;
  target: string;
  state: TaskRecord["state"];
  created_at_ms: number;
  start_at_ms: number;
  task_key: Uint8Array;
};

const toTask = (row: Row): TaskRecord => ({
  id: row.id,
  packageId: row.package_id,
  action: row.action,
  command: row.command,
  run: row.run,
  settingName: row.setting_name,
  target: row.target,
  state: row.state,
  createdAtMs: row.created_at_ms,
  startAtMs: row.start_at_ms,
  taskKey: row.task_key,
});

function createTask(database: Database): TaskStore["create"] {
  const insert = database.query<Row, Omit<TaskRecord, "id">>(
    `INSERT INTO tasks (package_id, action, command, run, setting_name, target, state, created_at_ms, start_at_ms,
                        task_key)
     VALUES ($packageId, $action, $command, $run, $settingName, $target, $state, $createdAtMs, $startAtMs, $taskKey)
     RETURNING *`,
  );
  const baseline = database.query(
    `INSERT INTO wan_baseline (task_id, subnet_id, bytes)
     SELECT $taskId, subnet_id, bytes FROM wan_account WHERE package_id = $packageId`,
  );
  return async (task) =>
    database.transaction(() => {
      const created = toTask(insert.get(task)!);
      baseline.run({ taskId: created.id, packageId: created.packageId });
      return created;
    })();
}

function recordProgress(database: Database): TaskStore["recordProgress"] {
  const write = database.query(
    `INSERT INTO progress (task_id, device_id, state, updated_at_ms, report_json)
     SELECT id, $deviceId, $state, $atMs, $report FROM tasks WHERE id = $taskId
     ON CONFLICT DO UPDATE SET
       state = excluded.state, updated_at_ms = excluded.updated_at_ms, report_json = excluded.report_json`,
  );
  return async (deviceId, reports, atMs) =>
    database.transaction(() => {
      let kept = 0;
      for (const one of reports) {
        const report = JSON.stringify(one);
        kept += write.run({ deviceId, taskId: one.taskId, state: one.state, atMs, report }).changes;
      }
      return kept;
    })();
}

/** Reports that one transaction removes. */
const removedReports = 5_000;

function removePart(database: Database): TaskStore["removePart"] {
  const reports = database.query(
    `DELETE FROM progress WHERE task_id = $id AND device_id IN
       (SELECT device_id FROM progress WHERE task_id = $id LIMIT ${removedReports})`,
  );
  const baseline = database.query("DELETE FROM wan_baseline WHERE task_id = $id");
  const task = database.query("DELETE FROM tasks WHERE id = $id AND state = 'cancelled'");
  return async (id) =>
    database.transaction(() => {
      if (reports.run({ id }).changes === removedReports) return false;
      baseline.run({ id });
      task.run({ id });
      return true;
    })();
}

export function sqliteTasks(database: Database): TaskStore {
  const byId = database.query<Row, { id: number }>("SELECT * FROM tasks WHERE id = $id");
  const list = database.query<Row, []>("SELECT * FROM tasks ORDER BY id");
  const active = database.query<Row, []>("SELECT * FROM tasks WHERE state = 'active' ORDER BY id");
  const progressOf = database.query<
    { device_id: string; updated_at_ms: number; report_json: string },
    { taskId: number }
  >("SELECT device_id, updated_at_ms, report_json FROM progress WHERE task_id = $taskId");
  const statesOf = database.query<{ device_id: string; state: DeviceTaskState }, { taskId: number }>(
    "SELECT device_id, state FROM progress WHERE task_id = $taskId",
  );
  const completedBy = database.query<{ task_id: number }, { deviceId: string }>(
    "SELECT task_id FROM progress WHERE device_id = $deviceId AND state = 'complete'",
  );
  return {
    create: createTask(database),
    recordProgress: recordProgress(database),
    async byId(id) {
      const row = byId.get({ id });
      return row && toTask(row);
    },
    async list() {
      return list.all().map(toTask);
    },
    async active() {
      return active.all().map(toTask);
    },
    async cancel(id, atMs) {
      database
        .query(
          "UPDATE tasks SET state = 'cancelled', cancelled_at_ms = $atMs WHERE id = $id AND state = 'active'",
        )
        .run({ id, atMs });
    },
    async cancelledBefore(atMs) {
      return database
        .query<{ id: number }, { atMs: number }>(
          "SELECT id FROM tasks WHERE cancelled_at_ms < $atMs ORDER BY id",
        )
        .all({ atMs })
        .map(({ id }) => id);
    },
    removePart: removePart(database),
    async progressOf(taskId) {
      return new Map(
        progressOf.all({ taskId }).map((row) => {
          const progress = JSON.parse(row.report_json) as Progress;
          return [row.device_id, { progress, updatedAtMs: row.updated_at_ms }] as const;
        }),
      );
    },
    async statesOf(taskId) {
      return new Map(statesOf.all({ taskId }).map((row) => [row.device_id, row.state] as const));
    },
    async completedBy(deviceId) {
      return new Set(completedBy.all({ deviceId }).map((row) => row.task_id));
    },
  };
}
