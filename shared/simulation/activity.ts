/**
 * Programs and users of simulated machines. A program and a user of a machine are active from its
 * start up to a drawn time.
 */
import type { Activity } from "../device/ports.ts";
import type { Context } from "./context.ts";
import type { Machine, ProcessClock } from "./machine.ts";
import { Random } from "./random.ts";
import { programName, userIdleMs } from "./run-conditions.ts";

/** World time up to which programs run, and users are active, unless they always are. */
const activeMsMax = 60_000;
const alwaysShare = 0.3;
/** Longest time that a machine takes to list its programs. */
const answerMsMax = 2_000;

/** World time up to which a machine's program runs, and up to which a user is active. */
function activeUntilMs({ options }: Context, { index }: Machine, what: "program" | "user"): number {
  const random = new Random(options.seed, `${what} ${index}`);
  // Without a limit of deferrals, a command would wait for ever.
  const mayLast = (options.runConditions?.runDeferrals ?? null) !== null;
  const isAlways = random.chance(alwaysShare) && mayLast;
  return isAlways ? Number.POSITIVE_INFINITY : random.between(0, activeMsMax);
}

const isProgramRunning = (context: Context, machine: Machine): boolean =>
  context.clock.nowMs < activeUntilMs(context, machine, "program");

const idleMsOf = (context: Context, machine: Machine): number =>
  Math.max(0, context.clock.nowMs - activeUntilMs(context, machine, "user"));

/** Whether a program or a user hinders the command of the world's task at this time. */
export function isHindered(context: Context, machine: Machine): boolean {
  const conditions = context.options.runConditions;
  if (!conditions) return false;
  return (
    (conditions.waitsForProgram && isProgramRunning(context, machine)) ||
    (conditions.waitsForUser && idleMsOf(context, machine) < userIdleMs)
  );
}

export class SimulatedActivity implements Activity {
  readonly ignoresCase = true;
  readonly #context: Context;
  readonly #machine: Machine;
  readonly #clock: ProcessClock;
  readonly #random: Random;

  constructor(context: Context, machine: Machine, clock: ProcessClock) {
    this.#context = context;
    this.#machine = machine;
    this.#clock = clock;
    this.#random = new Random(context.options.seed, `activity ${machine.index}`);
  }

  async runningPrograms(): Promise<string[]> {
    await this.#clock.sleep(this.#random.between(0, answerMsMax));
    return isProgramRunning(this.#context, this.#machine) ? ["shell", programName.toLowerCase()] : ["shell"];
  }

  async userIdleMs(): Promise<number> {
    await this.#clock.sleep(this.#random.between(0, answerMsMax));
    return idleMsOf(this.#context, this.#machine);
  }
}
