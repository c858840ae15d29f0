/** Store of tasks and of the progress that devices reported in SQLite. */
import type { Database } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { successStates } from "../../api/schema/common.ts";
import { progressNotes } from "./sqlite-device-packages.ts";
import { clearLog, lanKeyBytes } from "./sqlite-lan-keys.ts";
import { courseNoter } from "./sqlite-task-course.ts";
import { endStatesSql, sqliteTaskReports, sqlOf, type ReportRow } from "./sqlite-task-reports.ts";
import { wanReporter, type EarlierReport } from "./sqlite-wan-account.ts";
import { reportOf, type TaskRecord, type TaskStore } from "./catalog.ts";

type Row = {
  id: number;
  epoch: string;
  version: number;
  package_id: string;
  package_name: string;
  package_version: string;
  package_bytes: number;
  action: TaskRecord["action"];
  command: string | null;
  run: string | null;
  allow_downgrade: number;
  after_task: number | null;
  image_json: string | null;
  kills: number;
  setting: string | null;
  target: string;
  state: TaskRecord["state"];
  ended_why: TaskRecord["endedWhy"];
  ended_at_ms: number | null;
  created_at_ms: number;
  start_at_ms: number;
  start_is_local: number;
  deadline_at_ms: number | null;
  not_while_json: string;
  expires_at_ms: number;
  attempts: number;
  wakes: number;
  task_key: Uint8Array;
};

const toTask = (row: Row): TaskRecord => ({
  id: row.id,
  epoch: row.epoch,
  version: row.version,
  packageId: row.package_id,
  packageName: row.package_name,
  packageVersion: row.package_version,
  packageBytes: row.package_bytes,
  action: row.action,
  command: row.command,
  run: row.run,
  allowDowngrade: row.allow_downgrade === 1,
  after: row.after_task,
  image: row.image_json === null ? null : (JSON.parse(row.image_json) as TaskRecord["image"]),
  kills: row.kills === 1,
  setting: row.setting,
  target: row.target,
  state: row.state,
  endedWhy: row.ended_why,
  endedAtMs: row.ended_at_ms,
  createdAtMs: row.created_at_ms,
  startAtMs: row.start_at_ms,
  startIsLocal: row.start_is_local === 1,
  deadlineAtMs: row.deadline_at_ms,
  notWhile: JSON.parse(row.not_while_json) as string[],
  expiresAtMs: row.expires_at_ms,
  attempts: row.attempts,
  wakes: row.wakes === 1,
  taskKey: row.task_key,
});

function createTask(database: Database, epoch: string): TaskStore["create"] {
  const insert = database.query<
    Row,
    Omit<TaskRecord, "id" | "notWhile" | "image"> & { notWhile: string; image: string | null }
  >(
    `INSERT INTO tasks (epoch, version, package_id, package_name, package_version, package_bytes, action, command, run,
                        allow_downgrade, after_task, kills, setting, target, state, ended_why, ended_at_ms, created_at_ms,
                        start_at_ms, start_is_local, deadline_at_ms, not_while_json, image_json, expires_at_ms, attempts, wakes, task_key)
     VALUES ($epoch, $version, $packageId, $packageName, $packageVersion, $packageBytes, $action, $command, $run,
             $allowDowngrade, $after, $kills, $setting, $target, $state, $endedWhy, $endedAtMs, $createdAtMs, $startAtMs,
             $startIsLocal, $deadlineAtMs, $notWhile, $image, $expiresAtMs, $attempts, $wakes, $taskKey)
     RETURNING *`,
  );
  return async (task) => {
    const image = task.image === null ? null : JSON.stringify(task.image);
    return toTask(insert.get({ ...task, epoch, notWhile: JSON.stringify(task.notWhile), image })!);
  };
}

/** Erases the key of a task that has ended, and gives another one to a task that opens again. */
function keyOfState(database: Database): (task: TaskRecord) => TaskRecord {
  const write = database.query("UPDATE tasks SET task_key = $taskKey WHERE id = $id");
  return (task) => {
    const isOpen = task.state === "active" || task.state === "paused";
    if (isOpen === task.taskKey.length > 0) return task;
    const taskKey = isOpen ? randomBytes(lanKeyBytes) : new Uint8Array(0);
    write.run({ id: task.id, taskKey });
    return { ...task, taskKey };
  };
}

