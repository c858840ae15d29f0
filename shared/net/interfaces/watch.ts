/**
 * Follows the interfaces of a device and decides when it has to change: its own is gone or has another address, its
 * link came back, the device slept, or a better one has been there for a while. Pure: looks are handed in.
 */
import { chooseInterface, lackOf, nameOf, sameInterface, type InterfaceWish } from "./choice.ts";
import { type NetInterface } from "../../model/interface.ts";

/** A cable that was just plugged in, or is loose, is no reason to move yet. */
const stableMs = 4_000;
/** Between two looks by the clock on the wall: the device slept, and the group may have forgotten it. */
const sleptMs = 30_000;

export type Look = {
  readonly interfaces: readonly NetInterface[];
  readonly towardsSource: string | null;
  /** In the middle of a session: a better interface can wait. */
  readonly isBusy: boolean;
  readonly nowMs: number;
  readonly wallMs: number;
};
/** Take everything up anew on `to`, also when it is the same as before. Null: work without the LAN. */
export type InterfaceChange = {
  readonly from: NetInterface | null;
  readonly to: NetInterface | null;
  readonly cause: string;
};

export class InterfaceWatch {
  current: NetInterface | null = null;
  /** Why `current` is not the best one, or why there is none; for a person. */
  why = "no interface was chosen yet";
  readonly #named: string | null;
  #candidate: { one: NetInterface; sinceMs: number } | null = null;
  #lookedAtMs = Number.POSITIVE_INFINITY;

  /** @param named `--interface`: an address or a name */
  constructor(named: string | null) {
    this.#named = named;
  }

  /** Null: all is as it was. */
  look(look: Look): InterfaceChange | null {
    const hasSlept = look.wallMs - this.#lookedAtMs > sleptMs;
    this.#lookedAtMs = look.wallMs;
    const wish: InterfaceWish = { named: this.#named, towardsSource: look.towardsSource };
    const { chosen, why } = chooseInterface(look.interfaces, wish);
    const { current } = this;
    const here = look.interfaces.find((one) => one.hasLink && sameInterface(one, current));
    if (!current || !here) {
      this.why = why;
      if (!current && !chosen) return null;
      return this.#change(chosen, current ? whatBecameOf(current, look.interfaces) : arrivalOf(chosen!));
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
    look: Look,
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

const arrivalOf = (one: NetInterface): string => `${nameOf(one)} has an address`;

function whatBecameOf(gone: NetInterface, interfaces: readonly NetInterface[]): string {
  const namesakes = interfaces.filter(({ name }) => name === gone.name);
  if (namesakes.length === 0) return `${nameOf(gone)} is gone`;
  const other = namesakes.find((one) => one.hasLink && one.address !== "");
  return other ? `the address of ${nameOf(gone)} changed` : `${nameOf(gone)} ${lackOf(namesakes[0]!)}`;
}
