/**
 * Guard of one task on this device: which conditions restrict the device, by the setting of the
 * task. A device reads its conditions every half minute; tasks with other settings may have other
 * guards.
 */
import {
  freeVerdict,
  isAtLeast,
  nextGuards,
  noGuards,
  verdictOf,
  type GuardStates,
  type GuardVerdict,
} from "../model/guard.ts";
import { reason, reasonText, type Reason } from "../model/reason.ts";
import type { SettingValues } from "../model/setting.ts";
import type { DevicePorts } from "./ports.ts";

export class TaskGuard {
  readonly #conditions: DevicePorts["conditions"];
  readonly #values: () => SettingValues;
  #states: GuardStates = noGuards;
  #verdict: GuardVerdict = freeVerdict;
  /** Null: nothing is restricted. */
  reason: Reason | null = null;
  /** Words of the reason, for logs and for frames. */
  text: string | null = null;

  /** @param values called at every use, because the setting may change */
  constructor({ conditions }: Pick<DevicePorts, "conditions">, values: () => SettingValues) {
    this.#conditions = conditions;
    this.#values = values;
    this.read();
  }

  /** Takes a reading of the conditions. @returns whether the restriction of the device changed */
  read(): boolean {
    this.#states = nextGuards(this.#states, this.#conditions(), this.#values());
    return this.review();
  }

  /** Applies a changed setting. @returns whether the restriction of the device changed */
  review(): boolean {
    const verdict = verdictOf(this.#states, this.#values());
    const before = this.#verdict;
    if (verdict.action === before.action && verdict.guards.join() === before.guards.join()) return false;
    this.#verdict = verdict;
    this.reason = reasonOf(verdict);
    this.text = this.reason && reasonText(this.reason);
    return true;
  }

  /** Whether the device must take nothing over the WAN. */
  get pausesWan(): boolean {
    return isAtLeast(this.#verdict.action, "pause-wan");
  }

  /** Whether the device must take no part. */
  get pauses(): boolean {
    return this.#verdict.action === "pause";
  }
}

function reasonOf({ action, guards }: GuardVerdict): Reason | null {
  return action === "allow" ? null : reason(`guard-${action}`, { guards: guards.join() });
}
