/**
 * Leadership: one representative on each subnet, downloads only under the lease, and a released
 * lease after the end of leading. The bounds apply to undisturbed devices that can reach the source
 * or each other (reachability.ts).
 */
import type { Session } from "../../device/session.ts";
import { timing } from "../../core/timing.ts";
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";

/**
 * Time within which a representative that can reach the source holds the lease or steps down: one
 * and a half renewal periods.
 */
const leaseKnownWithinMs = 4_500;
/** Time from receiving a frame to acting on it. */
const reactionMs = 1_000;
/** Time for the release of a lease: one request. A lease without a release expires after 15 s. */
const releasedWithinMs = 2_000;

export class LeadershipCheck {
  readonly #checker: Checker;
  /** By subnet: machines that lead, and the world time at which they began. */
  readonly #leaders: Map<Machine, number>[];
  /** World time since which a representative has downloaded without the lease. */
  readonly #withoutLeaseSinceMs = new Map<Machine, number>();
  /** World time at which a machine stopped leading while it could reach the source. */
  readonly #resignedAtMs = new Map<Machine, number>();

  constructor(checker: Checker) {
    this.#checker = checker;
    const { subnets } = checker.world.options;
    this.#leaders = Array.from({ length: subnets + 1 }, () => new Map());
  }

  /** Checks leadership after an event of the machine. */
  observe(machine: Machine, session: Session | null): void {
    const leads = session?.member.role === "representative";
    const leaders = this.#leaders[machine.subnet]!;
    if (leads) return this.#observeLeader(machine, leaders);
    const { world, reachability } = this.#checker;
    // While the source is unreachable, a release may be lost or late: its bound does not apply.
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

  /** Two leaders of a subnet detect each other by an announcement, or by renewing the lease. */
  #checkOverlap(a: Machine, b: Machine): void {
    if (!a.isRunning || !b.isRunning) return;
    const { world, reachability, fail } = this.#checker;
    const { nowMs } = world.clock;
    const leaders = this.#leaders[a.subnet]!;
    const undisturbedMs = Math.max(reachability.undisturbedSinceMs(a), reachability.undisturbedSinceMs(b));
    const sinceMs = Math.max(leaders.get(a)!, leaders.get(b)!, undisturbedMs);
    const announcements = 1 + reachability.rounds(a.subnet);
    const receivedMs = reachability.canExchangeFrames(a, b)
      ? timing.announceEveryMs * announcements + reactionMs
      : Number.POSITIVE_INFINITY;
    const canReachSource = reachability.canReachSource(a) && reachability.canReachSource(b);
    const askedMs = canReachSource ? leaseKnownWithinMs : Number.POSITIVE_INFINITY;
    if (nowMs <= sinceMs + Math.min(receivedMs, askedMs)) return;
    const forMs = Math.round(nowMs - sinceMs);
    fail("one leader", a, `leads together with ${b.name} for ${forMs} ms, both undisturbed and reachable`);
  }

  /** Forgets the machine as leader, on every subnet. */
  stopsLeading(machine: Machine): void {
    for (const leaders of this.#leaders) leaders.delete(machine);
    this.#resignedAtMs.delete(machine);
  }

  /** Checks that a device that stopped leading has released its lease. */
  #checkReleased(machine: Machine, session: Session | null): void {
    const resignedAtMs = this.#resignedAtMs.get(machine);
    if (resignedAtMs === undefined) return;
    const { world, reachability, fail } = this.#checker;
    const { source, clock } = world;
    const isHeld = source.holderOn(machine.subnet) === machine.id;
    // A candidate may have requested the lease again.
    if (!isHeld || session?.member.role === "candidate" || !reachability.canReachSource(machine))
      return void this.#resignedAtMs.delete(machine);
    // A renewal in flight may be granted late; the device releases it when the answer arrives.
    const sinceMs = Math.max(resignedAtMs, reachability.undisturbedSinceMs(machine), source.lateUntilMs);
    if (clock.nowMs <= sinceMs + releasedWithinMs) return;
    fail(
      "lease",
      machine,
      `keeps the lease ${Math.round(clock.nowMs - sinceMs)} ms after it stopped leading`,
    );
  }

  /** Checks that a representative downloads under the lease, if it can reach the source. */
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
    fail("lease", machine, `downloads for ${forMs} ms without the lease, while the source answers`);
  }
}
