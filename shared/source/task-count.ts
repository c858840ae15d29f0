/** Counts of the devices of a task, and who gives them. */
import type { TaskDetail, TaskSummary } from "../api/schema/admin.ts";
import type { Scope } from "../model/role.ts";
import type { TaskRecord } from "./catalog/index.ts";

export type TaskCount = {
  readonly devices: TaskSummary["devices"];
  readonly absentSinceMs: number | null;
  readonly absentList: TaskDetail["absentList"];
  /** Time of the last whole count; null: devices that have not reported are left out. */
  readonly countedAtMs: number | null;
};

export interface TaskCounter {
  /** Returns the counts of these tasks, in their order. */
  of(tasks: readonly TaskRecord[]): Promise<TaskCount[]>;
  /** Returns the counts of a task without the devices outside of a scope. */
  inScope(task: TaskRecord, scope: Scope): Promise<TaskCount>;
  close(): void;
}
