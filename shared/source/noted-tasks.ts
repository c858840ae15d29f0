/** Tasks that may have ended since the last check (task-ends.ts). */
import type { TaskRecord } from "./catalog/index.ts";
import { higherTasks } from "./supersession.ts";

export class NotedTasks {
  #ids = new Set<number>();

  /** Notes a task: a device has completed it, or an administrator has changed it. */
  add(taskId: number): void {
    this.#ids.add(taskId);
  }

  /** Notes those of the tasks that this one may supersede. */
  addSuperseded(task: TaskRecord, tasks: readonly TaskRecord[]): void {
    for (const other of tasks) if (higherTasks(other, [task]).length > 0) this.add(other.id);
  }

  /** Returns the noted tasks, and forgets them. */
  take(): ReadonlySet<number> {
    const taken = this.#ids;
    this.#ids = new Set();
    return taken;
  }
}
