/**
 * The command of one task: waits for its turn, asks `detect` whether the package is already there,
 * runs the command, and repeats it while another installer is busy. A command that an earlier
 * process of the agent started is waited for, and is not started again.
 */
import { assert } from "../model/assert.ts";
import type { CommandOutcome } from "../api/schema/common.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { reason, type Reason } from "../model/reason.ts";
import { commandRequest } from "./task-command.ts";
import { afterReboot, endOfCommand, meaningOf } from "./command-outcome.ts";
import type { CommandTurns } from "./command-turns.ts";
import type { CommandEnd, CommandRequest, CommandRun, DevicePorts } from "./ports.ts";
import { identityOf } from "./task-hold.ts";
import type { TaskEndLife, TaskRow } from "./task-record.ts";
import type { TaskStage } from "./task-stage.ts";

/** Back-off of a command whose exit code means busy. Ten runs take about an hour. */
const busyBackoff: Backoff = { baseMs: 15_000, maxMs: 600_000, jitter: [0.75, 1.25] };

type Line = Pick<CommandRequest, "command" | "shell">;
type Plan = {
  /** Folder of the complete package. */
  readonly folder: string;
  readonly line: Line;
  /** Command whose exit code 0 means that there is nothing to run. */
  readonly detect: Line | null;
};

type RunHost = {
  readonly ports: DevicePorts;
  readonly turns: CommandTurns;
  readonly row: TaskRow;
  become(stage: TaskStage): void;
  /** @throws CacheError */
  save(): void;
  trySave(): void;
  end(life: TaskEndLife, why: Reason | null): void;
  /** Handles an error: the task is tried again later. */
  fail(error: unknown): void;
  /** Begins the task again, from its package on. */
  restart(): void;
  /** Holds the task if it is paused or has expired. @returns whether it is held */
  isHeld(): boolean;
  /** Returns why a lower version must not run; null: it may. */
  downgradeReason(): Reason | null;
};

const wallMs = ({ clock }: DevicePorts): number => Math.floor(clock.wallMs());

export class TaskRun {
  readonly #host: RunHost;
  readonly #kill = new AbortController();
  #plan: Plan | null = null;
  #timer: (() => void) | null = null;
  /** Whether a turn has begun, and the command has not. */
  #isPreparing = false;
  #end: "none" | "stopped" | "cancelled" = "none";

  constructor(host: RunHost) {
    this.#host = host;
  }

  /** Runs the command when the task has its turn. */
  start(plan: Plan): void {
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
    this.#do(async () => await this.#onEnd(await this.#host.ports.commands.adopt(this.#request())));
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
   * @returns false while a command runs, and while it is prepared: `isHeld` is asked after that
   */
  withdraw(): boolean {
    if (this.#isPreparing || this.#host.row.life === "running") return false;
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
    const { row, ports, end, downgradeReason } = this.#host;
    if (this.#end !== "none") return;
    const isUnknown = row.command?.meaning === "unknown";
    const downgrade = isUnknown ? null : downgradeReason();
    if (downgrade !== null) return end("superseded", downgrade);
    if (this.#isHeld()) return;
    this.#isPreparing = true;
    let found: CommandOutcome | null;
    try {
      row.bootId = await ports.commands.bootId();
      found = detect && (await this.#detect(detect));
    } finally {
      this.#isPreparing = false;
    }
    if (this.#end !== "none" || this.#isHeld()) return;
    if (found) row.command = found;
    if (found || isUnknown) return await this.#finish();
    await this.#run();
  }

  /** @returns the outcome where the package is there; null: the command has to run */
  async #detect(detect: Line): Promise<CommandOutcome | null> {
    const { row, ports, become } = this.#host;
    if (this.#end !== "none") return null;
    become({ kind: "ready", note: reason("detects"), isBlocked: false });
    const startedAtMs = wallMs(ports);
    const end = await ports.commands.run(this.#requestFor(detect, "detect"));
    if (end.exitCode !== 0 || end.timedOut) return null;
    const endedAtMs = wallMs(ports);
    return { ...end, meaning: "already-there", runs: row.runs, startedAtMs, endedAtMs };
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
      end = await ports.commands.run(this.#requestFor(this.#plan!.line, "run"));
    } catch (error) {
      Object.assign(row, { life: "open", runs: row.runs - 1, command: before });
      throw error;
    }
    await this.#onEnd(end);
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

  async #onEnd(end: CommandEnd | null): Promise<void> {
    const { row, ports, restart } = this.#host;
    // The agent stops: its next process learns the outcome.
    if (this.#end === "stopped") return;
    assert(row.command !== null, "a command ends that was not started");
    const { values } = row.task.setting;
    if (end === null) {
      // The package itself may tell what became of the command.
      if (row.task.run !== "install" || this.#end === "cancelled") return await this.#finish();
      row.life = "open";
      this.#host.trySave();
      this.#host.turns.release(row.task.id);
      return restart();
    }
    const meaning = meaningOf(end, values);
    Object.assign(row.command, end, { meaning, endedAtMs: wallMs(ports) });
    if (meaning !== "busy" || row.runs >= values.commandAttempts) return await this.#finish();
    row.life = "open";
    this.#host.trySave();
    if (this.#end === "cancelled") return this.#host.end("cancelled", reason("withdrawn"));
    this.#waitToRepeat();
  }

  /** Waits, and keeps the turn: another command would find the installer busy too. */
  #waitToRepeat(): void {
    const { row, ports, become, restart, turns } = this.#host;
    const delayMs = backoffMs(busyBackoff, row.runs - 1, ports.random);
    const { commandAttempts: runsMax } = row.task.setting.values;
    const exitCode = row.command?.exitCode ?? null;
    const note = reason("awaits-installer", { exitCode, run: row.runs + 1, runsMax, inMs: delayMs });
    become({ kind: "ready", note, isBlocked: false });
    this.#timer = ports.clock.after(delayMs, () => {
      if (this.#plan) return this.#do(() => this.#run());
      // An earlier process of the agent knew the package's folder.
      turns.release(row.task.id);
      restart();
    });
  }

  async #finish(): Promise<void> {
    const { row, end, ports } = this.#host;
    const { life, reason: why } = endOfCommand(row.task.id, row.command!, row.task.setting.values);
    if (life === "reboot-pending") {
      const after = afterReboot({ ...row, reason: why }, await ports.commands.bootId());
      return end(after.life, after.reason);
    }
    if (this.#kill.signal.aborted && life === "failed") return end("cancelled", reason("killed"));
    end(life, why);
  }

  #request(): CommandRun {
    const { task, command } = this.#host.row;
    return {
      taskId: task.id,
      identity: identityOf(task),
      key: command?.startedAtMs == null ? null : this.#key("run"),
      timeoutMs: task.setting.values.commandTimeoutMs,
      signal: this.#kill.signal,
    };
  }

  #key(name: "run" | "detect"): string {
    const { runs, command } = this.#host.row;
    return `${name} ${command?.startedAtMs ?? 0}.${runs}`;
  }

  #requestFor(line: Line, name: "run" | "detect"): CommandRequest {
    const request = commandRequest(this.#host.row.task, this.#plan!.folder, line);
    return { ...request, ...this.#request(), key: this.#key(name) };
  }
}
