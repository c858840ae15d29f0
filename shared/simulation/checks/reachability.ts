/**
 * What the program could have known, for the checkers: which devices can talk at present, since when, and after how many
 * questions chance alone cannot have lost every answer.
 */
import { limits } from "../../wire/index.ts";
import type { CheckedWorld } from "./checked-world.ts";
import type { Machine } from "../machine.ts";

/** Probability that is accepted for a false alarm, each time. */
const falseAlarmProbability = 1e-9;

export class Reachability {
  readonly #world: CheckedWorld;
  /** The last time that something about each subnet itself changed. */
  readonly #lastFaultAtMs: number[];

  constructor(world: CheckedWorld) {
    this.#world = world;
    this.#lastFaultAtMs = Array.from({ length: world.options.subnets + 1 }, () => 0);
  }

  /** A fault on the subnet, or its end, which a protocol has to recover from. */
  noteFault(subnet: number): void {
    this.#lastFaultAtMs[subnet] = this.#world.clock.nowMs;
  }

  /** The last time that something happened to this machine or to its subnet. */
  undisturbedSinceMs(machine: Machine): number {
    return Math.max(machine.lastFaultAtMs, this.#lastFaultAtMs[machine.subnet]!);
  }

  /** Whether requests to it may have failed, after which a device is left alone for a while. */
  mayBeBanned(machine: Machine): boolean {
    return machine.wasUnreachable || this.#lastFaultAtMs[machine.subnet]! > 0;
  }

  /** Whether frames of every size pass in both directions, loss aside. */
  canExchangeFrames(a: Machine, b: Machine): boolean {
    const { network, options } = this.#world;
    if (!options.useMulticast || network.datagramFilter) return false;
    if (!network.connects(a, b) || !network.connects(b, a)) return false;
    if (network.pruned.has(a.index) || network.pruned.has(b.index)) return false;
    return network.conditions[a.subnet]!.mtuBytes >= limits.datagramMaxBytes;
  }

  /** Whether the source answers it at once. */
  canReachSource(machine: Machine): boolean {
    const { source } = this.#world;
    return source.state === "up" && !source.cutOff.has(machine.subnet) && machine.process!.knowsSubnet;
  }

  /** Rounds of a question after which, with this subnet's loss, the probability of no answer is below `falseAlarm`. */
  rounds(subnet: number): number {
    const { loss, corrupt, burstEveryMs, burstMs } = this.#world.network.conditions[subnet]!;
    const inBurst = burstEveryMs === 0 ? 0 : burstMs / (burstEveryMs + burstMs);
    const arrives = (1 - loss) * (1 - corrupt) * (1 - inBurst);
    const fails = 1 - arrives * arrives;
    return fails < falseAlarmProbability ? 1 : Math.ceil(Math.log(falseAlarmProbability) / Math.log(fails));
  }
}
