/**
 * A device: its tasks, and the packages that it offers to others. The program around it (shared/agent) enrols it, keeps in
 * touch with the source and watches its network.
 */
import type { AgentTask } from "../api/schema/agent.ts";
import { Offers } from "./offers.ts";
import type { DevicePorts } from "./ports.ts";
import { newTaskRow, parseTaskRow, type TaskRow } from "./task-record.ts";
import { Task } from "./task.ts";

export type DeviceOptions = {
  readonly ports: DevicePorts;
  /** There is something new to report about this task. */
  readonly onChange: (task: Task) => void;
};

export class Device {
  readonly tasks = new Map<number, Task>();
  readonly #options: DeviceOptions;
  readonly #offers: Offers;

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.#offers = new Offers(options.ports, (packageId, error) => {
      for (const { store, session } of this.tasks.values())
        if (store?.id === packageId) session?.onCorruptPackage(error);
    });
  }

  /** Resumes what the ledger knows: open tasks continue, cached packages are offered to the subnet. */
  async resume(): Promise<void> {
    const { cache, log } = this.#options.ports;
    for (const { taskId, state } of cache.ledger.tasks()) {
      const row = parseTaskRow(state);
      if (!row) {
        log.warn({ taskId }, "a task in the ledger cannot be read: it is dropped, the source sends it again");
        cache.ledger.deleteTask(taskId);
        continue;
      }
      const task = this.#add(row);
      const store = await cache.find(row.task.packageId);
      if (store) this.#offers.offer(store, Buffer.from(row.task.packageKey, "base64"));
      if (task.stage.kind === "ended" && !row.reported) this.#options.onChange(task);
      task.start();
    }
  }

  /** Tasks that have ended here, and whose session this device still leads for others. */
  get serving(): number[] {
    return [...this.tasks.values()].filter(({ isServing }) => isServing).map(({ id }) => id);
  }

  /**
   * The source named every task of this device: new ones begin, and those that it does not name are cancelled.
   * @param serving `serving` at the time of the request
   */
  accept(tasks: readonly AgentTask[], serving: readonly number[]): void {
    const named = new Set(tasks.map(({ id }) => id));
    for (const task of this.tasks.values())
      if (!named.has(task.id) && (task.stage.kind !== "ended" || serving.includes(task.id)))
        void task.stop("cancelled").catch(this.#onError);
    for (const task of tasks) this.#accept(task, serving);
  }

  #accept(given: AgentTask, serving: readonly number[]): void {
    const known = this.tasks.get(given.id);
    if (known) {
      // The source does not know yet how the task ended.
      if (known.stage.kind === "ended" && !serving.includes(given.id)) this.#options.onChange(known);
      if (!known.isOver) known.update(given);
      return;
    }
    const task = this.#add(newTaskRow(given));
    const { id, packageName, packageVersion, action } = given;
    this.#options.ports.log.info(
      { taskId: id, package: `${packageName} ${packageVersion}`, action },
      "new task",
    );
    task.trySave();
    task.start();
  }

  #add(row: TaskRow): Task {
    const { ports, onChange } = this.#options;
    const task: Task = new Task({
      ports,
      offers: this.#offers,
      row,
      onChange: () => {
        // Called from the constructor too, before the task is listed.
        const listed = this.tasks.get(row.task.id);
        if (listed) onChange(listed);
      },
      fetchedBy: (packageId) =>
        [...this.tasks.values()].find((other) => other !== task && other.fetches(packageId))?.id ?? null,
      onPackageComplete: (packageId) => {
        for (const other of this.tasks.values()) other.packageCompleted(packageId);
      },
    });
    this.tasks.set(task.id, task);
    return task;
  }

  readonly #onError = (error: unknown): void =>
    this.#options.ports.log.error({ error: String(error) }, "task");

  /** Ends the sessions. Returns what resumes them. */
  leaveSubnet(reason: string): () => void {
    const left = [...this.tasks.values()].filter((task) => task.leaveSubnet(reason));
    return () => {
      for (const task of left) task.start();
    };
  }

  /** Sessions resign, and everything verified is written. */
  async stop(): Promise<void> {
    await Promise.all([...this.tasks.values()].map((task) => task.stop("shutdown")));
  }

  /** Serves nothing to others any more. */
  close(): void {
    this.#offers.close();
  }
}
