/** Commands: a device starts the command of a task at most once, after the package is complete. */
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";
import { isFinal } from "../disk-layout.ts";

export class CommandsCheck {
  readonly #checker: Checker;
  readonly #started = new Set<string>();
  readonly #hooks = new Map<Machine, () => void>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  /** Calls `run` once, when the next command of the device starts. */
  onStarted(machine: Machine, run: () => void): void {
    this.#hooks.set(machine, run);
  }

  started(machine: Machine, taskId: number): void {
    const run = this.#hooks.get(machine);
    this.#hooks.delete(machine);
    run?.();
    const { world, fail } = this.#checker;
    const key = `${machine.index} ${taskId}`;
    if (this.#started.has(key))
      fail("command", machine, `the command of task ${taskId} starts a second time`);
    this.#started.add(key);
    if (!isFinal(world, machine)) fail("command", machine, "a command starts before the package is complete");
  }
}
