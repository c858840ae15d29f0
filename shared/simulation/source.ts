/**
 * Simulated source. Leases follow the real rule (model/lease.ts), and fallback tokens come from the
 * real class (source/fallback-tokens.ts). The source may be down, slow or answer with errors, and
 * its clock may be set.
 */
import type {
  FallbackRequest,
  FallbackResponse,
  LeaseRelease,
  LeaseRequest,
  LeaseResponse,
  ManifestRequest,
} from "../api/schema/agent.ts";
import {
  holderOf,
  leaseFailedMs,
  noLease,
  noteService,
  releaseLease,
  requestLease,
  spendByFallback,
  withoutFailures,
  type LeaseState,
} from "../model/lease.ts";
import type { ReceivedFrom } from "../api/schema/common.ts";
import { FallbackTokens } from "../source/fallback-tokens.ts";
import { ManifestGrants } from "../source/manifest-grants.ts";
import type { VirtualClock } from "./clock.ts";
import { Random } from "./random.ts";

/** Time-out of the agent's requests to the source. */
export const requestTimeoutMs = 30_000;
const slowAnswerMsMax = 9_000;

/** "wrong": a proxy changes bytes. "silent": connections open, and no bytes arrive. */
export type WebState = "up" | "down" | "slow" | "errors" | "wrong" | "silent";
export type SourceState = "up" | "down" | "slow" | "errors";

/** A web site that no longer has the package; the source is the next one. */
export const goneUrl = "https://gone.invalid/tool";

type PluggedDevice = { readonly id: string; readonly process: { readonly isEnded: boolean } | null };
export type SourceOptions = {
  readonly clock: VirtualClock;
  readonly seed: number;
  /** Devices plugged into a subnet; `process` is null while the agent does not run. */
  readonly devicesOn: (subnet: number) => readonly PluggedDevice[];
  readonly package: { readonly sizeBytes: number };
  /** Setting of the task, which may change. */
  readonly setting: { readonly startDelayMs: number; readonly pausesDownloads: boolean };
  readonly hasGoneUrl?: boolean;
};
/** Interval of the devices' reports. */
export const reportEveryMs = 2_000;

