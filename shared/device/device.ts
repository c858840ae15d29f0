/**
 * A device: its tasks, and the packages it offers to others. The program around it (shared/agent)
 * enrols the device, checks in at the source and watches the network.
 */
import type { AgentTask } from "../api/schema/agent.ts";
import { CacheError } from "../cache/index.ts";
import { BugError } from "../model/assert.ts";
import { CommandTurns } from "./command-turns.ts";
import { arrivalOf, firstRowOf, type Arrival } from "./task-arrival.ts";
import { acknowledge, identityOf } from "./task-hold.ts";
import { Offers } from "./offers.ts";
import { keysOf, PackageKeyring, type StatedKeys } from "./package-keys.ts";
import type { DevicePorts } from "./ports.ts";
import { eraseSecrets, mayHaveBegun, parseTaskRow, type TaskRow } from "./task-record.ts";
import { Task } from "./task.ts";
import { commandKey, downgradeReason } from "./version-guard.ts";

/**
 * Ended tasks that the ledger keeps for `status`. Older ones are kept only for the key of a package
 * that the device offers.
 */
const endedTasksMax = 256;
/** Upper bound on ended tasks that stay because their order is valid: it must not run again. */
const replayableTasksMax = 4_096;

/** Ids of tasks in an answer of the source. */
type TaskIds = {
  readonly unreadable?: readonly number[];
  readonly killed?: readonly number[];
  readonly begun?: readonly number[];
  readonly packageKeys?: readonly StatedKeys[];
};

type DeviceOptions = {
  readonly ports: DevicePorts;
  /** Called when there is something new to report about a task. */
  readonly onChange: (task: Task) => void;
};

/** Erases keys and command of a task that has ended for everybody. @returns whether it had any */
const isErasedNow = ({ isOver, row }: Task): boolean => isOver && row.reported && eraseSecrets(row);

export class Device {
  readonly tasks = new Map<number, Task>();
  readonly #options: DeviceOptions;
  readonly #offers: Offers;
  /** Tasks whose row in the ledger cannot be read: their command may have begun. */
  readonly #lost = new Set<number>();
  /** Tasks whose id is that of another one, whose command still runs. */
  readonly #successors = new Map<number, AgentTask>();
  readonly #turns: CommandTurns;
  readonly #keys: PackageKeyring;
  /** False: the log of the ledger may contain keys that were erased. */
  #isLogClear = true;

