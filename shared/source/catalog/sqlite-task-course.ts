/**
 * Store of the course of tasks in SQLite. One row has the counters of a task, and each change of
 * them first stores a point for every step of time that has ended. When there are too many points,
 * the step doubles, and of several points in one step the last one stays.
 */
import type { Database } from "bun:sqlite";
import type { CoursePoint, TaskCourseStore } from "./task-course.ts";

/** Upper bound on the points of a task, without the current counters. */
export const coursePointsMax = 240;
/** Devices report, and the source counts what it sends, at least as often. */
const firstStepMs = 2_000;

export type CourseChange = Partial<Omit<CoursePoint, "atMs">>;
type CourseRow = CoursePoint & { readonly stepMs: number; readonly points: number };

const counters = "wan_bytes AS wanBytes, lan_bytes AS lanBytes, complete";

/**
 * Returns the function that adds to the counters of a task, which the caller runs in its
 * transaction. A change without a difference is left out, unless it is the first one.
 */
export function courseNoter(
  database: Database,
): (taskId: number, atMs: number, change: CourseChange) => void {
  const read = database.query<CourseRow, { taskId: number }>(
    `SELECT at_ms AS atMs, step_ms AS stepMs, points, ${counters} FROM task_courses WHERE task_id = $taskId`,
  );
  const begin = database.query(
    `INSERT INTO task_courses (task_id, at_ms, step_ms, points, wan_bytes, lan_bytes, complete)
     SELECT id, $atMs - $stepMs, $stepMs, 0, 0, 0, 0 FROM tasks WHERE id = $taskId`,
  );
  const write = database.query(
    `UPDATE task_courses SET at_ms = $atMs, step_ms = $stepMs, points = $points, wan_bytes = $wanBytes,
       lan_bytes = $lanBytes, complete = $complete WHERE task_id = $taskId`,
  );
  const addPoint = pointAdder(database);
  const thin = thinner(database);
  return (taskId, atMs, { wanBytes = 0, lanBytes = 0, complete = 0 }) => {
    if (read.get({ taskId }) === null) begin.run({ taskId, atMs, stepMs: firstStepMs });
    else if (wanBytes === 0 && lanBytes === 0 && complete === 0) return;
    const course = read.get({ taskId });
    if (course === null) return;
    // The clock may have been set back.
    const nowMs = Math.max(atMs, course.atMs);
    const points = course.points + addPoint(taskId, course, nowMs);
    const thinned = points > coursePointsMax ? thin(taskId, course.stepMs) : { ...course, points };
    write.run({
      taskId,
      atMs: nowMs,
      stepMs: thinned.stepMs,
      points: thinned.points,
      wanBytes: course.wanBytes + wanBytes,
      lanBytes: course.lanBytes + lanBytes,
      complete: Math.max(0, course.complete + complete),
    });
  };
}

/** Returns the function that stores the counters of a step that has ended. @returns new points */
function pointAdder(database: Database): (taskId: number, course: CourseRow, nowMs: number) => number {
  const insert = database.query(
    `INSERT OR IGNORE INTO task_points (task_id, at_ms, wan_bytes, lan_bytes, complete)
     VALUES ($taskId, $atMs, $wanBytes, $lanBytes, $complete)`,
  );
  return (taskId, { atMs, stepMs, wanBytes, lanBytes, complete }, nowMs) => {
    const stepOf = (timeMs: number): number => Math.floor(timeMs / stepMs);
    if (stepOf(nowMs) === stepOf(atMs)) return 0;
    const values = { taskId, wanBytes, lanBytes, complete };
    // After a pause, a second point at its end keeps the rate of the pause at 0.
    const endMs = stepOf(nowMs) * stepMs - 1;
    const times = stepOf(nowMs) - stepOf(atMs) > 1 ? [atMs, endMs] : [atMs];
    return times.reduce((added, one) => added + insert.run({ ...values, atMs: one }).changes, 0);
  };
}

/** Returns the function that removes points until half of the bound is left, or nearly so. */
function thinner(
  database: Database,
): (taskId: number, stepMs: number) => { readonly stepMs: number; readonly points: number } {
  const remove = database.query(
    `DELETE FROM task_points WHERE task_id = $taskId
       AND at_ms > (SELECT min(at_ms) FROM task_points WHERE task_id = $taskId)
       AND EXISTS (SELECT 1 FROM task_points AS later WHERE later.task_id = $taskId
         AND later.at_ms > task_points.at_ms AND later.at_ms < (task_points.at_ms / $stepMs + 1) * $stepMs)`,
  );
  const count = database.query<{ points: number }, { taskId: number }>(
    "SELECT count(*) AS points FROM task_points WHERE task_id = $taskId",
  );
  return (taskId, firstMs) => {
    let stepMs = firstMs;
    for (;;) {
      const { points } = count.get({ taskId })!;
      if (points <= (coursePointsMax * 2) / 3) return { stepMs, points };
      stepMs *= 2;
      remove.run({ taskId, stepMs });
    }
  };
}

export function sqliteTaskCourse(database: Database): TaskCourseStore {
  const course = database.query<CourseRow, { taskId: number }>(
    `SELECT at_ms AS atMs, step_ms AS stepMs, points, ${counters} FROM task_courses WHERE task_id = $taskId`,
  );
  const points = database.query<CoursePoint, { taskId: number }>(
    `SELECT at_ms AS atMs, ${counters} FROM task_points WHERE task_id = $taskId ORDER BY at_ms`,
  );
  return {
    async ofTask(taskId) {
      const found = course.get({ taskId });
      if (found === null) return null;
      const { atMs, stepMs, wanBytes, lanBytes, complete } = found;
      const current = { atMs, wanBytes, lanBytes, complete };
      const earlier = points.all({ taskId }).filter((point) => point.atMs < atMs);
      return { stepMs, points: [...earlier, current] };
    },
  };
}
