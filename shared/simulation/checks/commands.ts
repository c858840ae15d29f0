/**
 * Commands: a device starts the command of a task at most once, except after an exit code that
 * means busy, one at a time, and after the package is complete. Before its deadline, a command
 * begins inside a window, and not during a program or a user unless its deferrals are used up.
 */
import { isHindered } from "../activity.ts";
import { busyExitCode, commandOf } from "../commands.ts";
import type { Machine } from "../machine.ts";
import type { StartedCommand } from "../observer.ts";
import type { Checker } from "./checker.ts";
import { isFinal } from "../disk-layout.ts";
import { firstMinute } from "../run-conditions.ts";

export class CommandsCheck {
  readonly #checker: Checker;
  /** Last start of each command, by device and task. */
  readonly #started = new Map<string, StartedCommand>();
  readonly #hooks = new Map<Machine, () => void>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  /** Calls `run` once, when the next command of the device starts. */
  onStarted(machine: Machine, run: () => void): void {
    this.#hooks.set(machine, run);
  }

  started(machine: Machine, command: StartedCommand): void {
    const { taskId } = command;
    const run = this.#hooks.get(machine);
    this.#hooks.delete(machine);
    run?.();
    const { world, fail } = this.#checker;
    const key = `${machine.index} ${taskId}`;
    const before = this.#started.get(key);
    if (before && (before.exitCode !== busyExitCode || before.endsAtMs > world.clock.nowMs))
      fail("command", machine, `the command of task ${taskId} starts a second time`);
    const other = commandOf(machine);
    if (other && other.endsAtMs > world.clock.nowMs)
      fail("command", machine, `the command of task ${taskId} starts during that of task ${other.taskId}`);
    this.#started.set(key, command);
    this.#checkConditions(machine, taskId);
    if (!isFinal(world, machine)) fail("command", machine, "a command starts before the package is complete");
  }

  #checkConditions(machine: Machine, taskId: number): void {
    const { world, fail } = this.#checker;
    const conditions = world.options.runConditions;
    if (!conditions) return;
    const { schedule, deadlineAtMs, runDeferrals } = conditions;
    if (deadlineAtMs !== null && machine.wallMs >= deadlineAtMs) return;
    // The time zone is UTC, and every window is one of all days.
    const minute = Math.floor(machine.wallMs / 60_000) % 1_440;
    const isInside = schedule.some(({ fromMinute, toMinute }) =>
      fromMinute < toMinute
        ? minute >= fromMinute && minute < toMinute
        : minute >= fromMinute || minute < toMinute,
    );
    if (schedule.length > 0 && !isInside)
      fail(
        "run window",
        machine,
        `a command begins outside its window, ${minute - firstMinute} minutes after 08:00`,
      );
    const deferrals = machine.process?.device.tasks.get(taskId)?.row.deferrals ?? 0;
    if (isHindered(world, machine) && deferrals !== runDeferrals)
      fail(
        "run window",
        machine,
        `a command begins during a program or a user, after ${deferrals} deferrals`,
      );
    if (runDeferrals !== null && deferrals > runDeferrals)
      fail("run window", machine, `a command was put off ${deferrals} times, more than ${runDeferrals}`);
  }
}
