/**
 * Limit on attempts to sign in: after some failures each further attempt waits, twice as long each
 * time. Failures count for the pair of user and address, for the address, and for the user, and are
 * forgiven with time: many people have the address of an office.
 *
 * The user's own delay is short: a stranger who guesses from many addresses would otherwise keep
 * the user out. Failures are kept in memory, because a row for each would let strangers fill the
 * disk.
 */
import { foldedName } from "../../model/glob.ts";
import { addressKey } from "../rate-limit.ts";

type Rule = {
  readonly freeFailures: number;
  readonly delayMsMax: number;
  /** Time for which one failure counts, after those that came later. */
  readonly forgivenAfterMs: number;
};
const rules = {
  pair: { freeFailures: 5, delayMsMax: 15 * 60_000, forgivenAfterMs: 10 * 60_000 },
  address: { freeFailures: 20, delayMsMax: 15 * 60_000, forgivenAfterMs: 3 * 60_000 },
  user: { freeFailures: 50, delayMsMax: 30_000, forgivenAfterMs: 60_000 },
} as const satisfies Record<string, Rule>;
type Kind = keyof typeof rules;

const firstDelayMs = 1_000;
/** Upper bound on remembered pairs, addresses and users. */
const entriesMax = 65_536;

/** `count` as of `countedAtMs`, with the fraction that is not forgiven yet. */
type Failures = { readonly count: number; readonly countedAtMs: number; readonly nextAtMs: number };

export class AttemptLimit {
  /** The one unused for longest is the first. */
  readonly #failures = new Map<string, Failures>();

  /**
   * Begins an attempt, which counts as a failure until `succeeded` is called: attempts at the same
   * time count too.
   * @returns 0, or the milliseconds to wait when the attempt may not be made
   */
  begin(user: string, address: string, nowMs: number): number {
    const keys = keysOf(user, address);
    // A clock that is set back keeps nobody out for longer than the longest delay.
    const waits = keys.map(({ kind, key }) =>
      Math.min((this.#failures.get(key)?.nextAtMs ?? nowMs) - nowMs, rules[kind].delayMsMax),
    );
    const waitMs = Math.max(...waits);
    if (waitMs > 0) return waitMs;
    for (const { kind, key } of keys) this.#countFailure(kind, key, nowMs);
    return 0;
  }

  /** Forgets the failures of the user, and takes back the attempt of the address. */
  succeeded(user: string, address: string): void {
    for (const { kind, key } of keysOf(user, address)) {
      const found = this.#failures.get(key);
      // Failures of an address stay: one account would otherwise pay for guesses at others.
      if (kind === "address" && found && found.count > 1)
        this.#failures.set(key, { ...found, count: found.count - 1, nextAtMs: 0 });
      else this.#failures.delete(key);
    }
  }

  #countFailure(kind: Kind, key: string, nowMs: number): void {
    const { freeFailures, delayMsMax, forgivenAfterMs } = rules[kind];
    const { count: before, countedAtMs } = this.#failures.get(key) ?? { count: 0, countedAtMs: nowMs };
    const forgiven = Math.max(0, nowMs - countedAtMs) / forgivenAfterMs;
    const count = Math.max(0, before - forgiven) + 1;
    const delays = Math.ceil(count) - freeFailures;
    const delayMs = delays < 0 ? 0 : Math.min(delayMsMax, firstDelayMs * 2 ** delays);
    this.#failures.delete(key);
    if (this.#failures.size >= entriesMax) this.#failures.delete(this.#failures.keys().next().value!);
    this.#failures.set(key, { count, countedAtMs: nowMs, nextAtMs: nowMs + delayMs });
  }
}

function keysOf(user: string, address: string): readonly { readonly kind: Kind; readonly key: string }[] {
  const [name, network] = [foldedName(user), addressKey(address)];
  return [
    { kind: "pair", key: `pair ${network} ${name}` },
    { kind: "address", key: `address ${network}` },
    { kind: "user", key: `user ${name}` },
  ];
}
