/**
 * Decides when the device has to change or reopen its interface. Causes are: the interface is gone,
 * its address changed, its link was lost for a moment, the device slept, or a better interface is
 * stable.
 *
 * Pure: the caller passes in each observation.
 */
import {
  chooseInterface,
  unusableReason,
  nameOf,
  sameInterface,
  type InterfacePreference,
} from "./choice.ts";
import { type NetInterface } from "../../model/interface.ts";

/** Time for which a better interface must stay usable before a move, in case of a loose cable. */
const stableMs = 4_000;
/**
 * Gap between two observations that means the device slept. Switches may then have pruned the
 * device's group membership.
 */
const sleepGapMs = 30_000;

type Observation = {
  readonly interfaces: readonly NetInterface[];
  readonly towardsSource: string | null;
  /** Whether a session is running, during which a better interface has to wait. */
  readonly isBusy: boolean;
  readonly nowMs: number;
  /** Since the system started, sleep included. Setting the clock does not change it. */
  readonly uptimeMs: number;
};
/**
 * Instruction to reopen all sockets on `to`, which may equal `from`. If `to` is null, the device
 * works without the LAN.
 */
export type InterfaceChange = {
  readonly from: NetInterface | null;
  readonly to: NetInterface | null;
  readonly cause: string;
};

export class InterfaceWatch {
  current: NetInterface | null = null;
  /** Why `current` is not the best interface, or why there is none; for a person. */
  why = "no interface was chosen yet";
  readonly #named: string | null;
  #candidate: { one: NetInterface; sinceMs: number } | null = null;
  #lastLookUptimeMs = Number.POSITIVE_INFINITY;

  /** @param named `--interface`: an address or a name */
  constructor(named: string | null) {
    this.#named = named;
  }

  /** Takes one observation; returns null if nothing has to change. */
  look(look: Observation): InterfaceChange | null {
    const hasSlept = look.uptimeMs - this.#lastLookUptimeMs > sleepGapMs;
    this.#lastLookUptimeMs = look.uptimeMs;
    const preference: InterfacePreference = { named: this.#named, towardsSource: look.towardsSource };
    const { chosen, why } = chooseInterface(look.interfaces, preference);
    const { current } = this;
    const here = look.interfaces.find((one) => one.hasLink && sameInterface(one, current));
    if (!current || !here) {
      this.why = why;
      if (!current && !chosen) return null;
      return this.#change(chosen, current ? lossCauseOf(current, look.interfaces) : arrivalCauseOf(chosen!));
    }
    if (here.linkChanges !== current.linkChanges)
      return this.#change(here, `${nameOf(here)} had lost its link`);
    if (hasSlept) return this.#change(here, "the device slept");
    return this.#consider(here, chosen, why, look);
  }

  #consider(
    here: NetInterface,
    chosen: NetInterface | null,
    why: string,
    look: Observation,
  ): InterfaceChange | null {
    this.current = here;
    if (!chosen || sameInterface(chosen, here)) {
      this.#candidate = null;
      this.why = why;
      return null;
    }
    if (!this.#candidate || !sameInterface(this.#candidate.one, chosen))
      this.#candidate = { one: chosen, sinceMs: look.nowMs };
    const isStable = look.nowMs - this.#candidate.sinceMs >= stableMs;
    this.why = `${nameOf(chosen)} is better, it is taken ${isStable ? "when no session is under way" : "if it stays"}`;
    if (!isStable || look.isBusy) return null;
    this.why = why;
    return this.#change(chosen, `${nameOf(chosen)} is better`);
  }

  #change(to: NetInterface | null, cause: string): InterfaceChange {
    const from = this.current;
    this.current = to;
    this.#candidate = null;
    return { from, to, cause };
  }
}

const arrivalCauseOf = (one: NetInterface): string => `${nameOf(one)} has an address`;

function lossCauseOf(gone: NetInterface, interfaces: readonly NetInterface[]): string {
  const namesakes = interfaces.filter(({ name }) => name === gone.name);
  if (namesakes.length === 0) return `${nameOf(gone)} is gone`;
  const other = namesakes.find((one) => one.hasLink && one.address !== "");
  return other
    ? `the address of ${nameOf(gone)} changed`
    : `${nameOf(gone)} ${unusableReason(namesakes[0]!)}`;
}
