/**
 * Reachability of devices, so that the checkers count against the program only what it could have
 * known: which devices can exchange frames, since when they are undisturbed, and how many requests
 * random loss may leave without an answer.
 */
import { goodConditions } from "../network.ts";
import type { CheckedWorld } from "./checked-world.ts";
import type { Machine } from "../machine.ts";
import { optionsOf } from "../task.ts";

/** Probability of a false alarm, accepted at each use of `rounds`. */
const falseAlarmProbability = 1e-9;

export class Reachability {
  readonly #world: CheckedWorld;
  /** World time of the last fault of a subnet, or its end, by subnet. */
  readonly #lastFaultAtMs: number[];

  constructor(world: CheckedWorld) {
    this.#world = world;
    this.#lastFaultAtMs = Array.from({ length: world.options.subnets + 1 }, () => 0);
  }

  /** Notes a fault of the subnet, or its end: the protocol needs time to recover from both. */
  noteFault(subnet: number): void {
    this.#lastFaultAtMs[subnet] = this.#world.clock.nowMs;
  }

  /** Returns the world time of the last fault of the machine or its subnet. */
  undisturbedSinceMs(machine: Machine): number {
    return Math.max(machine.faults.lastAtMs, this.#lastFaultAtMs[machine.subnet]!);
  }

  /** Returns whether requests to the machine may have failed, so that others have banned it. */
  mayBeBanned(machine: Machine): boolean {
    return machine.faults.wasUnreachable || this.#lastFaultAtMs[machine.subnet]! > 0;
  }

  /**
   * Returns whether frames of every size pass in both directions, apart from random loss, and can
   * be opened. A device that was off during a removal has only the old keys until it has checked
   * in. Until then the subnet is divided as by a cut, and each part may have a leader.
   */
  canExchangeFrames(a: Machine, b: Machine): boolean {
    const { network, options } = this.#world;
    if ([a, b].some((machine) => !optionsOf(options, machine).useMulticast)) return false;
    if (network.datagramFilter) return false;
    if (!a.process || !b.process || !a.process.keys.overlap(b.process.keys)) return false;
    if (!network.connects(a, b) || !network.connects(b, a)) return false;
    if (network.pruned.has(a.index) || network.pruned.has(b.index)) return false;
    return network.conditions[a.subnet]!.mtuBytes >= goodConditions.mtuBytes;
  }

  /** Returns whether the source answers the machine, and the machine knows its subnet. */
  canReachSource(machine: Machine): boolean {
    const { source } = this.#world;
    return source.state === "up" && !source.cutOff.has(machine.subnet) && machine.process!.knowsSubnet;
  }

  /**
   * Returns the number of requests after which the probability of no answer is below
   * `falseAlarmProbability`, with this subnet's loss of requests and answers.
   */
  rounds(subnet: number): number {
    const { loss, corrupt, burstEveryMs, burstMs } = this.#world.network.conditions[subnet]!;
    const inBurst = burstEveryMs === 0 ? 0 : burstMs / (burstEveryMs + burstMs);
    const arrives = (1 - loss) * (1 - corrupt) * (1 - inBurst);
    const fails = 1 - arrives * arrives;
    return fails < falseAlarmProbability ? 1 : Math.ceil(Math.log(falseAlarmProbability) / Math.log(fails));
  }
}
