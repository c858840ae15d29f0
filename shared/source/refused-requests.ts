/**
 * Refused requests: counted by reason, and the first of each address is logged, at most
 * once a minute. A device that nobody knows any more would otherwise be seen nowhere.
 */
import { Counter, type Registry } from "prom-client";
import type { Logger } from "../log.ts";
import { barCodes } from "../model/enrolment.ts";

const refusals = [
  "no-credential",
  "unknown-credential",
  "wrong-caller",
  "wrong-role",
  "outside-scope",
  "wrong-token",
  "ended-token",
  "too-many-enrolments",
  "pending-refused",
  "ended-session",
  "foreign-page",
  "wrong-password",
  "too-many-attempts",
  "wrong-sign-in",
  "wrong-link",
  "no-role",
  "disabled-user",
  ...barCodes,
] as const;
export type Refusal = (typeof refusals)[number];

const logEveryMs = 60_000;
/** Upper bound on remembered addresses. */
const addressesMax = 4_096;

export class RefusedRequests {
  readonly #refused: Counter<"why">;
  readonly #log: Logger;
  readonly #loggedAtMs = new Map<string, number>();

  constructor(registry: Registry, log: Logger) {
    this.#log = log;
    this.#refused = new Counter({
      name: "flockcast_source_refused_total",
      help: "Requests refused for their credential or token, by reason",
      labelNames: ["why"],
      registers: [registry],
    });
    for (const why of refusals) this.#refused.inc({ why }, 0);
  }

  count(why: Refusal, address: string, path: string, nowMs: number): void {
    this.#refused.inc({ why });
    const before = this.#loggedAtMs.get(address);
    if (before !== undefined && nowMs - before < logEveryMs) return;
    this.#loggedAtMs.delete(address);
    if (this.#loggedAtMs.size >= addressesMax) this.#loggedAtMs.delete(this.#loggedAtMs.keys().next().value!);
    this.#loggedAtMs.set(address, nowMs);
    this.#log.warn({ why, address, path }, "refused a request");
  }
}
