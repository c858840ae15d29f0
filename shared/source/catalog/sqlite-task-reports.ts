/**
 * Reads of what devices reported about tasks in SQLite: reports of given devices, and the counters
 * that triggers keep. Nothing here reads the reports of all devices at once.
 */
import type { Database } from "bun:sqlite";
import { endStates, successStates, type DeviceTaskState, type Progress } from "../../api/schema/common.ts";
import type { TaskReport, TaskStore } from "./catalog.ts";
import { listedSql, rangeSql, selected } from "./sqlite-selection.ts";

type Selected = Record<string, string | number>;
export type ReportRow = { key: string | number; state: DeviceTaskState; attempt: number; has_begun: number };
const reportColumns = "state, attempt, has_begun";
const toReport = ({ state, attempt, has_begun: hasBegun }: ReportRow): TaskReport => ({
  state,
  attempt,
  hasBegun: hasBegun === 1,
});

/** States for the IN of a query. */
export const sqlOf = (states: Iterable<DeviceTaskState>): string =>
  [...states].map((state) => `'${state}'`).join(", ");
export const endStatesSql = sqlOf(endStates);

type ProgressRow = { device_id: string; updated_at_ms: number; report_json: string };
const toProgress = (row: ProgressRow) =>
  [
    row.device_id,
    { progress: JSON.parse(row.report_json) as Progress, updatedAtMs: row.updated_at_ms },
  ] as const;

/** Reports of a task, by the ids of devices or by a range of them. */
function reports(database: Database): Pick<TaskStore, "reportsFor" | "resultsFor"> {
  const select = `SELECT device_id AS key, ${reportColumns} FROM progress WHERE task_id = $taskId`;
  const reportsFor = {
    listed: database.query<ReportRow, Selected>(`${select} AND ${listedSql}`),
    ranged: database.query<ReportRow, Selected>(`${select} AND ${rangeSql}`),
  };
  // The index by state has no text of reports.
  const states = `SELECT device_id AS key, state FROM progress INDEXED BY progress_by_state
    WHERE task_id = $taskId AND state IN (${sqlOf(successStates)}, 'failed')`;
  type StateRow = Pick<ReportRow, "key" | "state">;
  const resultsFor = {
    listed: database.query<StateRow, Selected>(`${states} AND ${listedSql}`),
    ranged: database.query<StateRow, Selected>(`${states} AND ${rangeSql}`),
  };
  return {
    async reportsFor(taskId, devices) {
      const { kind, values } = selected(devices);
      const rows = reportsFor[kind].all({ taskId, ...values });
      return new Map(rows.map((row) => [row.key as string, toReport(row)] as const));
    },
    async resultsFor(taskId, devices) {
      const { kind, values } = selected(devices);
      return new Map(
        resultsFor[kind]
          .all({ taskId, ...values })
          .map(({ key, state }) => [key as string, state === "failed" ? "failed" : "complete"] as const),
      );
    },
  };
}

type Reads = "counters" | "progressFor" | "reportsFor" | "resultsFor" | "reportsBy";

export function sqliteTaskReports(database: Database): Pick<TaskStore, Reads> {
  const progressFor = database.query<ProgressRow, { taskId: number; ids: string }>(
    `SELECT device_id, updated_at_ms, report_json FROM progress WHERE task_id = $taskId AND ${listedSql}`,
  );
  const counters = database.query<
    { task_id: number; state: DeviceTaskState; devices: number },
    { ids: string }
  >(
    `SELECT task_id, state, sum(devices) AS devices FROM task_counters
     WHERE task_id IN (SELECT value FROM json_each($ids)) GROUP BY task_id, state`,
  );
  const reportsBy = database.query<ReportRow, { deviceId: string }>(
    `SELECT task_id AS key, ${reportColumns} FROM progress WHERE device_id = $deviceId`,
  );
  return {
    ...reports(database),
    async progressFor(taskId, deviceIds) {
      return new Map(progressFor.all({ taskId, ids: JSON.stringify(deviceIds) }).map(toProgress));
    },
    async counters(taskIds) {
      const rows = counters.all({ ids: JSON.stringify(taskIds) });
      const byTask = Map.groupBy(rows, (row) => row.task_id);
      return new Map(
        [...byTask].map(([id, own]) => [id, new Map(own.map(({ state, devices }) => [state, devices]))]),
      );
    },
    async reportsBy(deviceId) {
      return new Map(reportsBy.all({ deviceId }).map((row) => [row.key as number, toReport(row)] as const));
    },
  };
}