function changeTask(database: Database): TaskStore["change"] {
  const withKey = keyOfState(database);
  const byId = database.query<Row, { id: number }>("SELECT * FROM tasks WHERE id = $id");
  const write = database.query(
    `UPDATE tasks SET version = $version, target = $target, setting = $setting, start_at_ms = $startAtMs,
       start_is_local = $startIsLocal, deadline_at_ms = $deadlineAtMs, not_while_json = $notWhile, expires_at_ms = $expiresAtMs, wakes = $wakes, kills = $kills, state = $state, ended_why = $endedWhy, ended_at_ms = $endedAtMs
     WHERE id = $id`,
  );
  return async (id, decide) => {
    let erases = false;
    const after = database
      .transaction(() => {
        const row = byId.get({ id });
        if (row === null) return null;
        const task = toTask(row);
        const change = decide(task);
        if (change === null) return task;
        const changed = { ...task, ...change };
        const { version, target, setting, startAtMs, expiresAtMs, kills, ...rest } = changed;
        const { state, endedWhy, endedAtMs, startIsLocal, deadlineAtMs, wakes } = rest;
        const times = { startAtMs, startIsLocal, deadlineAtMs, expiresAtMs, endedAtMs };
        const notWhile = JSON.stringify(changed.notWhile);
        write.run({ id, version, target, setting, ...times, notWhile, wakes, kills, state, endedWhy });
        const keyed = withKey(changed);
        erases = keyed.taskKey.length < changed.taskKey.length;
        return keyed;
      })
      .immediate();
    if (erases) clearLog(database);
    return after;
  };
}

function recordProgress(database: Database): TaskStore["recordProgress"] {
  const write = database.query(
    `INSERT INTO progress (task_id, device_id, attempt, state, has_begun, updated_at_ms, report_json)
     SELECT id, $deviceId, $attempt, $state, $hasBegun, $atMs, $report FROM tasks
     WHERE id = $taskId AND (epoch = $epoch OR $epoch = '')
       AND (created_at_ms = $createdAtMs OR $createdAtMs = 0)
     ON CONFLICT DO UPDATE SET attempt = excluded.attempt, state = excluded.state, has_begun = excluded.has_begun,
       updated_at_ms = excluded.updated_at_ms, report_json = excluded.report_json
     WHERE excluded.attempt >= progress.attempt`,
  );
  const before = database.query<
    Pick<ReportRow, "state" | "attempt"> & EarlierReport & { lanBytesSent: number },
    { deviceId: string; taskId: number }
  >(
    `SELECT state, attempt, json_extract(report_json, '$.wanBytesFetched') AS wanBytesFetched,
       json_extract(report_json, '$.lanBytesSent') AS lanBytesSent
     FROM progress WHERE task_id = $taskId AND device_id = $deviceId`,
  );
  const note = progressNotes(database);
  const count = wanReporter(database);
  const noteCourse = courseNoter(database);
  return async (deviceId, reports, atMs) =>
    database.transaction(() => {
      let kept = 0;
      for (const one of reports) {
        const report = JSON.stringify(one);
        const { taskId, epoch = "", createdAtMs = 0 } = one;
        const name = { taskId, epoch, createdAtMs };
        const known = before.get({ deviceId, taskId });
        const { changes } = write.run({ deviceId, ...name, ...reportOf(one), atMs, report });
        const isNew =
          !successStates.has(known?.state ?? "pending") || known?.attempt !== reportOf(one).attempt;
        if (changes > 0) {
          note(deviceId, one, isNew);
          count(deviceId, one, known, atMs);
          const isSameAttempt = known?.attempt === reportOf(one).attempt;
          noteCourse(taskId, atMs, {
            // An agent that was started again counts from 0.
            lanBytes: Math.max(0, one.lanBytesSent - (isSameAttempt ? known.lanBytesSent : 0)),
            complete: Number(one.state === "complete") - Number(known?.state === "complete"),
          });
        }
        kept += changes;
      }
      return kept;
    })();
}

type Raised = { readonly id: string; readonly attempt: number };

function retry(database: Database): TaskStore["retry"] {
  const raise = database.query<Raised, { id: number; atMs: number; only: string | null }>(
    `UPDATE progress SET attempt = attempt + 1, state = 'pending', has_begun = 0, updated_at_ms = $atMs,
       report_json = json_set(report_json, '$.attempt', attempt + 1, '$.state', 'pending', '$.rateBps', 0, '$.wanBytesFetched', 0, '$.lanBytesSent', 0,
         '$.reasons', json('[{"code":"not-retried"}]'), '$.command', json('null'))
     WHERE task_id = $id AND state = 'failed'
       AND ($only IS NULL OR device_id IN (SELECT value FROM json_each($only))) RETURNING device_id AS id, attempt`,
  );
  const allow = database.query("UPDATE tasks SET attempts = max(attempts, $most) WHERE id = $id");
  return async (id, atMs, deviceIds) =>
    database
      .transaction(() => {
        const only = deviceIds === null ? null : JSON.stringify(deviceIds);
        const raised = raise.all({ id, atMs, only });
        const most = raised.reduce((highest, { attempt }) => Math.max(highest, attempt), 0);
        if (raised.length > 0) allow.run({ id, most });
        return raised.map((device) => device.id);
      })
      .immediate();
}

