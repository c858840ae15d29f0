/** Store of wakes in SQLite. */
import type { Database } from "bun:sqlite";
import type { WakeRecord, WakeStore } from "./wake-store.ts";

type Row = {
  task_id: number;
  device_id: string;
  attempts: number;
  problem: WakeRecord["problem"];
  asked_at_ms: number | null;
  wakers_json: string;
  sent_at_ms: number | null;
  sent_by_json: string;
  woke_at_ms: number | null;
};

const toWake = (row: Row): WakeRecord => ({
  taskId: row.task_id,
  deviceId: row.device_id,
  attempts: row.attempts,
  problem: row.problem,
  askedAtMs: row.asked_at_ms,
  wakers: JSON.parse(row.wakers_json) as string[],
  sentAtMs: row.sent_at_ms,
  sentBy: JSON.parse(row.sent_by_json) as string[],
  wokeAtMs: row.woke_at_ms,
});
const byDevice = (rows: readonly Row[]): Map<string, WakeRecord> =>
  new Map(rows.map((row) => [row.device_id, toWake(row)]));

function reads(database: Database): Pick<WakeStore, "ofTask" | "of" | "page" | "lastAsked"> {
  const ofTask = database.query<Row, { taskId: number }>("SELECT * FROM task_wakes WHERE task_id = $taskId");
  const of = database.query<Row, { taskId: number; ids: string }>(
    `SELECT * FROM task_wakes WHERE task_id = $taskId
       AND device_id IN (SELECT value FROM json_each($ids))`,
  );
  const page = database.query<Row, { taskId: number; after: string; limit: number }>(
    `SELECT * FROM task_wakes WHERE task_id = $taskId AND device_id > $after
     ORDER BY device_id LIMIT $limit`,
  );
  const lastAsked = database.query<{ id: string; atMs: number }, { ids: string }>(
    `SELECT device_id AS id, max(asked_at_ms) AS atMs FROM task_wakes
     WHERE device_id IN (SELECT value FROM json_each($ids)) AND asked_at_ms IS NOT NULL
     GROUP BY device_id`,
  );
  return {
    ofTask: async (taskId) => byDevice(ofTask.all({ taskId })),
    of: async (taskId, ids) => byDevice(of.all({ taskId, ids: JSON.stringify(ids) })),
    page: async (taskId, after, limit) => page.all({ taskId, after: after ?? "", limit }).map(toWake),
    lastAsked: async (ids) =>
      new Map(lastAsked.all({ ids: JSON.stringify(ids) }).map(({ id, atMs }) => [id, atMs])),
  };
}

export function sqliteWakes(database: Database): WakeStore {
  // A task may have been removed meanwhile.
  const from = `SELECT $taskId, value, %, '[]' FROM json_each($ids)
    WHERE EXISTS (SELECT 1 FROM tasks WHERE id = $taskId) AND value IN (SELECT id FROM devices)`;
  const columns = "task_id, device_id, attempts, problem, asked_at_ms, wakers_json, sent_by_json";
  const asked = database.query(
    `INSERT INTO task_wakes (${columns})
     ${from.replace("%", "1, NULL, $atMs, $wakers")}
     ON CONFLICT DO UPDATE SET attempts = attempts + 1, problem = NULL, asked_at_ms = $atMs,
       wakers_json = $wakers, sent_at_ms = NULL, sent_by_json = '[]', woke_at_ms = NULL`,
  );
  const problem = database.query(
    `INSERT INTO task_wakes (${columns})
     ${from.replace("%", "0, $problem, NULL, '[]'")}
     ON CONFLICT DO UPDATE SET problem = $problem, woke_at_ms = NULL
     WHERE problem IS NOT $problem OR woke_at_ms IS NOT NULL`,
  );
  const sent = database.query(
    `UPDATE task_wakes SET sent_at_ms = coalesce(sent_at_ms, $atMs),
       sent_by_json = json_insert(sent_by_json, '$[#]', $by)
     WHERE task_id = $taskId AND device_id IN (SELECT value FROM json_each($ids))
       AND $by IN (SELECT value FROM json_each(wakers_json))
       AND $by NOT IN (SELECT value FROM json_each(sent_by_json))`,
  );
  const awaited = database.query<{ id: number }, { deviceId: string }>(
    "SELECT task_id AS id FROM task_wakes WHERE device_id = $deviceId AND woke_at_ms IS NULL",
  );
  const woke = database.query(
    "UPDATE task_wakes SET woke_at_ms = $atMs WHERE device_id = $deviceId AND woke_at_ms IS NULL",
  );
  return {
    ...reads(database),
    async noteAsked(taskId, { deviceIds, wakers, atMs }) {
      asked.run({ taskId, ids: JSON.stringify(deviceIds), wakers: JSON.stringify(wakers), atMs });
    },
    async noteProblem(taskId, deviceIds, why) {
      return problem.run({ taskId, ids: JSON.stringify(deviceIds), problem: why }).changes > 0;
    },
    async noteSent(taskId, { deviceIds, by, atMs }) {
      sent.run({ taskId, ids: JSON.stringify(deviceIds), by, atMs });
    },
    async noteWoke(deviceId, atMs) {
      const tasks = awaited.all({ deviceId }).map(({ id }) => id);
      if (tasks.length > 0) woke.run({ deviceId, atMs });
      return tasks;
    },
  };
}