  constructor(options: DeviceOptions) {
    this.#options = options;
    const { isTrial } = options.ports.upgrades;
    this.#keys = new PackageKeyring(options.ports.cache.ledger);
    this.#turns = new CommandTurns((taskId) => this.tasks.get(taskId)?.row ?? null, !isTrial);
    this.#offers = new Offers(options.ports, (packageId, error) => {
      for (const { store, session } of this.tasks.values())
        if (store?.id === packageId) session?.onCorruptPackage(error);
    });
  }

  /** Resumes from the ledger: continues open tasks and offers the packages of all tasks. */
  async resume(): Promise<void> {
    const { cache, log } = this.#options.ports;
    const resumed: Task[] = [];
    for (const { taskId, state } of cache.ledger.tasks()) {
      const row = parseTaskRow(state);
      if (!row) {
        log.warn({ taskId }, "a task in the ledger cannot be read: the source sends it again");
        if (mayHaveBegun(state)) this.#lost.add(taskId);
        else cache.ledger.deleteTask(taskId);
        continue;
      }
      resumed.push(this.#add(row));
    }
    for (const task of resumed) {
      // An error of one task hinders no other task.
      try {
        await this.#resume(task);
      } catch (error) {
        this.#onError(error, task.id);
      }
    }
  }

  async #resume(task: Task): Promise<void> {
    const { row } = task;
    const { kind } = task.stage;
    await task.checkReboot();
    if (kind === "running" || (kind === "ended" && !row.reported)) this.#options.onChange(task);
    task.start();
    const { cache } = this.#options.ports;
    const { packageId } = row.task;
    const known = this.#keys.of(packageId);
    const keys = known.length > 0 ? known : keysOf(row.task);
    if (keys.length === 0) return;
    const listed = cache.ledger.package(packageId);
    if (listed?.state === "complete") return this.#offers.offerListed(listed, keys);
    const store = listed && (await cache.find(listed.id));
    if (store) this.#offers.offer(store, keys);
  }

  /**
   * Takes the keys of packages that the source states, with those of its tasks.
   * @returns the packages whose keys changed
   */
  #takeKeys(tasks: readonly AgentTask[], stated: readonly StatedKeys[]): string[] {
    const { ledger } = this.#options.ports.cache;
    const open = new Set(tasks.map(({ packageId }) => packageId));
    const isNeeded = (packageId: string): boolean =>
      open.has(packageId) || ledger.package(packageId) !== null;
    const changed = this.#keys.take([...stated, ...tasks], isNeeded);
    try {
      if (this.#keys.save()) this.#isLogClear = false;
    } catch (error) {
      this.#onError(error, tasks[0]?.id ?? 0);
    }
    return changed;
  }

  /** Offers packages under their present keys. */
  #offerAgain(packageIds: readonly string[]): void {
    const { ledger } = this.#options.ports.cache;
    for (const packageId of packageIds) {
      const keys = this.#keys.of(packageId);
      if (this.#offers.changeKeys(packageId, keys)) continue;
      const listed = ledger.package(packageId);
      if (listed?.state === "complete") this.#offers.offerListed(listed, keys);
    }
  }

  /** Erases keys and commands of ended tasks in the ledger, and earlier keys in its log. */
  erase(): void {
    const erased = [...this.tasks.values()].filter(isErasedNow);
    this.#save(erased);
    if (erased.length > 0) this.#isLogClear = false;
    if (this.#isLogClear) return;
    try {
      this.#isLogClear = this.#options.ports.cache.ledger.clearLog();
    } catch (error) {
      this.#onError(error, erased[0]?.id ?? 0);
    }
  }

  /** Ids of ended tasks whose session this device still leads for others. */
  get serving(): number[] {
    return [...this.tasks.values()].filter(({ isServing }) => isServing).map(({ id }) => id);
  }

  /**
   * Takes the task list of the source: starts new tasks and cancels those that the list omits.
   * @param serving `serving` at the time of the request
   * @param ids `unreadable`: the device leaves these as they are; `killed`: cancelled, with their
   *   running command; `begun`: the device has reported that it began their command
   * @returns whether to ask again: a task that ended during the request is still served, and the
   *   list does not tell whether it was cancelled
   */
  accept(
    tasks: readonly AgentTask[],
    serving: readonly number[],
    { unreadable = [], killed = [], begun: reported = [], packageKeys = [] }: TaskIds = {},
  ): boolean {
    const named = new Set([...tasks.map(({ id }) => id), ...unreadable]);
    for (const task of this.tasks.values())
      if (!named.has(task.id) && (task.stage.kind !== "ended" || serving.includes(task.id)))
        void task
          .stop(killed.includes(task.id) ? "killed" : "cancelled")
          .catch((error: unknown) => this.#onError(error, task.id));
    const rekeyed = this.#takeKeys(tasks, packageKeys);
    const changed: Task[] = [];
    const begun: Task[] = [];
    this.#successors.clear();
    this.#each(tasks, (given) => {
      const known = this.tasks.get(given.id);
      const arrival = arrivalOf(known?.row, given);
      if (known === undefined) begun.push(this.#begin(given, arrival, reported.includes(given.id)));
      else if (arrival === "other") {
        void known.stop("cancelled").catch((error: unknown) => this.#onError(error, known.id));
        // A command that runs uses the files of the id until it ends.
        if (known.stage.kind === "running") this.#successors.set(given.id, given);
        else begun.push(this.#begin(given, arrival));
      } else if (arrival === "retried") {
        known.retire();
        begun.push(this.#begin(given, arrival));
      } else if (this.#updates(known, given, serving)) changed.push(known);
    });
    // Sessions under the keys before have ended now.
    this.#offerAgain(rekeyed);
    this.#save([...changed, ...begun]);
    this.#each(begun, (task) => task.start());
    this.#turns.next();
    this.#forgetEnded(named);
    this.erase();
    return this.serving.some((id) => !serving.includes(id) && !named.has(id));
  }

  /** Removes the oldest tasks whose end the source knows, and which it does not list any more. */
  #forgetEnded(named: ReadonlySet<number>): void {
    const { ledger } = this.#options.ports.cache;
    const ended = [...this.tasks.values()]
      .filter((task) => task.isOver && task.row.reported && !named.has(task.id))
      .toSorted((a, b) => b.id - a.id);
    const lastRuns = this.#lastRuns();
    const packages = new Set(ended.slice(0, endedTasksMax).map(({ row }) => row.task.packageId));
    const nowMs = this.#options.ports.clock.wallMs();
    const newest = new Set(ended.slice(0, replayableTasksMax));
    this.#each(ended.slice(endedTasksMax), (task) => {
      const { id, row } = task;
      const { packageId, expiresAtMs } = row.task;
      const isReplayable = row.runs > 0 && expiresAtMs !== null && expiresAtMs > nowMs;
      if (isReplayable && newest.has(task)) return;
      const isOffered = !packages.has(packageId) && ledger.package(packageId) !== null;
      packages.add(packageId);
      if (isOffered || lastRuns.has(id)) return;
      ledger.deleteTask(id);
      this.tasks.delete(id);
    });
  }

  /** Returns for each command the task that last ran it: later tasks compare versions with it. */
  #lastRuns(): Set<number> {
    const ran = [...this.tasks.values()].filter(({ row }) => row.ranAs > 0);
    const ordered = ran.toSorted((a, b) => a.row.ranAs - b.row.ranAs);
    return new Set(
      new Map(ordered.map(({ id, row }) => [commandKey(row.task, row.commandDigest), id])).values(),
    );
  }

  /** Works on every task: an error of one hinders no other. */
  #each<T extends { readonly id: number }>(tasks: readonly T[], work: (task: T) => void): void {
    for (const task of tasks) {
      try {
        work(task);
      } catch (error) {
        this.#onError(error, task.id);
      }
    }
  }

  /** Updates a task that the device knows. @returns whether it has to be saved */
  #updates(known: Task, given: AgentTask, serving: readonly number[]): boolean {
    // The source sent the task, so it does not know yet how the task ended.
    acknowledge(known.row, given);
    if (known.stage.kind === "ended" && !serving.includes(given.id)) this.#options.onChange(known);
    return !known.isOver && known.update(given);
  }

  /** @param isReported whether the device has reported that the command was begun */
  #begin(given: AgentTask, arrival: Arrival, isReported = false): Task {
    const { id, packageName, packageVersion, action } = given;
    const { log, commands } = this.#options.ports;
    const row = firstRowOf(given, arrival, {
      isReported,
      isLost: this.#lost.has(id),
      hasTrace: () => commands.hasTrace(id, identityOf(given)),
    });
    this.#lost.delete(id);
    const fields = { taskId: id, package: `${packageName} ${packageVersion}`, action };
    if (row.life === "open") log.info(fields, "new task");
    else log.warn(fields, "a task whose row was lost: its command is not begun again");
    return this.#add(row);
  }

  /** Begins the task that got the id of one whose command has ended. */
  #beginSuccessor({ id }: Task): void {
    const given = this.#successors.get(id);
    if (given === undefined) return;
    this.#successors.delete(id);
    const task = this.#begin(given, "other");
    this.#save([task]);
    // The other task gives its turn back first.
    queueMicrotask(() => this.#each([task], () => task.start()));
  }

  /** Saves tasks in one transaction: each one waits for the disk. */
  #save(tasks: readonly Task[]): void {
    if (tasks.length === 0) return;
    try {
      this.#options.ports.cache.ledger.saveTasks(
        tasks.map((task) => ({ taskId: task.id, state: task.saving.rowNow() })),
      );
    } catch (error) {
      for (const task of tasks) task.saving.onUnsaved(error);
    }
  }

  readonly #rows = (): TaskRow[] => [...this.tasks.values()].map(({ row }) => row);

  #add(row: TaskRow): Task {
    const { ports, onChange } = this.#options;
    const task: Task = new Task({
      ports,
      offers: this.#offers,
      row,
      turns: this.#turns,
      isListed: () => this.tasks.get(row.task.id) === task,
      downgradeReason: () => downgradeReason(row.task, this.#rows()),
      nextRunOrder: () => 1 + Math.max(0, ...this.#rows().map(({ ranAs }) => ranAs)),
      onChange: () => {
        // Also called by the constructor of the task, before the task is listed.
        const listed = this.tasks.get(row.task.id);
        if (listed) onChange(listed);
        if (listed?.isOver && listed.row.reported) this.erase();
        if (listed?.stage.kind === "ended") this.#beginSuccessor(listed);
      },
      fetchedBy: (packageId) =>
        [...this.tasks.values()].find((other) => other !== task && other.fetches(packageId))?.id ?? null,
      onPackageComplete: (packageId) => {
        this.#each([...this.tasks.values()], (other) => other.packageCompleted(packageId));
      },
    });
    this.tasks.set(task.id, task);
    return task;
  }

  #onError(error: unknown, taskId: number): void {
    const { ports } = this.#options;
    if (error instanceof BugError) return ports.onBug(error);
    // The cache's errors, such as a full disk, concern the machine.
    const level = error instanceof CacheError ? "warn" : "error";
    ports.log[level]({ taskId, error: String(error) }, "task");
  }

  /** Takes a new reading of the device's conditions (`ports.conditions`). */
  onConditions(): void {
    this.#each([...this.tasks.values()], (task) => task.onConditions());
  }

  /** Ends the sessions. Returns a function that restarts them. */
  leaveSubnet(reason: string): () => void {
    const left: Task[] = [];
    this.#each([...this.tasks.values()], (task) => {
      if (task.leaveSubnet(reason)) left.push(task);
    });
    return () => this.#each(left, (task) => task.start());
  }

  /** Stops all tasks: sessions resign, and verified chunks are written. */
  async stop(): Promise<void> {
    await Promise.all(
      [...this.tasks.values()].map((task) =>
        task.stop("shutdown").catch((error: unknown) => this.#onError(error, task.id)),
      ),
    );
  }

  /** Stops offering packages. */
  close(): void {
    this.#offers.close();
  }
}
