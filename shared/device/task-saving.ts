/** Saves the row of a task in the ledger, and releases its package. A full disk stops no task. */
import { problemReason, reasonText } from "../model/reason.ts";
import type { TaskOptions } from "./task-options.ts";
import type { TaskRow } from "./task-record.ts";

export class TaskSaving {
  readonly #options: TaskOptions;
  readonly #traffic: () => Partial<TaskRow>;

  /** @param traffic returns the fields of the row that count bytes, up to now */
  constructor(options: TaskOptions, traffic: () => Partial<TaskRow>) {
    this.#options = options;
    this.#traffic = traffic;
  }

  /** Saves the task, and logs a failure. */
  trySave(): void {
    try {
      this.save();
    } catch (error) {
      this.onUnsaved(error);
    }
  }

  /** Logs that the task was not saved. */
  onUnsaved(error: unknown): void {
    const { ports, row } = this.#options;
    const why = reasonText(problemReason(error));
    ports.log.warn({ taskId: row.task.id, reason: why }, "the task's state was not saved");
  }

  /**
   * Saves the task in the ledger.
   * @throws CacheError
   */
  save(): void {
    const { ports, row, isListed } = this.#options;
    if (isListed()) ports.cache.ledger.saveTask(row.task.id, this.rowNow());
  }

  /** Returns the row with the traffic up to now. */
  rowNow(): TaskRow {
    return Object.assign(this.#options.row, this.#traffic());
  }

  /** Lets the cache evict the package of a task that has ended. */
  unpin(): void {
    const { ports, row } = this.#options;
    try {
      ports.cache.unpin(row.task.packageId, row.task.id);
    } catch (error) {
      this.onUnsaved(error);
    }
  }
}