/** Reports that one transaction removes. */
const removedReports = 5_000;

function removePart(database: Database): TaskStore["removePart"] {
  const reports = database.query(
    `DELETE FROM progress WHERE task_id = $id AND device_id IN
       (SELECT device_id FROM progress WHERE task_id = $id LIMIT ${removedReports})`,
  );
  const account = database.query("DELETE FROM wan_tasks WHERE task_id = $id");
  const over = database.query("SELECT 1 FROM tasks WHERE id = $id AND state IN ('cancelled', 'ended')");
  const task = database.query("DELETE FROM tasks WHERE id = $id");
  const order = database.query("DELETE FROM orders WHERE kind = 'task' AND subject = CAST($id AS TEXT)");
  return async (id) =>
    database.transaction(() => {
      // An edit may have opened the task again: devices would repeat what they have done.
      if (over.get({ id }) === null) return true;
      if (reports.run({ id }).changes === removedReports) return false;
      account.run({ id });
      task.run({ id });
      order.run({ id });
      return true;
    })();
}

function overOn(database: Database): Pick<TaskStore, "endedOn" | "killedOn"> {
  const endedOn = database.query<Row, { deviceId: string }>(
    `SELECT tasks.* FROM progress JOIN tasks ON tasks.id = progress.task_id
     WHERE progress.device_id = $deviceId AND progress.state IN (${sqlOf(successStates)}) AND tasks.action <> 'pre-cache'
       AND tasks.state IN ('cancelled', 'ended')`,
  );
  const killedOn = database.query<{ id: number }, { deviceId: string }>(
    `SELECT tasks.id FROM tasks JOIN progress ON progress.task_id = tasks.id
     WHERE tasks.state = 'cancelled' AND tasks.kills AND progress.device_id = $deviceId
       AND progress.state NOT IN (${endStatesSql})`,
  );
  return {
    endedOn: async (deviceId) => endedOn.all({ deviceId }).map(toTask),
    killedOn: async (deviceId) => killedOn.all({ deviceId }).map(({ id }) => id),
  };
}

function page(database: Database): TaskStore["page"] {
  const ordered = (direction: "ASC" | "DESC") =>
    database.query<Row, { after: number; isOpen: number | null; search: string; limit: number }>(
      `SELECT * FROM tasks WHERE id ${direction === "ASC" ? ">" : "<"} $after
         AND ($isOpen IS NULL OR (state IN ('active', 'paused')) = $isOpen)
         AND ($search = '' OR instr(lower(package_name), $search) OR instr(lower(target), $search))
       ORDER BY id ${direction} LIMIT $limit`,
    );
  const pages = { up: ordered("ASC"), down: ordered("DESC") };
  return async ({ after, isDescending, limit, isOpen, search }) => {
    const from = after ?? (isDescending ? Number.MAX_SAFE_INTEGER : -1);
    const filter = {
      isOpen: isOpen === undefined ? null : Number(isOpen),
      search: (search ?? "").toLowerCase(),
    };
    return pages[isDescending ? "down" : "up"].all({ after: from, limit, ...filter }).map(toTask);
  };
}

/** @param epoch of the tasks that are created */
export function sqliteTasks(database: Database, epoch: string): TaskStore {
  const byId = database.query<Row, { id: number }>("SELECT * FROM tasks WHERE id = $id");
  const list = database.query<Row, []>("SELECT * FROM tasks ORDER BY id");
  const open = database.query<Row, []>("SELECT * FROM tasks WHERE state IN ('active', 'paused') ORDER BY id");
  return {
    ...overOn(database),
    ...sqliteTaskReports(database),
    page: page(database),
    create: createTask(database, epoch),
    change: changeTask(database),
    recordProgress: recordProgress(database),
    retry: retry(database),
    async byId(id) {
      const row = byId.get({ id });
      return row && toTask(row);
    },
    async list() {
      return list.all().map(toTask);
    },
    async open() {
      return open.all().map(toTask);
    },
    async endedBefore(atMs) {
      return database
        .query<{ id: number }, { atMs: number }>("SELECT id FROM tasks WHERE ended_at_ms < $atMs ORDER BY id")
        .all({ atMs })
        .map(({ id }) => id);
    },
    removePart: removePart(database),
  };
}
