/**
 * Turns of commands: a device runs one command at a time, because installers refuse to run next to
 * each other. Among the tasks that are ready, the one with the lowest id has the next turn; a task
 * that has to wait for another one (`after`) does not hold up the others.
 */
import type { TaskRow } from "./task-record.ts";

type Waiter = {
  readonly row: TaskRow;
  /** Called when the task has its turn. The turn ends with `release`. */
  readonly begin: () => void;
  /** Called with the reason why it has to wait. @param isBlocked a person has to act */
  readonly wait: (note: string, isBlocked: boolean) => void;
};

export class CommandTurns {
  readonly #rowOf: (taskId: number) => TaskRow | null;
  readonly #isOpen: boolean;
  /** Tasks whose command runs. Several only if an earlier version left them so in the ledger. */
  readonly #running = new Set<number>();
  readonly #waiters = new Map<number, Waiter>();

  /** @param isOpen whether turns begin at all */
  constructor(rowOf: (taskId: number) => TaskRow | null, isOpen = true) {
    this.#rowOf = rowOf;
    this.#isOpen = isOpen;
  }

  /** Gives the turn to a task whose command already runs. */
  take(taskId: number): void {
    this.#running.add(taskId);
  }

  request(waiter: Waiter): void {
    this.#waiters.set(waiter.row.task.id, waiter);
    this.next();
  }

  /** Ends the turn or the wait of a task. */
  release(taskId: number): void {
    this.#running.delete(taskId);
    this.#waiters.delete(taskId);
    this.next();
  }

  /** Begins the next turn, and tells the other tasks what they wait for. */
  next(): void {
    const waiters = [...this.#waiters.values()].toSorted((a, b) => a.row.task.id - b.row.task.id);
    const blocks = new Map(waiters.map((waiter) => [waiter, this.#blockOf(waiter.row.task.after)]));
    const first = waiters.find((waiter) => blocks.get(waiter) === null);
    if (this.#isOpen && this.#running.size === 0 && first) {
      const { id } = first.row.task;
      this.#waiters.delete(id);
      this.#running.add(id);
      first.begin();
    }
    const [holder] = this.#running;
    for (const waiter of waiters) {
      if (!this.#waiters.has(waiter.row.task.id)) continue;
      const block = blocks.get(waiter);
      if (block) waiter.wait(block.note, block.isBlocked);
      else if (!this.#isOpen) waiter.wait("waits until this new version of the agent has checked in", false);
      else waiter.wait(`waits for the command of task ${holder}`, false);
    }
  }

  /** A task that is not listed on this device, or was cancelled, is not waited for. */
  #blockOf(after: number | null): { note: string; isBlocked: boolean } | null {
    const life = after === null ? undefined : this.#rowOf(after)?.life;
    if (life === "open" || life === "running")
      return { note: `waits for task ${after}, which has to succeed first`, isBlocked: false };
    if (life !== "failed") return null;
    return {
      note: `waits for task ${after}, which has to succeed first and has failed on this device: try it again, or cancel both`,
      isBlocked: true,
    };
  }
}
