/**
 * Gate before the command of one task: asks whether it may begin (run-conditions.ts), and waits. A
 * task at the gate has no turn, so that commands of other tasks run meanwhile.
 */
import type { Reason } from "../model/reason.ts";
import { wallClockIn } from "../model/time-zone.ts";
import type { DevicePorts } from "./ports.ts";
import {
  hasConditions,
  isPastDeadline,
  obstacleOf,
  putOff,
  windowWait,
  type RunWait,
  type Seen,
} from "./run-conditions.ts";
import { taskTimeMs } from "./source-time.ts";
import type { TaskRow } from "./task-record.ts";

/**
 * Longest timer; then the clock, programs and users are asked again. The clock may have been set,
 * the device may have slept, and a program may have ended.
 */
const askEveryMsMax = 30_000;

type GateHost = {
  readonly ports: Pick<DevicePorts, "clock" | "place" | "activity" | "timeZone">;
  readonly row: TaskRow;
  trySave(): void;
  /** Tells what the command waits for. */
  wait(note: Reason): void;
};

export class CommandGate {
  readonly #host: GateHost;
  #waiting: { readonly cancel: () => void; readonly again: () => void } | null = null;

  constructor(host: GateHost) {
    this.#host = host;
  }

  get #nowMs(): number {
    const { clock, place } = this.#host.ports;
    return taskTimeMs(clock, place.answered);
  }

  /** Returns the wait for the next window; null inside one. */
  closedNow(): RunWait | null {
    const { ports, row } = this.#host;
    return windowWait(row.task, this.#nowMs, wallClockIn(ports.timeZone));
  }

  /** Asks for programs and users too, and counts deferrals. @returns null: the command may begin */
  async ask(): Promise<RunWait | null> {
    const { row } = this.#host;
    const closed = this.closedNow();
    if (closed !== null || !hasConditions(row.task) || isPastDeadline(row.task, this.#nowMs)) return closed;
    const seen = await this.#look();
    // Windows and deadline may have passed in the meantime, and the task may have changed.
    const nowMs = this.#nowMs;
    const closedSince = this.closedNow();
    if (closedSince !== null || isPastDeadline(row.task, nowMs)) return closedSince;
    const obstacle = obstacleOf(row.task, seen);
    return obstacle === null ? null : this.#putOff(obstacle, nowMs);
  }

  async #look(): Promise<Seen> {
    const { row, ports } = this.#host;
    const { activity } = ports;
    const { notWhile, setting } = row.task;
    const [programs, userIdleMs] = await Promise.all([
      notWhile.length === 0 ? [] : activity.runningPrograms(),
      setting.values.runWhileUserActive ? null : activity.userIdleMs(),
    ]);
    return { programs, userIdleMs, ignoresCase: activity.ignoresCase };
  }

  #putOff(obstacle: readonly string[], nowMs: number): RunWait | null {
    const { row, trySave } = this.#host;
    const result = putOff(row.task, row, obstacle, nowMs);
    if (result === null) return null;
    const { deferrals, deferredUntilMs, wait } = result;
    if (deferrals !== row.deferrals || deferredUntilMs !== row.deferredUntilMs) {
      Object.assign(row, { deferrals, deferredUntilMs });
      trySave();
    }
    return wait;
  }

  /** Waits, and then calls `again`, which asks again. */
  wait({ note, untilMs }: RunWait, again: () => void): void {
    this.leave();
    const { ports, wait } = this.#host;
    const delayMs = Math.min(Math.max(0, untilMs - this.#nowMs), askEveryMsMax);
    const run = (): void => {
      this.#waiting = null;
      again();
    };
    this.#waiting = { cancel: ports.clock.after(delayMs, run), again: run };
    wait(note);
  }

  /** Asks again at once: the task has changed. No effect on a command that does not wait here. */
  hurry(): void {
    const waiting = this.#waiting;
    waiting?.cancel();
    waiting?.again();
  }

  /** Ends the wait. */
  leave(): void {
    this.#waiting?.cancel();
    this.#waiting = null;
  }
}
