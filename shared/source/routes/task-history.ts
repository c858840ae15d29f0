/** The course of a task for administrators, from the points that the catalog keeps. */
import type { TaskHistory } from "../../api/schema/task-history.ts";
import type { TaskRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";

/** Returns the course of a task; that of an open one ends at the current time. */
export async function taskHistory(
  { catalog, wan, nowMs }: Pick<SourceContext, "catalog" | "wan" | "nowMs">,
  { id, state }: TaskRecord,
): Promise<TaskHistory> {
  await wan.flush();
  const course = await catalog.courses.ofTask(id);
  if (course === null) return { taskId: id, stepMs: 1_000, points: [] };
  const { stepMs, points } = course;
  const last = points.at(-1)!;
  // Without reports the counters stand still, and so the rates fall to 0.
  const isCurrent = (state === "active" || state === "paused") && nowMs() - last.atMs > stepMs;
  return { taskId: id, stepMs, points: isCurrent ? [...points, { ...last, atMs: nowMs() }] : [...points] };
}
