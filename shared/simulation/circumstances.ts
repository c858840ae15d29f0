/**
 * What the checkers hold against the program is what it could have known: who can talk to whom just now, since when, and
 * how often a question is to be asked until chance alone cannot have lost it.
 */
import { limits } from "../wire/index.ts";
import type { Env } from "./env.ts";
import type { Machine } from "./machine.ts";

/** Chance with which a false alarm is accepted, each time. */
const falseAlarm = 1e-9;

export class Circumstances {
  readonly #env: () => Env;
  /** Since then nothing about the subnet itself changed. */
  readonly #disturbedAtMs: number[];

  constructor(subnets: number, env: () => Env) {
    this.#env = env;
    this.#disturbedAtMs = Array.from({ length: subnets + 1 }, () => 0);
  }

  /** Something happened to the subnet that a protocol has to recover from. */
  disturb(subnet: number): void {
    this.#disturbedAtMs[subnet] = this.#env().clock.nowMs;
  }

  /** Since then nothing happened to this machine, or to its subnet. */
  steadySinceMs(machine: Machine): number {
    return Math.max(machine.disturbedAtMs, this.#disturbedAtMs[machine.subnet]!);
  }

  /** May requests have failed, after which a device is left alone for a while? */
  mayBeShunned(machine: Machine): boolean {
    return machine.hasFaltered || this.#disturbedAtMs[machine.subnet]! > 0;
  }

  /** Do frames of every size get through, both ways, as far as chance lets them? */
  canTalk(a: Machine, b: Machine): boolean {
    const { network, options } = this.#env();
    if (!options.useMulticast || !network.reaches(a, b) || !network.reaches(b, a)) return false;
    if (network.pruned.has(a.index) || network.pruned.has(b.index)) return false;
    return network.weather[a.subnet]!.mtuBytes >= limits.datagramMaxBytes;
  }

  /** Does the source answer it at once? */
  canAsk(machine: Machine): boolean {
    const { source } = this.#env();
    return source.state === "up" && !source.cutOff.has(machine.subnet) && machine.life!.knowsSubnet;
  }

  /** So often a question is to be asked until it has been answered, whatever the weather. */
  rounds(subnet: number): number {
    const { loss, corrupt, burstEveryMs, burstMs } = this.#env().network.weather[subnet]!;
    const inBurst = burstEveryMs === 0 ? 0 : burstMs / (burstEveryMs + burstMs);
    const arrives = (1 - loss) * (1 - corrupt) * (1 - inBurst);
    const fails = 1 - arrives * arrives;
    return fails < falseAlarm ? 1 : Math.ceil(Math.log(falseAlarm) / Math.log(fails));
  }
}
