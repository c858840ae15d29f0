/**
 * The command of one task: waits until it may begin (command-gate.ts) and for its turn, asks
 * `detect` whether the package is already there, runs the command, and repeats it while another
 * installer is busy. A command that an earlier process of the agent started is waited for, and is
 * not started again.
 */
import type { CommandOutcome } from "../api/schema/common.ts";
import { assert } from "../model/assert.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { reason, type Reason } from "../model/reason.ts";
import { CommandGate } from "./command-gate.ts";
import { commandRequest, type ReadyWork } from "./task-command.ts";
import { afterReboot, endOfCommand, meaningOf } from "./command-outcome.ts";
import type { CommandTurns } from "./command-turns.ts";
import type { CommandEnd, CommandRequest, CommandRun, DevicePorts } from "./ports.ts";
import type { RunWait } from "./run-conditions.ts";
import { identityOf } from "./task-hold.ts";
import type { TaskEndLife, TaskRow } from "./task-record.ts";
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
  end(life: TaskEndLife, why: Reason | null): void;
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
  /** Returns why a lower version, or an older order, must not run; null: it may. */
  downgradeReason(): Reason | null;
};

const wallMs = ({ clock }: DevicePorts): number => Math.floor(clock.wallMs());

export class TaskRun {
  readonly #host: RunHost;
  readonly #gate: CommandGate;
  readonly #kill = new AbortController();
  #plan: Plan | null = null;
  #timer: (() => void) | null = null;
  /** Whether a turn has begun, and the command has not: it asks `detect`, programs and users. */
  #isAsking = false;
  #end: "none" | "stopped" | "cancelled" = "none";

  constructor(host: RunHost) {
    this.#host = host;
    const { ports, row, trySave, become } = host;
    this.#gate = new CommandGate({
      ports,
      row,
      trySave,
      wait: (note) => become({ kind: "ready", note, isBlocked: false }),
    });
  }

  /** Runs the command when it may begin and the task has its turn. */
  start(plan: ReadyWork): void {
    assert(plan.kind === "line", "a task that runs a command was given other work");
    this.#plan = plan;
    const wait = this.#begins(plan) ? this.#gate.closedNow() : null;
    if (wait === null) this.#requestTurn(plan);
    else this.#waitAtGate(plan, wait);
  }

  /** Whether something is begun: an unknown outcome without `detect` is only reported. */
  #begins({ detect }: Plan): boolean {
    return detect !== null || this.#host.row.command?.meaning !== "unknown";
  }

  #waitAtGate(plan: Plan, wait: RunWait): void {
    this.#gate.wait(wait, () => {
      if (!this.#host.isHeld()) this.start(plan);
    });
  }

  #requestTurn(plan: Plan): void {
    const { turns, row, become } = this.#host;
    turns.request({
      row,
      begin: () => this.#do(() => this.#begin(plan)),
      wait: (note, isBlocked) => become({ kind: "ready", note, isBlocked }),
    });
  }

  /** Asks again whether the command may begin: the task has changed. */
  onChanged(): void {
    this.#gate.hurry();
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
    this.#gate.leave();
    const isRunning = this.#host.row.life === "running";
    if (kills || !isRunning) this.#kill.abort();
    return isRunning;
  }

  /**
   * Takes back the request for a turn, and the waits at the gate and for a repetition.
   * @returns false while a command runs: `isHeld` is asked after `detect` and the conditions
   */
  withdraw(): boolean {
    if (this.#isAsking || this.#host.row.life === "running") return false;
    this.#timer?.();
    this.#gate.leave();
    this.#host.turns.release(this.#host.row.task.id);
    return true;
  }

  /** Ends the work of this process. A running command continues. */
  stop(): void {
    this.#end = "stopped";
    this.#timer?.();
    this.#gate.leave();
  }

  #do(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      this.#host.fail(error);
      if (this.#end !== "stopped") this.#host.turns.release(this.#host.row.task.id);
    });
  }

  async #begin(plan: Plan): Promise<void> {
    const { row, ports, end, downgradeReason } = this.#host;
    if (this.#end !== "none") return;
    const isUnknown = row.command?.meaning === "unknown";
    const downgrade = isUnknown ? null : downgradeReason();
    if (downgrade !== null) return end("superseded", downgrade);
    if (this.#isHeld() || (await this.#isPutOff(plan))) return;
    row.bootId = await this.#whileAsking(ports.commands.bootId());
    if (this.#end !== "none" || this.#isHeld()) return;
    if (plan.detect !== null) {
      const found = await this.#detect(plan.detect);
      if (this.#end !== "none" || this.#isHeld()) return;
      if (found !== null) {
        row.command = found;
        return await this.#finish();
      }
      // A window may end while `detect` runs.
      if (!isUnknown && (await this.#isPutOff(plan))) return;
    }
    if (isUnknown) return await this.#finish();
    await this.#run();
  }

  /** Waits for a question of this turn. */
  async #whileAsking<T>(answer: Promise<T>): Promise<T> {
    this.#isAsking = true;
    try {
      return await answer;
    } finally {
      this.#isAsking = false;
    }
  }

  /** Gives the turn back while the command may not begin. @returns whether the turn is over */
  async #isPutOff(plan: Plan): Promise<boolean> {
    if (!this.#begins(plan)) return false;
    const wait = await this.#whileAsking(this.#gate.ask());
    if (this.#end !== "none" || this.#isHeld()) return true;
    if (wait === null) return false;
    this.#host.turns.release(this.#host.row.task.id);
    this.#waitAtGate(plan, wait);
    return true;
  }

  /** @returns the outcome where the package is there; null: the command has to run */
  async #detect(detect: Line): Promise<CommandOutcome | null> {
    const { row, ports, become } = this.#host;
    become({ kind: "ready", note: reason("detects"), isBlocked: false });
    const startedAtMs = wallMs(ports);
    const end = await this.#whileAsking(ports.commands.run(this.#requestFor(detect, "detect")));
    if (end.exitCode !== 0 || end.timedOut) return null;
    return { ...end, meaning: "already-there", runs: row.runs, startedAtMs, endedAtMs: wallMs(ports) };
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
      if (this.#plan) return this.#do(() => this.#repeat(this.#plan!));
      // An earlier process of the agent knew the package's folder.
      turns.release(row.task.id);
      restart();
    });
  }

  async #repeat(plan: Plan): Promise<void> {
    if (!(await this.#isPutOff(plan))) await this.#run();
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
    const request = commandRequest(this.#host.row.task, this.#plan!, line);
    return { ...request, ...this.#request(), key: this.#key(name) };
  }
}
