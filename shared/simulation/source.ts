/**
 * The simulated source and its web site. The lease is decided by the real rule (`shared/model/lease.ts`); the source
 * may be down, slow or answer errors, its clock may be set, and so may the web site fail in its own ways.
 */
import { holderOf, noLease, releaseLease, requestLease, type LeaseState } from "../model/lease.ts";
import { FallbackTokens } from "../source/fallback-tokens.ts";
import type { FallbackAnswer, LeaseAnswer } from "../core/events.ts";
import type { VirtualClock } from "./clock.ts";
import type { Random } from "./random.ts";

/** Of one request to the source; the agent's client gives up after this. */
export const requestTimeoutMs = 30_000;

export type SourceState = "up" | "down" | "slow" | "errors";
/** "wrong": a proxy on the way changes what it passes on. */
export type WebState = "up" | "down" | "slow" | "errors" | "wrong";

export type LeaseRequest = {
  deviceId: string;
  subnet: number;
  address: string;
  lanPort: number;
  term: number;
  query: boolean;
};

export class Source {
  state: SourceState = "up";
  web: WebState = "up";
  /** Subnets whose line to the WAN is cut. */
  readonly cutOff = new Set<number>();
  /** Added to the clock by which leases run. */
  clockOffsetMs = 0;
  readonly #tokens = new FallbackTokens();
  readonly #leases = new Map<number, LeaseState>();
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #devicesOn: (subnet: number) => number;

  constructor(options: { clock: VirtualClock; random: Random; devicesOn: (subnet: number) => number }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#devicesOn = options.devicesOn;
  }

  get nowMs(): number {
    // Leases begin at some date, not at 0.
    return 1_000_000_000 + this.#clock.nowMs + this.clockOffsetMs;
  }

  /** Is there an answer to requests from this subnet at all, and when? Null: none, as far as anybody waits. */
  answerMs(subnet: number): number | null {
    if (subnet === 0 || this.state === "down" || this.cutOff.has(subnet)) return null;
    if (this.state === "slow") return this.#random.between(500, 9_000);
    return this.#random.between(15, 60);
  }

  /** The device that may use the WAN now, as the source sees it. */
  holderOn(subnet: number): string | null {
    return holderOf(this.#leases.get(subnet) ?? noLease, this.nowMs)?.deviceId ?? null;
  }

  lease({ deviceId, subnet, ...request }: LeaseRequest): LeaseAnswer {
    if (this.state === "errors") return { result: "unreachable" };
    const { query, ...rest } = request;
    const decision = requestLease(
      this.#leases.get(subnet) ?? noLease,
      deviceId,
      query ? { ...rest, query } : rest,
      this.nowMs,
    );
    this.#leases.set(subnet, decision.next);
    const { result } = decision;
    if (result.result !== "granted") return result;
    const { before, term } = result;
    return {
      result: "granted",
      term,
      before: before && { device: before.deviceId, address: before.address, lanPort: before.lanPort },
    };
  }

  /** May this device download although another one leads? */
  fallback(subnet: number, deviceId: string): FallbackAnswer {
    if (this.state === "errors") return { result: "unreachable" };
    return this.#tokens.ask({ packageId: "", subnetId: String(subnet), deviceId }, this.nowMs);
  }

  takeFallbackBack(subnet: number, deviceId: string): void {
    this.#tokens.giveBack({ packageId: "", subnetId: String(subnet), deviceId });
  }

  release(subnet: number, deviceId: string, failure: string | null): void {
    if (this.state === "errors") return;
    const state = this.#leases.get(subnet) ?? noLease;
    const { next } = releaseLease(state, deviceId, failure, this.#devicesOn(subnet), this.nowMs);
    this.#leases.set(subnet, next);
  }
}
