/**
 * Turns of commands: a device runs one command at a time, because installers refuse to run next to
 * each other. Among the tasks that are ready, the one with the lowest id has the next turn; a task
 * that has to wait for another one (`after`) does not hold up the others.
 */
import { reason, type Reason } from "../model/reason.ts";
import type { TaskRow } from "./task-record.ts";

type Waiter = {
  readonly row: TaskRow;
  /** Called when the task has its turn. The turn ends with `release`. */
  readonly begin: () => void;
  /** Called with the reason why it has to wait. @param isBlocked a person has to act */
  readonly wait: (note: Reason, isBlocked: boolean) => void;
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
      else if (!this.#isOpen) waiter.wait(reason("awaits-check-in"), false);
      else if (holder !== undefined) waiter.wait(reason("awaits-command", { taskId: holder }), false);
    }
  }

  /** A task that is not listed on this device, or was cancelled, is not waited for. */
  #blockOf(taskId: number | null): { note: Reason; isBlocked: boolean } | null {
    if (taskId === null) return null;
    const life = this.#rowOf(taskId)?.life;
    if (life === "open" || life === "running")
      return { note: reason("awaits-success", { taskId }), isBlocked: false };
    if (life === "reboot-pending") return { note: reason("awaits-reboot-of", { taskId }), isBlocked: false };
    return life === "failed" ? { note: reason("predecessor-failed", { taskId }), isBlocked: true } : null;
  }
}
