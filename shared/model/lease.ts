/**
 * Who may spend WAN bytes for a package on a subnet: one device at a time. Pure: state and time in, answer and state out.
 *
 * A lease runs for 15 s and is renewed every 3 s by asking again. When it runs out, another device may take it; a device
 * that its subnet elected for a later term, because it no longer hears the holder, takes it sooner, once the source has
 * not heard the holder either. When several devices failed, more attempts would only cost WAN bytes: the source says so for five minutes, then forgets.
 */
export const leaseDurationMs = 15_000;
/** One renewal and a half missed. */
export const leaseSilentMs = 4_500;
/** Three devices that fail alike hardly do so by their own fault. */
const leaseFailuresMax = 3;
export const leaseFailedMs = 300_000;

export type LeaseRequest = {
  /** Where peers reach the asking device: LAN address and TCP port of its exchange. */
  readonly address: string;
  readonly lanPort: number;
  readonly term: number;
  /** Only asks who holds the lease. */
  readonly query?: boolean | undefined;
};
type LeaseHolder = Holder & { readonly term: number };
type LeaseResult =
  /** `before`: the last other device that held it. */
  | { result: "granted"; expiresInMs: number; term: number; before: LeaseHolder | null }
  | { result: "refused"; holder: LeaseHolder; retryAfterMs: number }
  /** The answer to a query while no device holds it. */
  | { result: "free"; retryAfterMs: number }
  /** Several representatives failed alike. */
  | { result: "failed"; reason: string; retryAfterMs: number };

type Holder = { readonly deviceId: string; readonly address: string; readonly lanPort: number };
export type LeaseState = {
  /** The last one it was granted to; it stands while `expiresAtMs` lies ahead. */
  readonly holder: LeaseHolder | null;
  readonly expiresAtMs: number;
  readonly failures: readonly { readonly deviceId: string; readonly reason: string }[];
  /** Until then nobody is granted the lease. */
  readonly failedUntilMs: number;
};

export const noLease: LeaseState = { holder: null, expiresAtMs: 0, failures: [], failedUntilMs: 0 };

/**
 * Does it still stand? The source's clock may be set back, perhaps by years: what then ends later than it could from now
 * on is over, or a dead device would hold the lease until the clock is where it was.
 */
const isCurrent = (untilMs: number, nowMs: number, longestMs: number): boolean =>
  untilMs > nowMs && untilMs <= nowMs + longestMs;

type Decision<T> = { readonly next: LeaseState; readonly result: T };

/** The last reason stands for all: they "failed alike". */
const failedAnswer = (state: LeaseState, nowMs: number): LeaseResult => ({
  result: "failed",
  reason:
    `${state.failures.length} of this subnet's devices failed as representative, the last one: ` +
    (state.failures.at(-1)?.reason ?? "no reason given").slice(0, 900),
  retryAfterMs: state.failedUntilMs - nowMs,
});

/** Whoever may use the WAN now. */
export const holderOf = (state: LeaseState, nowMs: number): LeaseState["holder"] =>
  isCurrent(state.expiresAtMs, nowMs, leaseDurationMs) ? state.holder : null;

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
 * @param failure null when the work is done or somebody else's.
 * @param deviceCount devices of the task on this subnet: where there are fewer than three, all of them are enough.
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
