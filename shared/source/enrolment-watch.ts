/**
 * Watch over the rate of enrolments. The holder of an enrolment token can enrol any number of
 * devices. A high number in a window is logged as an error, once, with the address of most of them.
 *
 * The watch refuses nothing: a company may install thousands of machines in one night.
 */
import { Counter, type Registry } from "prom-client";
import type { Logger } from "../log.ts";

const windowMs = 10 * 60_000;
/** Enrolments in a window from which on they are reported. */
export const enrolmentsAlarm = 200;
/** Upper bound on counted addresses. */
const addressesMax = 4_096;

export class EnrolmentWatch {
  readonly #log: Logger;
  readonly #alarms: Counter;
  readonly #byAddress = new Map<string, number>();
  #startedAtMs = -Infinity;
  #count = 0;

  constructor(registry: Registry, log: Logger) {
    this.#log = log;
    this.#alarms = new Counter({
      name: "flockcast_source_enrolment_alarms_total",
      help: `Windows of 10 minutes in which ${enrolmentsAlarm} devices or more enrolled`,
      registers: [registry],
    });
  }

  /** Counts an enrolment that made a new device. */
  count(address: string, nowMs: number): void {
    // A clock that was set back begins a new window.
    if (nowMs - this.#startedAtMs >= windowMs || nowMs < this.#startedAtMs) {
      this.#startedAtMs = nowMs;
      this.#count = 0;
      this.#byAddress.clear();
    }
    const ofAddress = this.#byAddress.get(address) ?? 0;
    if (ofAddress > 0 || this.#byAddress.size < addressesMax) this.#byAddress.set(address, ofAddress + 1);
    if (++this.#count !== enrolmentsAlarm) return;
    this.#alarms.inc();
    const [mostFrom, most] = [...this.#byAddress].reduce((a, b) => (b[1] > a[1] ? b : a));
    this.#log.error(
      { devices: this.#count, inMs: nowMs - this.#startedAtMs, mostFrom, most },
      "many devices have enrolled: if nobody installs them, replace the enrolment token and remove the devices",
    );
  }
}
