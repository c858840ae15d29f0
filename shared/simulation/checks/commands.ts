/**
 * Commands: a device starts the command of a task at most once, except after an exit code that
 * means busy, one at a time, and after the package is complete.
 */
import { busyExitCode, commandOf } from "../commands.ts";
import type { Machine } from "../machine.ts";
import type { StartedCommand } from "../observer.ts";
import type { Checker } from "./checker.ts";
import { isFinal } from "../disk-layout.ts";

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
    if (!isFinal(world, machine)) fail("command", machine, "a command starts before the package is complete");
  }
}
