/**
 * Commands of a simulated machine. A command outlasts the agent that started it, as real ones do;
 * a power cut ends it, and may lose its exit status.
 */
import type { CommandEnd, CommandRequest, CommandRun, Commands } from "../device/ports.ts";
import { sleep } from "../model/clock.ts";
import type { Context } from "./context.ts";
import type { Machine, ProcessClock } from "./machine.ts";
import { Random } from "./random.ts";

/** The last command of a machine. `endsAtMs`: world time. */
export type MachineCommand = {
  readonly taskId: number;
  readonly key: string;
  readonly exitCode: number;
  readonly endsAtMs: number;
};

/** Exit code that the default setting takes for busy, and how often a command meets it in a row. */
export const busyExitCode = 75;
/** Exit code that the default setting takes for success with a restart of the machine. */
const rebootExitCode = 3_010;
const rebootShare = 0.05;
const busyRunsMax = 2;
const busyShare = 0.15;
const failedShare = 0.03;
/** Rounding error of a sleep. */
const toleranceMs = 0.001;

/** Last command of each machine, as its process and the file of its exit status tell. */
const commands = new WeakMap<Machine, MachineCommand>();

/** Returns the last command of a machine; null when it was killed, or left no exit status. */
export const commandOf = (machine: Machine): MachineCommand | null => commands.get(machine) ?? null;

/** Tasks of which a machine has files of a run, and its starts after power cuts. */
const traces = new WeakMap<Machine, Set<number>>();
const boots = new WeakMap<Machine, number>();

/** Loses what a machine has not synced; ends its command, or loses the last exit status. */
export function cutPower(machine: Machine, nowMs: number): void {
  machine.ledger.cutPower(machine.random);
  machine.disk.cutPower(machine.random);
  boots.set(machine, (boots.get(machine) ?? 0) + 1);
  const command = commands.get(machine);
  if (command && (command.endsAtMs > nowMs || machine.random.chance(0.5))) commands.delete(machine);
}

function exitCodeOf(draw: number, mayBeBusy: boolean): number {
  if (draw < failedShare) return 1;
  if (draw < busyShare && mayBeBusy) return busyExitCode;
  return draw > 1 - rebootShare ? rebootExitCode : 0;
}

export class SimulatedCommands implements Commands {
  readonly os = "linux";
  readonly #context: Context;
  readonly #machine: Machine;
  readonly #clock: ProcessClock;

  constructor(context: Context, machine: Machine, clock: ProcessClock) {
    this.#context = context;
    this.#machine = machine;
    this.#clock = clock;
  }

  run(request: CommandRequest): Promise<CommandEnd> {
    const { taskId, key } = request;
    const { clock, options, observer } = this.#context;
    const endsAtMs = clock.nowMs + this.#machine.random.between(100, 3_000);
    const draw = new Random(options.seed, `command ${this.#machine.index} ${key}`).next();
    const mayBeBusy = !key.endsWith(`.${busyRunsMax + 1}`);
    const exitCode = options.drawsExitCodes ? exitCodeOf(draw, mayBeBusy) : 0;
    const command = { taskId, key, exitCode, endsAtMs };
    observer.startsCommand(this.#machine, command);
    commands.set(this.#machine, command);
    traces.set(this.#machine, (traces.get(this.#machine) ?? new Set()).add(taskId));
    return this.#endOf(command, request.signal);
  }

  async adopt({ taskId, key, signal }: CommandRun): Promise<CommandEnd | null> {
    const command = commandOf(this.#machine);
    if (command?.taskId !== taskId || (key !== null && command.key !== key)) return null;
    return this.#endOf(command, signal);
  }

  hasTrace(taskId: number): boolean {
    return traces.get(this.#machine)?.has(taskId) ?? false;
  }

  async bootId(): Promise<string> {
    return String(boots.get(this.#machine) ?? 0);
  }

  async #endOf({ exitCode, endsAtMs }: MachineCommand, signal: AbortSignal): Promise<CommandEnd> {
    const { clock } = this.#context;
    try {
      while (clock.nowMs < endsAtMs - toleranceMs)
        await sleep(this.#clock, (endsAtMs - clock.nowMs) * this.#machine.clockRate, signal);
    } catch {
      commands.delete(this.#machine);
      return { exitCode: null, timedOut: false, outputTail: "" };
    }
    return { exitCode, timedOut: false, outputTail: "" };
  }
}
