/**
 * WAN lease of a package on a subnet: the right of one device at a time to spend WAN bytes for it.
 *
 * A lease runs for 15 s and its holder renews it every 3 s. Another device gets it when it expires.
 * A device elected for a later term gets it sooner, once the source has not received a renewal for
 * `leaseSilentMs` either. When several devices failed, further attempts would only cost WAN bytes:
 * the source refuses every device for five minutes, then forgets the failures.
 *
 * Pure: state and time in, result and next state out.
 */
export const leaseDurationMs = 15_000;
/** One and a half renewal periods. */
export const leaseSilentMs = 4_500;
/**
 * Failed devices at which the lease is refused: three that fail alike are hardly at fault
 * themselves.
 */
const leaseFailuresMax = 3;
/** Time for which the lease is refused to every device after `leaseFailuresMax` failures. */
export const leaseFailedMs = 300_000;

export type LeaseRequest = {
  /** Address of the asking device for its peers: LAN address and TCP port of its exchange. */
  readonly address: string;
  readonly lanPort: number;
  readonly term: number;
  /** True for a query: the request names the holder and takes nothing. */
  readonly query?: boolean | undefined;
};
type LeaseHolder = Holder & { readonly term: number };
type LeaseResult =
  /** `before` is the previous holder, if it was another device. */
  | { result: "granted"; expiresInMs: number; term: number; before: LeaseHolder | null }
  | { result: "refused"; holder: LeaseHolder; retryAfterMs: number }
  /** Answer to a query while no device holds the lease. */
  | { result: "free"; retryAfterMs: number }
  /** Answer after `leaseFailuresMax` devices failed. */
  | { result: "failed"; reason: string; retryAfterMs: number };

type Holder = { readonly deviceId: string; readonly address: string; readonly lanPort: number };
export type LeaseState = {
  /** The last device that was granted the lease; the lease is current until `expiresAtMs`. */
  readonly holder: LeaseHolder | null;
  readonly expiresAtMs: number;
  readonly failures: readonly { readonly deviceId: string; readonly reason: string }[];
  /** Time until which every request is refused; 0 when the failures are below the limit. */
  readonly failedUntilMs: number;
};

export const noLease: LeaseState = { holder: null, expiresAtMs: 0, failures: [], failedUntilMs: 0 };

/**
 * Returns whether a period that ends at `untilMs` is current. An end further ahead than the longest
 * period means that the source's clock was set back, perhaps by years. Such a period counts as
 * over, or a failed device would keep the lease until the clock reaches the old time.
 */
const isCurrent = (untilMs: number, nowMs: number, longestMs: number): boolean =>
  untilMs > nowMs && untilMs <= nowMs + longestMs;

type Decision<T> = { readonly next: LeaseState; readonly result: T };

/** Names the last failure, because the failures are alike. */
const failedAnswer = (state: LeaseState, nowMs: number): LeaseResult => ({
  result: "failed",
  reason:
    `${state.failures.length} of this subnet's devices failed as representative, the last one: ` +
    (state.failures.at(-1)?.reason ?? "no reason given").slice(0, 900),
  retryAfterMs: state.failedUntilMs - nowMs,
});

/** Returns the current holder, or null when the lease is free. */
export const holderOf = (state: LeaseState, nowMs: number): LeaseState["holder"] =>
  isCurrent(state.expiresAtMs, nowMs, leaseDurationMs) ? state.holder : null;

/**
 * Returns the lease of a subnet into which another one was merged. A current holder keeps the
 * lease, first that of `into`; the other one is refused at its next renewal, and follows.
 */
export const mergeLeases = (into: LeaseState, other: LeaseState, nowMs: number): LeaseState =>
  holderOf(into, nowMs) === null && holderOf(other, nowMs) !== null ? other : into;

/** Grants, renews or refuses the lease, or answers a query. */
export function requestLease(
  state: LeaseState,
  deviceId: string,
  request: LeaseRequest,
  nowMs: number,
): Decision<LeaseResult> {
  if (isCurrent(state.failedUntilMs, nowMs, leaseFailedMs))
    return { next: state, result: failedAnswer(state, nowMs) };
  const failures = state.failedUntilMs > 0 ? [] : state.failures;
  const silentMs = nowMs - (state.expiresAtMs - leaseDurationMs);
  const isTakeover = state.holder !== null && request.term > state.holder.term && silentMs >= leaseSilentMs;
  const current = holderOf(state, nowMs);
  const isHeld = current !== null && !isTakeover;
  if (isHeld && current.deviceId !== deviceId) {
    const retryAfterMs = state.expiresAtMs - nowMs;
    return { next: state, result: { result: "refused", holder: current, retryAfterMs } };
  }
  if (request.query === true) return { next: state, result: { result: "free", retryAfterMs: leaseSilentMs } };
  const term = isHeld ? Math.max(current.term, request.term) : request.term;
  const holder = { deviceId, address: request.address, lanPort: request.lanPort, term };
  const before = state.holder === null || state.holder.deviceId === deviceId ? null : state.holder;
  return {
    next: { holder, expiresAtMs: nowMs + leaseDurationMs, failures, failedUntilMs: 0 },
    result: { result: "granted", expiresInMs: leaseDurationMs, term, before },
  };
}

/**
 * Ends the lease of `deviceId` and records a failure.
 *
 * @param failure null when the work is done or another device does it
 * @param deviceCount devices of the task on this subnet; with fewer than three, all of them must
 * fail
 */
export function releaseLease(
  state: LeaseState,
  deviceId: string,
  failure: string | null,
  deviceCount: number,
  nowMs: number,
): Decision<"released" | "not-held"> {
  if (state.holder?.deviceId !== deviceId || state.expiresAtMs === 0) {
    return { next: state, result: "not-held" };
  }
  const others = state.failures.filter((one) => one.deviceId !== deviceId);
  const failures = failure === null ? state.failures : [...others, { deviceId, reason: failure }];
  const failuresMax = Math.max(1, Math.min(leaseFailuresMax, deviceCount));
  const failed = failure !== null && failures.length >= failuresMax;
  return {
    next: { ...state, expiresAtMs: 0, failures, failedUntilMs: failed ? nowMs + leaseFailedMs : 0 },
    result: "released",
  };
}
