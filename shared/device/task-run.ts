/**
 * The command of one task: waits for its turn, asks `detect` whether the package is already there,
 * runs the command, and repeats it while another installer is busy. A command that an earlier
 * process of the agent started is waited for, and is not started again.
 */
import { assert } from "../model/assert.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { formatDuration } from "../model/quantity.ts";
import { commandRequest, type ReadyWork } from "./task-command.ts";
import { withdrawnReason } from "./task-hold.ts";
import { endOfCommand, meaningOf } from "./command-outcome.ts";
import type { CommandTurns } from "./command-turns.ts";
import type { CommandEnd, CommandRequest, CommandRun, DevicePorts } from "./ports.ts";
import type { TaskLife, TaskRow } from "./task-record.ts";
import type { TaskStage } from "./task-stage.ts";

/** Back-off of a command whose exit code means busy. Ten runs take about an hour. */
const busyBackoff: Backoff = { baseMs: 15_000, maxMs: 600_000, jitter: [0.75, 1.25] };

type Line = Pick<CommandRequest, "command" | "shell">;
type Plan = Extract<ReadyWork, { kind: "line" }>;

export type RunHost = {
  readonly ports: DevicePorts;
  readonly turns: CommandTurns;
  readonly row: TaskRow;
  become(stage: TaskStage): void;
  /** @throws CacheError */
  save(): void;
  trySave(): void;
  end(life: Exclude<TaskLife, "open" | "running">, reason: string): void;
  /** Handles an error: the task is tried again later. */
  fail(error: unknown): void;
  /** Opens the complete package, whose origin belongs to the report. */
  findPackage(): Promise<void>;
  /** Begins the task again, from its package on. */
  restart(): void;
  /** Holds the task if it is paused or has expired. @returns whether it is held */
  isHeld(): boolean;
  /** Whether this device leads the session of the task for devices that are missing chunks. */
  servesOthers(): boolean;
  /** Returns why a lower version must not run; null: it may. */
  downgradeReason(): string | null;
};

const wallMs = ({ clock }: DevicePorts): number => Math.floor(clock.wallMs());

export class TaskRun {
  readonly #host: RunHost;
  readonly #kill = new AbortController();
  #plan: Plan | null = null;
  #timer: (() => void) | null = null;
  #isDetecting = false;
  #end: "none" | "stopped" | "cancelled" = "none";

  constructor(host: RunHost) {
    this.#host = host;
  }

  /** Runs the command when the task has its turn. */
  start(plan: ReadyWork): void {
    assert(plan.kind === "line", "a task that runs a command was given other work");
    this.#plan = plan;
    const { turns, row, become } = this.#host;
    turns.request({
      row,
      begin: () => this.#do(() => this.#begin(plan)),
      wait: (note, isBlocked) => become({ kind: "ready", note, isBlocked }),
    });
  }

  /** Waits for the command that an earlier process of the agent started. */
  adopt(): void {
    this.#do(async () => this.#onEnd(await this.#host.ports.commands.adopt(this.#request())));
  }

  /**
   * Cancels the task. A running command continues to its end, or is killed.
   * @returns false if no command runs: the task ends at once
   */
  cancel(kills: boolean): boolean {
    this.#end = "cancelled";
    this.#timer?.();
    const isRunning = this.#host.row.life === "running";
    if (kills || !isRunning) this.#kill.abort();
    return isRunning;
  }

