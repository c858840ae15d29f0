/**
 * Upgrades of simulated agents. The outcome of an upgrade is drawn when it begins, and survives
 * every kill, as the file of the real one does. The owner of the world restarts the agent, at any
 * time after that. The new version runs the same code.
 */
import type { NewExecutable, UpgradeEnd, UpgradeRequest, UpgradeRun, Upgrades } from "../device/ports.ts";
import type { Context } from "./context.ts";
import type { Machine, ProcessClock } from "./machine.ts";
import { Random } from "./random.ts";

const present = "1";
const next = "2";
const failedShare = 0.3;
/** Time of a copy and its `--version`. */
const checkMs = [100, 1_000] as const;

type MachineUpgrade = UpgradeRun & { readonly end: UpgradeEnd };

/** Last upgrade of each machine. */
const upgrades = new WeakMap<Machine, MachineUpgrade>();

export class SimulatedUpgrades implements Upgrades {
  readonly version = present;
  readonly isTrial = false;
  readonly #context: Context;
  readonly #machine: Machine;
  readonly #clock: ProcessClock;

  constructor(context: Context, machine: Machine, clock: ProcessClock) {
    this.#context = context;
    this.#machine = machine;
    this.#clock = clock;
  }

  /** Any file of the package counts as the executable. */
  get fileName(): string {
    return this.#context.package.manifest.files[0]!.path.split("/").at(-1)!;
  }

  async prepare(): Promise<NewExecutable> {
    await this.#clock.sleep(this.#machine.random.between(...checkMs));
    return { isUsable: true, version: next };
  }

  async discard(): Promise<void> {}

  begin({ taskId, key, version }: UpgradeRequest): void {
    const { options, observer, clock } = this.#context;
    observer.startsCommand(this.#machine, { taskId, exitCode: 0, endsAtMs: clock.nowMs });
    const isFailing = new Random(options.seed, `upgrade ${this.#machine.index} ${key}`).chance(failedShare);
    const why = isFailing ? "exited with status 1" : null;
    upgrades.set(this.#machine, { taskId, key, end: { version, before: present, why } });
  }

  async adopt({ taskId, key }: UpgradeRun): Promise<UpgradeEnd | null> {
    const last = upgrades.get(this.#machine);
    return last?.taskId === taskId && last.key === key ? last.end : null;
  }
}
