/**
 * Guards: in conditions for which its setting forbids it, a device does not lead, downloads nothing
 * over the WAN, or has no session. The bounds apply once the device could read its conditions.
 */
import type { Session } from "../../device/session.ts";
import { isPaused, isWanPaused, mayNotLead } from "../guarded.ts";
import type { Machine } from "../machine.ts";
import type { Checker } from "./checker.ts";

/** Time from the start of a condition, or of the agent, to acting on it. */
const reactionMs = 1_000;

export class GuardsCheck {
  readonly #checker: Checker;

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  #isRead(machine: Machine): boolean {
    return machine.isRunning && this.#checker.world.clock.nowMs > machine.faults.lastAtMs + reactionMs;
  }

  /** Checks the role of a device after an event. */
  observe(machine: Machine, session: Session | null): void {
    const { conditions } = machine.faults;
    if (session === null || !mayNotLead(conditions) || !this.#isRead(machine)) return;
    const { fail } = this.#checker;
    if (session.member.role === "representative") fail("guard", machine, "leads although a guard forbids it");
    if (isPaused(conditions)) fail("guard", machine, "has a session although a guard pauses the device");
  }

  /** Checks that a device whose WAN is paused requests nothing from the web site. */
  requestsChunk(machine: Machine): void {
    if (isWanPaused(machine.faults.conditions) && this.#isRead(machine))
      this.#checker.fail("guard", machine, "downloads although a guard pauses the WAN");
  }
}
