/**
 * Standby replication: under one representative, a chunk is entrusted to one standby. A second
 * standby that fetches it would cost the LAN a further copy of the package.
 */
import { takesByUnicast } from "../../core/state.ts";
import { timing } from "../../core/timing.ts";
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";
import { isCorrectOnDisk } from "../disk-layout.ts";

/** Time of a fetch: a new peer still receives what it requested as a candidate. */
const fetchMs = 1_000;

type Replica = { readonly standby: Machine; readonly leader: Machine | undefined; readonly atMs: number };

export class StandbyCheck {
  readonly #checker: Checker;
  /** Last standby that fetched a chunk, and its leader, by subnet and chunk. */
  readonly #replicas = new Map<number, Replica>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  /** Checks a chunk that a peer on multicast fetched by unicast: only a standby does that. */
  fetched(machine: Machine, chunk: number): void {
    const state = machine.process!.session?.member.state;
    if (state?.role !== "peer" || takesByUnicast(state)) return;
    // A peer that returned to multicast still receives the chunks that it requested before.
    if (!state.standbyChunks?.chunks.has(chunk)) return;
    const { world, reachability, fail } = this.#checker;
    const leader = world.machines.find(({ id }) => id === state.leader.device);
    const key = machine.subnet * world.package.chunkCount + chunk;
    const before = this.#replicas.get(key);
    this.#replicas.set(key, { standby: machine, leader, atMs: world.clock.nowMs });
    if (!leader || before?.leader !== leader || before.standby === machine) return;
    // With random loss, polls and chunks are late, and a standby may seem idle.
    if (reachability.rounds(machine.subnet) > 1) return;
    const { standby } = before;
    // A candidate fetches from any holder, and a standby that serves wrong bytes is replaced.
    const sinceMs = machine.process!.followsSinceMs ?? Number.POSITIVE_INFINITY;
    if (sinceMs > before.atMs - fetchMs || standby.faults.servesWrong !== null) return;
    // A standby that left its session states so, and is replaced.
    if ((standby.process?.followsSinceMs ?? Number.POSITIVE_INFINITY) > before.atMs) return;
    // A fault may make a standby seem idle, and so have it replaced, for another `standbyIdleMs`.
    const isUndisturbed = (each: Machine): boolean =>
      each.isRunning &&
      each.subnet === machine.subnet &&
      reachability.undisturbedSinceMs(each) <= before.atMs - timing.standbyIdleMs &&
      reachability.canExchangeFrames(each, leader);
    if (![machine, leader, standby].every(isUndisturbed) || !isCorrectOnDisk(world, standby, chunk)) return;
    fail("standby", machine, `fetched chunk ${chunk}, which standby ${standby.name} had fetched before`);
  }
}