  /**
   * Takes back the request for a turn, and the wait for a repetition.
   * @returns false while a command runs: `isHeld` is asked after `detect`
   */
  withdraw(): boolean {
    if (this.#isDetecting || this.#host.row.life === "running") return false;
    this.#timer?.();
    this.#host.turns.release(this.#host.row.task.id);
    return true;
  }

  /** Ends the work of this process. A running command continues. */
  stop(): void {
    this.#end = "stopped";
    this.#timer?.();
  }

  #do(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      this.#host.fail(error);
      if (this.#end !== "stopped") this.#host.turns.release(this.#host.row.task.id);
    });
  }

  async #begin({ detect }: Plan): Promise<void> {
    const { row, ports, become, end, downgradeReason } = this.#host;
    if (this.#end !== "none") return;
    const isUnknown = row.command?.meaning === "unknown";
    const reason = isUnknown ? null : downgradeReason();
    if (reason !== null) return end("superseded", reason);
    if (this.#isHeld()) return;
    if (detect) {
      become({ kind: "ready", note: "checks whether the package is already there", isBlocked: false });
      const startedAtMs = wallMs(ports);
      this.#isDetecting = true;
      const found = await ports.commands.run(this.#requestFor(detect, "detect")).finally(() => {
        this.#isDetecting = false;
      });
      if (this.#end !== "none" || this.#isHeld()) return;
      if (found.exitCode === 0 && !found.timedOut) {
        const endedAtMs = wallMs(ports);
        row.command = { ...found, meaning: "already-there", runs: row.runs, startedAtMs, endedAtMs };
        return this.#finish();
      }
    }
    if (isUnknown) return this.#finish();
    await this.#run();
  }

  /** Ends the turn of a task that is paused or has expired. */
  #isHeld(): boolean {
    const { isHeld, turns, row } = this.#host;
    if (!isHeld()) return false;
    turns.release(row.task.id);
    return true;
  }

  async #run(): Promise<void> {
    const { row, ports, become, save } = this.#host;
    const before = row.command;
    this.#noteStart();
    let end: CommandEnd;
    try {
      // Saved before the command starts, so that it runs at most once: also when the agent is
      // killed while it runs. Exceptions: the ledger is lost, or the command does not start.
      save();
      become({ kind: "running" });
      end = await ports.commands.run(this.#requestFor(this.#plan!.line));
    } catch (error) {
      Object.assign(row, { life: "open", runs: row.runs - 1, command: before });
      throw error;
    }
    this.#onEnd(end);
  }

  /** Notes the start in the row: the outcome is unknown until it is stored. */
  #noteStart(): void {
    const { row, ports } = this.#host;
    row.life = "running";
    row.runs++;
    row.command = {
      meaning: "unknown",
      exitCode: null,
      timedOut: false,
      outputTail: "",
      runs: row.runs,
      startedAtMs: wallMs(ports),
      endedAtMs: null,
    };
  }

  #onEnd(end: CommandEnd | null): void {
    const { row, ports, restart } = this.#host;
    // The agent stops: its next process learns the outcome.
    if (this.#end === "stopped") return;
    assert(row.command !== null, "a command ends that was not started");
    const { values } = row.task.setting;
    if (end === null) {
      // The package itself may tell what became of the command.
      if (row.task.run !== "install" || this.#end === "cancelled") return this.#finish();
      row.life = "open";
      this.#host.trySave();
      this.#host.turns.release(row.task.id);
      return restart();
    }
    const meaning = meaningOf(end, values);
    Object.assign(row.command, end, { meaning, endedAtMs: wallMs(ports) });
    if (meaning !== "busy" || row.runs >= values.commandAttempts) return this.#finish();
    row.life = "open";
    this.#host.trySave();
    if (this.#end === "cancelled") return this.#host.end("cancelled", withdrawnReason);
    this.#waitToRepeat();
  }

  /** Waits, and keeps the turn: another command would find the installer busy too. */
  #waitToRepeat(): void {
    const { row, ports, become, restart, turns } = this.#host;
    const delayMs = backoffMs(busyBackoff, row.runs - 1, ports.random);
    const { commandAttempts } = row.task.setting.values;
    const wait = formatDuration(Math.ceil(delayMs / 1_000) * 1_000);
    const note = `another installer is busy (exit code ${row.command?.exitCode}): run ${row.runs + 1} of ${commandAttempts} in ${wait}`;
    become({ kind: "ready", note, isBlocked: false });
    this.#timer = ports.clock.after(delayMs, () => {
      if (this.#plan) return this.#do(() => this.#run());
      // An earlier process of the agent knew the package's folder.
      turns.release(row.task.id);
      restart();
    });
  }

  #finish(): void {
    const { row, end } = this.#host;
    const { life, reason } = endOfCommand(row.task.id, row.command!, row.task.setting.values);
    if (this.#kill.signal.aborted && life === "failed")
      return end("cancelled", "cancelled by the administrator, who had the command ended");
    end(life, reason);
  }

  #request(name = "run"): CommandRun {
    const { task, runs, command } = this.#host.row;
    return {
      taskId: task.id,
      key: `${name} ${command?.startedAtMs ?? 0}.${runs}`,
      timeoutMs: task.setting.values.commandTimeoutMs,
      signal: this.#kill.signal,
    };
  }

  #requestFor(line: Line, name?: string): CommandRequest {
    return { ...commandRequest(this.#host.row.task, this.#plan!.folder, line), ...this.#request(name) };
  }
}
