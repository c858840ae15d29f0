/**
 * The simulated source. The lease is decided by the real rule (model/lease.ts), fallback tokens by the source's own class;
 * the source may be down, slow or answer errors, and its clock may be set.
 */
import type { FallbackRequest, FallbackResponse, LeaseRequest, LeaseResponse } from "../api/schema/agent.ts";
import { holderOf, noLease, releaseLease, requestLease, type LeaseState } from "../model/lease.ts";
import { FallbackTokens } from "../source/fallback-tokens.ts";
import type { VirtualClock } from "./clock.ts";
import type { Random } from "./random.ts";

/** After this time the agent's client gives up a request to the source. */
export const requestTimeoutMs = 30_000;
const slowAnswerMsMax = 9_000;

/** "wrong": a proxy changes what passes. "silent": connections open, and nothing arrives. */
export type WebState = "up" | "down" | "slow" | "errors" | "wrong" | "silent";
export type SourceState = "up" | "down" | "slow" | "errors";

export type SourceOptions = {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly devicesOn: (subnet: number) => number;
};

export class Source {
  /** Until this world time answers to requests of a slow state may come. */
  lateUntilMs = 0;
  #state: SourceState = "up";
  /** Whether requests for a fallback token are answered at all. */
  answersFallback = true;
  /** The web site's state; the package is stored at the source. */
  web: WebState = "up";
  /** Subnets whose line to the WAN is cut. */
  readonly cutOff = new Set<number>();
  /** Added to the clock by which leases run. */
  clockOffsetMs = 0;
  readonly #tokens = new FallbackTokens();
  readonly #leases = new Map<number, LeaseState>();
  readonly #options: SourceOptions;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  get state(): SourceState {
    return this.#state;
  }

  set state(state: SourceState) {
    if (this.#state === "slow") this.lateUntilMs = this.#options.clock.nowMs + slowAnswerMsMax;
    this.#state = state;
  }

  get nowMs(): number {
    // Leases begin at some date, not at 0.
    return 1_000_000_000 + this.#options.clock.nowMs + this.clockOffsetMs;
  }

  /** Milliseconds to the answer of a request from this subnet; null: there is none. */
  answerMs(subnet: number): number | null {
    if (subnet === 0 || this.state === "down" || this.cutOff.has(subnet)) return null;
    if (this.state === "slow") return this.#options.random.between(500, slowAnswerMsMax);
    return this.#options.random.between(15, 60);
  }

  /** The device that may use the WAN now. */
  holderOn(subnet: number): string | null {
    return holderOf(this.#leases.get(subnet) ?? noLease, this.nowMs)?.deviceId ?? null;
  }

  lease(deviceId: string, { subnetId, address, lanPort, term, query }: LeaseRequest): LeaseResponse {
    const subnet = Number(subnetId);
    const state = this.#leases.get(subnet) ?? noLease;
    const { next, result } = requestLease(state, deviceId, { address, lanPort, term, query }, this.nowMs);
    this.#leases.set(subnet, next);
    return result;
  }

  release(deviceId: string, subnetId: string, failure: string | null): void {
    const subnet = Number(subnetId);
    const state = this.#leases.get(subnet) ?? noLease;
    const { next } = releaseLease(state, deviceId, failure, this.#options.devicesOn(subnet), this.nowMs);
    this.#leases.set(subnet, next);
  }

  /** A token to download although another device leads, or its return. */
  fallback(deviceId: string, { subnetId, release }: FallbackRequest): FallbackResponse | null {
    if (!this.answersFallback) return null;
    const key = { packageId: "", subnetId, deviceId };
    if (!release) return this.#tokens.ask(key, this.nowMs);
    this.#tokens.giveBack(key);
    return { result: "refused", retryAfterMs: 0 };
  }
}
