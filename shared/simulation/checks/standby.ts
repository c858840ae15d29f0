/** Standby replication: what only the representative holds goes to one peer by unicast, not to several. */
import { takesByUnicast } from "../../core/state.ts";
import { timing } from "../../core/timing.ts";
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";
import { isCorrectOnDisk } from "../disk-layout.ts";

type Replica = { readonly standby: Machine; readonly leader: Machine | undefined; readonly atMs: number };

export class StandbyCheck {
  readonly #checker: Checker;
  /** By chunk and subnet: the last standby, and who led then. */
  readonly #replicas = new Map<number, Replica>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  /** A chunk came by unicast. */
  fetched(machine: Machine, chunk: number): void {
    const state = machine.process!.session?.member.state;
    if (state?.role !== "peer" || takesByUnicast(state)) return;
    const { world, reachability, fail } = this.#checker;
    const leader = world.machines.find(({ id }) => id === state.leader.device);
    const key = machine.subnet * world.package.chunkCount + chunk;
    const before = this.#replicas.get(key);
    this.#replicas.set(key, { standby: machine, leader, atMs: world.clock.nowMs });
    if (!leader || before?.leader !== leader || before.standby === machine) return;
    // Where datagrams are lost, polls and chunks are late as well.
    if (reachability.rounds(machine.subnet) > 1) return;
    const { standby } = before;
    // By then a standby that seemed to take nothing is not waited for any more.
    const isUndisturbed = (each: Machine): boolean =>
      each.isRunning &&
      each.subnet === machine.subnet &&
      reachability.undisturbedSinceMs(each) <= before.atMs - timing.standbyIdleMs &&
      reachability.canExchangeFrames(each, leader);
    if (![machine, leader, standby].every(isUndisturbed) || !isCorrectOnDisk(world, standby, chunk)) return;
    fail("standby", machine, `takes chunk ${chunk} by unicast, which ${standby.name} took as standby`);
  }
}
