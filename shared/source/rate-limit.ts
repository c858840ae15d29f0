/**
 * Rate limit by key: a token bucket for each key, of which the last used ones are remembered.
 * Enrolments are limited by token and by address, so that a leaked token fills no disk.
 */
import { networkOf } from "../model/subnet.ts";

/** Upper bound on remembered keys; the one that was not used for the longest time goes first. */
const keysMax = 4_096;

export type Rate = {
  /** Requests at once. */
  readonly burst: number;
  readonly perSecond: number;
};
type Bucket = { left: number; filledAtMs: number };

export class RateLimit {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Takes one request of the key. @returns 0, or the milliseconds until one is admitted */
  take(key: string, nowMs: number): number {
    const { burst, perSecond } = this.#rate;
    const bucket = this.#buckets.get(key) ?? { left: burst, filledAtMs: nowMs };
    this.#buckets.delete(key);
    if (this.#buckets.size >= keysMax) this.#buckets.delete(this.#buckets.keys().next().value!);
    this.#buckets.set(key, bucket);
    // A clock that is set back fills nothing.
    const elapsedMs = Math.max(0, nowMs - bucket.filledAtMs);
    bucket.left = Math.min(burst, bucket.left + (elapsedMs * perSecond) / 1_000);
    bucket.filledAtMs = nowMs;
    if (bucket.left < 1) return Math.ceil(((1 - bucket.left) * 1_000) / perSecond);
    bucket.left -= 1;
    return 0;
  }
}

export type EnrolmentLimits = {
  readonly byAddress: RateLimit;
  readonly byToken: RateLimit;
  /** Machines without a token, by address: a room of them, and then one in half a minute. */
  readonly pending: RateLimit;
};

/** Returns limits that admit a room of 200 machines at once, and 7,200 an hour after that. */
export const enrolmentLimits = (): EnrolmentLimits => ({
  byAddress: new RateLimit({ burst: 200, perSecond: 2 }),
  byToken: new RateLimit({ burst: 500, perSecond: 10 }),
  pending: new RateLimit({ burst: 40, perSecond: 1 / 30 }),
});

/** Returns the key of an address: a host has a network of 64 bits in IPv6. */
export const addressKey = (address: string): string =>
  address.includes(":") ? (networkOf(`${address}/64`) ?? address) : address;