export class Source {
  /** World time until which answers of an earlier slow state may still arrive. */
  lateUntilMs = 0;
  #state: SourceState = "up";
  /** False: requests for a fallback token get an error. */
  answersFallback = true;
  /** Whether the task was cancelled. Set by `World.cancel`. */
  hasCancelled = false;
  /** State of the web site that serves the package. */
  web: WebState = "up";
  /** Subnets whose WAN line is cut. */
  readonly cutOff = new Set<number>();
  /** Offset of the clock that leases run by. */
  clockOffsetMs = 0;
  readonly #tokens = new FallbackTokens();
  readonly #manifests: ManifestGrants;
  readonly #leases = new Map<number, LeaseState>();
  readonly #options: SourceOptions;
  readonly #random: Random;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#random = new Random(options.seed, "source");
    this.#manifests = new ManifestGrants(() => this.#random.next());
  }

  get state(): SourceState {
    return this.#state;
  }

  set state(state: SourceState) {
    if (this.#state === "slow") this.lateUntilMs = this.#options.clock.nowMs + slowAnswerMsMax;
    this.#state = state;
  }

  get nowMs(): number {
    // Wall time is never near 0 in the field, and a clock that is set back must not reach 0.
    return 1_000_000_000 + this.#options.clock.nowMs + this.clockOffsetMs;
  }

  /** Returns the time to the answer of a request from this subnet; null when none will come. */
  answerMs(subnet: number): number | null {
    if (subnet === 0 || this.state === "down" || this.cutOff.has(subnet)) return null;
    if (this.state === "slow") return this.#random.between(500, slowAnswerMsMax);
    return this.#random.between(15, 60);
  }

  /** Returns the id of the device that holds the subnet's lease now; null when it is free. */
  holderOn(subnet: number): string | null {
    return holderOf(this.#leases.get(subnet) ?? noLease, this.nowMs)?.deviceId ?? null;
  }

  manifest(deviceId: string, { subnetId, address, lanPort, attempt }: ManifestRequest) {
    return this.#manifests.ask("", subnetId ?? "", { deviceId, address, lanPort, attempt }, 0, this.nowMs);
  }

  lease(deviceId: string, { subnetId, ...request }: LeaseRequest): LeaseResponse {
    const subnet = Number(subnetId);
    const state = this.#leases.get(subnet) ?? noLease;
    const terms = {
      ...this.#spendersOn(subnet),
      startDelayMs: this.#options.setting.startDelayMs,
      reportIntervalMs: reportEveryMs,
      isPaused: this.#options.setting.pausesDownloads,
    };
    const { next, result } = requestLease(state, deviceId, request, terms, this.nowMs);
    this.#leases.set(subnet, next);
    if (result.result !== "granted") return result;
    const present = request.starting ? { present: this.#presentOn(subnet, deviceId) } : {};
    return { ...result, ...this.#places, ...present };
  }

  release(deviceId: string, { subnetId, ...release }: LeaseRelease): void {
    const subnet = Number(subnetId);
    const state = this.#leases.get(subnet) ?? noLease;
    const deviceCount = this.#options.devicesOn(subnet).length;
    const of = { ...this.#spendersOn(subnet), deviceCount, isKnown: true };
    const { next } = releaseLease(state, deviceId, release, of, this.nowMs);
    this.#leases.set(subnet, next);
  }

  #spendersOn(subnet: number): { packageBytes: number; hasOthers: boolean } {
    const { devicesOn, package: published } = this.#options;
    return { packageBytes: published.sizeBytes, hasOthers: devicesOn(subnet).length > 1 };
  }

  /** Takes the part of a device's report that states from which devices it received. */
  report(deviceId: string, subnet: number, receivedFrom: () => readonly ReceivedFrom[]): void {
    if (subnet === 0 || this.cutOff.has(subnet) || this.state === "down" || this.state === "errors") return;
    const state = this.#leases.get(subnet);
    const holderId = state?.holder?.deviceId;
    const received = receivedFrom().find((one) => one.deviceId === holderId);
    if (!state || holderId === undefined || holderId === deviceId || !received) return;
    const evidence = { presentAgoMs: received.signAgoMs, servedAgoMs: received.bytesAgoMs };
    this.#leases.set(subnet, noteService(state, holderId, evidence, this.nowMs));
  }

  #presentOn(subnet: number, deviceId: string): number {
    const others = this.#options.devicesOn(subnet).filter(({ id }) => id !== deviceId);
    return others.filter(({ process }) => process?.isEnded === false).length;
  }

  get #places() {
    const urls = this.#options.hasGoneUrl ? [{ url: goneUrl, layout: "file" as const }] : [];
    return { urls, atSource: true };
  }

  /** An administrator ends the rests after failed downloads. */
  forgetFailures(): void {
    for (const [subnet, state] of this.#leases) this.#leases.set(subnet, withoutFailures(state));
  }

  /** Grants, refuses or takes back a fallback token. Returns null for an error. */
  fallback(deviceId: string, { subnetId, release, uselessBytes }: FallbackRequest): FallbackResponse | null {
    if (!this.answersFallback) return null;
    const key = { packageId: "", share: subnetId, deviceId };
    if (!release) {
      const left = this.#spendByFallback(deviceId, Number(subnetId), this.#tokens.spend(key, uselessBytes));
      if (left === 0) return { result: "refused", retryAfterMs: leaseFailedMs };
      const answer = this.#tokens.ask(key, this.nowMs, uselessBytes);
      return answer.result === "granted" ? { ...answer, ...this.#places, uselessBytesLeft: left } : answer;
    }
    this.#tokens.giveBack(key);
    return { result: "refused", retryAfterMs: 0 };
  }

  #spendByFallback(deviceId: string, subnet: number, bytes: number): number {
    const state = this.#leases.get(subnet) ?? noLease;
    const { next, result } = spendByFallback(state, deviceId, bytes, this.#spendersOn(subnet), this.nowMs);
    this.#leases.set(subnet, next);
    return result;
  }
}
