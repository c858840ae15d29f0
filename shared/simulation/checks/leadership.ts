/** Leadership: one representative on each subnet, a download only under the lease, and a lease that is given back. */
import type { Session } from "../../device/session.ts";
import { timing } from "../../core/timing.ts";
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";

/** A representative that can ask the source holds the lease, or leads no longer, within this time: one renewal. */
export const leaseKnownWithinMs = 4_500;
/** From receiving something to acting on it. */
const reactionMs = 1_000;
/** A lease is given back within this time: one request, repeated by nobody. It would expire after 15 s. */
const releasedWithinMs = 2_000;

export class LeadershipCheck {
  readonly #checker: Checker;
  /** The machines that lead each subnet, since when. */
  readonly #leaders: Map<Machine, number>[];
  /** World time since which a representative downloads that does not hold the lease. */
  readonly #withoutLeaseSinceMs = new Map<Machine, number>();
  /** World time at which a machine stopped leading in good order. */
  readonly #resignedAtMs = new Map<Machine, number>();

  constructor(checker: Checker) {
    this.#checker = checker;
    const { subnets } = checker.world.options;
    this.#leaders = Array.from({ length: subnets + 1 }, () => new Map());
  }

  observe(machine: Machine, session: Session | null): void {
    const leads = session?.member.role === "representative";
    const leaders = this.#leaders[machine.subnet]!;
    if (leads) return this.#observeLeader(machine, leaders);
    const { world, reachability } = this.#checker;
    // A release that the source does not answer at once may be lost, or come late.
    if (leaders.delete(machine) && reachability.canReachSource(machine))
      this.#resignedAtMs.set(machine, world.clock.nowMs);
    this.#withoutLeaseSinceMs.delete(machine);
    if (this.#resignedAtMs.size > 0) this.#checkReleased(machine, session);
  }

  #observeLeader(machine: Machine, leaders: Map<Machine, number>): void {
    this.#resignedAtMs.delete(machine);
    if (!leaders.has(machine)) leaders.set(machine, this.#checker.world.clock.nowMs);
    for (const other of leaders.keys()) if (other !== machine) this.#checkOverlap(machine, other);
  }

  /** Two that lead one subnet find out by receiving each other's frames, or by asking the source. */
  #checkOverlap(a: Machine, b: Machine): void {
    if (!a.isRunning || !b.isRunning) return;
    const { world, reachability, fail } = this.#checker;
    const { nowMs } = world.clock;
    const leaders = this.#leaders[a.subnet]!;
    const steadyMs = Math.max(reachability.undisturbedSinceMs(a), reachability.undisturbedSinceMs(b));
    const sinceMs = Math.max(leaders.get(a)!, leaders.get(b)!, steadyMs);
    const announcements = 1 + reachability.rounds(a.subnet);
    const receivedMs = reachability.canExchangeFrames(a, b)
      ? timing.announceEveryMs * announcements + reactionMs
      : Number.POSITIVE_INFINITY;
    const canAsk = reachability.canReachSource(a) && reachability.canReachSource(b);
    const askedMs = canAsk ? leaseKnownWithinMs : Number.POSITIVE_INFINITY;
    if (nowMs <= sinceMs + Math.min(receivedMs, askedMs)) return;
    const forMs = Math.round(nowMs - sinceMs);
    fail("one leader", a, `leads together with ${b.name} for ${forMs} ms, with nothing in the way`);
  }

  /** The machine leads no session any more, wherever it was. */
  stopsLeading(machine: Machine): void {
    for (const leaders of this.#leaders) leaders.delete(machine);
    this.#resignedAtMs.delete(machine);
  }

  /** It stopped leading, and the source still names it although requests pass. */
  #checkReleased(machine: Machine, session: Session | null): void {
    const resignedAtMs = this.#resignedAtMs.get(machine);
    if (resignedAtMs === undefined) return;
    const { world, reachability, fail } = this.#checker;
    const { source, clock } = world;
    const isHeld = source.holderOn(machine.subnet) === machine.id;
    // A candidate may hold the lease again.
    if (!isHeld || session?.member.role === "candidate" || !reachability.canReachSource(machine))
      return void this.#resignedAtMs.delete(machine);
    // A renewal that was under way is granted late, and given back when the answer comes.
    const sinceMs = Math.max(resignedAtMs, reachability.undisturbedSinceMs(machine), source.lateUntilMs);
    if (clock.nowMs <= sinceMs + releasedWithinMs) return;
    fail(
      "lease",
      machine,
      `keeps the lease ${Math.round(clock.nowMs - sinceMs)} ms after it stopped leading`,
    );
  }

  /** A chunk is requested from the web site: a representative does that under a lease, if it can ask for one. */
  requestsChunk(machine: Machine): void {
    const { world, reachability, fail } = this.#checker;
    const { source, clock } = world;
    const role = machine.process?.session?.member.role;
    const holds = source.holderOn(machine.subnet) === machine.id;
    if (holds || role !== "representative" || !reachability.canReachSource(machine))
      return void this.#withoutLeaseSinceMs.delete(machine);
    const knownMs = this.#withoutLeaseSinceMs.get(machine);
    if (knownMs === undefined) return void this.#withoutLeaseSinceMs.set(machine, clock.nowMs);
    const sinceMs = Math.max(knownMs, reachability.undisturbedSinceMs(machine));
    if (clock.nowMs <= sinceMs + leaseKnownWithinMs) return;
    const forMs = Math.round(clock.nowMs - sinceMs);
    fail("lease", machine, `downloads for ${forMs} ms without the lease, though the source answers`);
  }
}
