/**
 * End of an imaging environment: restarts the machine or switches it off after an image, once the
 * source has the report, no task is left, and other devices were served for a while.
 */
import type { Task } from "../device/task.ts";
import type { Logger } from "../log.ts";
import type { MachineEnd } from "../model/image-order.ts";
import { platform } from "../platform/index.ts";

/** Time for which the device leads the session for others before its machine ends. */
const servingMsMax = 600_000;
const pollMs = 1_000;

type EndHow = Exclude<MachineEnd, "stay">;

export class MachineEndWatch {
  readonly #tasks: ReadonlyMap<number, Task>;
  readonly #log: Logger;
  /** Tasks that had ended before this process: the machine was already ended for them. */
  readonly #before: ReadonlySet<Task>;
  readonly #timer: ReturnType<typeof setInterval>;
  #doneAtMs: number | null = null;

  /** Call it after the tasks were resumed. */
  constructor(tasks: ReadonlyMap<number, Task>, log: Logger) {
    this.#tasks = tasks;
    this.#log = log;
    this.#before = new Set([...tasks.values()].filter(({ stage }) => stage.kind === "ended"));
    this.#timer = setInterval(() => this.#look(), pollMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const tasks = [...this.#tasks.values()];
    const how = tasks.map((task) => this.#endOf(task)).find((end) => end !== null) ?? null;
    const isBusy = tasks.some(({ stage, row }) => stage.kind !== "ended" || !row.reported);
    if (how === null || isBusy) return void (this.#doneAtMs = null);
    this.#doneAtMs ??= performance.now();
    const mayServe = performance.now() < this.#doneAtMs + servingMsMax;
    if (mayServe && tasks.some(({ isServing }) => isServing)) return;
    this.close();
    this.#log.info({ end: how }, "the image is written: the machine ends");
    platform
      .endMachine(how)
      .catch((error: unknown) => this.#log.error({ error: String(error) }, "the machine does not end"));
  }

  /** Returns how the machine ends after a task; null: not because of it. */
  #endOf(task: Task): EndHow | null {
    const { life, task: given } = task.row;
    const isDone = life === "complete" || life === "reboot-pending";
    if (!isDone || this.#before.has(task) || given.image === null) return null;
    return given.image.machineEnd === "stay" ? null : given.image.machineEnd;
  }
}
