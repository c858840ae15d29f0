/** WAN: no chunk crosses it that another device of the subnet could have served. */
import { failurePenaltyMsMax } from "../../core/peers/holders.ts";
import { timing } from "../../core/timing.ts";
import type { Machine } from "../machine.ts";
import type { BytesCheck } from "./bytes.ts";
import type { Checker } from "./checker.ts";
import { isCorrectOnDisk } from "../disk-layout.ts";

/** Upper bound on a fetch that fails (simulation/peers.ts). */
const trialMs = 10_000;

export class WanCheck {
  /** By subnet: chunks that crossed the WAN, and how many a running device of it held then. */
  readonly accounts: { chunks: number; held: number }[];
  readonly #checker: Checker;
  readonly #bytes: BytesCheck;
  /** World time of the request for each chunk that a machine received but has not stored yet. */
  readonly #requestedAtMs = new Map<Machine, Map<number, number>>();

  constructor(checker: Checker, bytes: BytesCheck) {
    this.#checker = checker;
    this.#bytes = bytes;
    const { subnets } = checker.world.options;
    this.accounts = Array.from({ length: subnets + 1 }, () => ({ chunks: 0, held: 0 }));
  }

  /** Counts a chunk whose last byte arrived from the web site. */
  received(machine: Machine, chunk: number, requestedAtMs: number): void {
    const account = this.accounts[machine.subnet]!;
    account.chunks++;
    const isHeld = (other: Machine): boolean =>
      other !== machine && other.subnet === machine.subnet && other.process?.held.has(chunk) === true;
    if (this.#checker.world.machines.some(isHeld)) account.held++;
    let requested = this.#requestedAtMs.get(machine);
    if (!requested) this.#requestedAtMs.set(machine, (requested = new Map()));
    requested.set(chunk, requestedAtMs);
  }

  /** Checks a chunk that the device stored from the WAN. */
  stored(machine: Machine, chunk: number): void {
    const requestedAtMs = this.#requestedAtMs.get(machine)?.get(chunk);
    if (requestedAtMs === undefined) return;
    this.#requestedAtMs.get(machine)!.delete(chunk);
    const { world, fail } = this.#checker;
    const holder = world.machines.find((other) => this.#couldServe(machine, other, chunk, requestedAtMs));
    if (!holder) return;
    fail(
      "wan",
      machine,
      `chunk ${chunk} crossed the WAN, although ${holder.name} on the same subnet could have served it`,
    );
  }

  /** Returns whether the downloading device must have known that `other` holds the chunk. */
  #couldServe(machine: Machine, other: Machine, chunk: number, requestedAtMs: number): boolean {
    const { world, reachability } = this.#checker;
    if (other === machine || other.subnet !== machine.subnet || !other.isRunning) return false;
    if (other.faults.servesWrong) return false;
    if (!other.process!.held.has(chunk) || !reachability.canExchangeFrames(machine, other)) return false;
    const sinceMs = Math.max(
      this.#bytes.verifiedAtMs(other, chunk),
      reachability.undisturbedSinceMs(machine),
      reachability.undisturbedSinceMs(other),
      machine.process!.downloadsSinceMs ?? requestedAtMs,
    );
    const askedMs = timing.wantEveryMs * (1 + reachability.rounds(machine.subnet));
    // A holder that failed counts again after a fetch from it succeeded.
    const bannedMs = reachability.mayBeBanned(other) ? failurePenaltyMsMax + trialMs : 0;
    if (requestedAtMs < sinceMs + askedMs + bannedMs) return false;
    return isCorrectOnDisk(world, other, chunk);
  }
}
