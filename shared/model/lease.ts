/**
 * WAN lease of a package on a subnet: the right of one device at a time to spend WAN bytes for it.
 *
 * A lease runs for 15 s and its holder renews it every 3 s. Another device gets it when it expires.
 * A device elected for a later term gets it sooner, once the source has not received a renewal for
 * `leaseSilentMs` either. When several devices failed, further attempts would only cost WAN bytes:
 * the source refuses every device for a rest, then forgets the failures. The rest is five minutes,
 * and doubles each time.
 *
 * The subnet has a budget of useless bytes: WAN bytes that made no chunk verified on the device
 * that fetched them. Useful bytes have no limit, because isolated devices need a copy each.
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
/** First time for which the lease is refused to every device; it doubles up to the last one. */
export const leaseFailedMs = 300_000;
const leaseFailedMsMax = 6 * 3_600_000;
/** Time after the end of a rest at which the next one is the first again. */
const restsForgottenMs = 24 * 3_600_000;
/** Upper bound on the delay until a refused device asks again: somebody may end the rest. */
const failedRetryMsMax = leaseFailedMs;
/** Budget of a small package: room for a few interruptions. */
const uselessBytesMin = 1_048_576;

/** Returns the useless bytes that a subnet may spend on a package before its first rest. */
export const uselessBytesMax = (packageBytes: number): number => Math.max(uselessBytesMin, 2 * packageBytes);

/** Returns the budget; after a rest it is enough to see whether the web site was repaired. */
const budgetOf = (state: LeaseState, packageBytes: number): number =>
  state.rests === 0 ? uselessBytesMax(packageBytes) : Math.max(uselessBytesMin, Math.floor(packageBytes / 4));

export type LeaseRequest = {
  /** Address of the asking device for its peers: LAN address and TCP port of its exchange. */
  readonly address: string;
  readonly lanPort: number;
  readonly term: number;
  /** True for a query: the request names the holder and takes nothing. */
  readonly query?: boolean | undefined;
  /** Useless bytes of the asking device, in all its requests of the task. */
  readonly uselessBytes: number;
};
type LeaseHolder = Holder & { readonly term: number };
type LeaseResult =
  /** `before` is the previous holder, if it was another device. */
  | {
      result: "granted";
      expiresInMs: number;
      term: number;
      before: LeaseHolder | null;
      /** Useless bytes that the holder may still spend, from those of its request on. */
      uselessBytesLeft: number;
    }
  | { result: "refused"; holder: LeaseHolder; retryAfterMs: number }
  /** Answer to a query while no device holds the lease. */
  | { result: "free"; retryAfterMs: number }
  /** Answer after `leaseFailuresMax` devices failed. */
  | { result: "failed"; reason: string; retryAfterMs: number };

type Holder = { readonly deviceId: string; readonly address: string; readonly lanPort: number };
export type LeaseState = {
  /** The last device that was granted the lease; the lease is current until `expiresAtMs`. */
  readonly holder: LeaseHolder | null;
  /** Useless bytes that the holder stated last. */
  readonly statedBytes: number;
  readonly expiresAtMs: number;
  readonly failures: readonly { readonly deviceId: string; readonly reason: string }[];
  /** Time until which every request is refused; 0 when the failures are below the limit. */
  readonly failedUntilMs: number;
  /** Rests so far, the end of the last one, and useless bytes since then. */
  readonly rests: number;
  readonly restedUntilMs: number;
  readonly uselessBytes: number;
};

export const noLease: LeaseState = {
  holder: null,
  statedBytes: 0,
  expiresAtMs: 0,
  failures: [],
  failedUntilMs: 0,
  rests: 0,
  restedUntilMs: 0,
  uselessBytes: 0,
};

/** Forgets failures, rests and spent bytes: an administrator has changed something. */
export const withoutFailures = (state: LeaseState): LeaseState => ({
  ...state,
  failures: [],
  failedUntilMs: 0,
  rests: 0,
  uselessBytes: 0,
});

const addUseless = (state: LeaseState, bytes: number): LeaseState =>
  bytes > 0 ? { ...state, uselessBytes: state.uselessBytes + bytes } : state;

/**
 * Adds useless bytes of a device that downloads with a fallback token, and returns what is left. A
 * spent budget begins a rest.
 */
export function spendByFallback(
  state: LeaseState,
  deviceId: string,
  bytes: number,
  packageBytes: number,
  nowMs: number,
): Decision<number> {
  if (isResting(state, nowMs)) return { next: state, result: 0 };
  const next = addUseless(state, bytes);
  const result = uselessBytesLeft(next, packageBytes);
  if (result > 0) return { next, result };
  return { next: atRest({ ...next, failures: failuresOf(next, deviceId) }, nowMs), result };
}

/** Returns the useless bytes that are left on the subnet. */
const uselessBytesLeft = (state: LeaseState, packageBytes: number): number =>
  Math.max(0, budgetOf(state, packageBytes) - state.uselessBytes);

/** Adds what the holder spent since it stated its useless bytes last. */
const afterSpending = (state: LeaseState, deviceId: string, statedBytes: number): LeaseState =>
  state.holder?.deviceId === deviceId
    ? addUseless({ ...state, statedBytes }, statedBytes - state.statedBytes)
    : state;

const budgetReason =
  "too many bytes were fetched from the web site in vain: check that it serves ranges, and that no program changes the files on the devices";
const failuresOf = ({ failures }: LeaseState, deviceId: string): LeaseState["failures"] =>
  failures.length > 0 ? failures : [{ deviceId, reason: budgetReason }];

/** Returns the length of a rest, by the number of those before it. */
const restMs = (rests: number): number =>
  Math.min(leaseFailedMsMax, leaseFailedMs * 2 ** Math.min(10, rests));

/** Returns whether every device is refused now. */
const isResting = ({ failedUntilMs, rests }: LeaseState, nowMs: number): boolean =>
  isCurrent(failedUntilMs, nowMs, restMs(rests - 1));

/** Begins a rest. */
const atRest = (state: LeaseState, nowMs: number): LeaseState => ({
  ...state,
  expiresAtMs: 0,
  failedUntilMs: nowMs + restMs(state.rests),
  restedUntilMs: nowMs + restMs(state.rests),
  rests: state.rests + 1,
  uselessBytes: 0,
});

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
    (state.failures.length > 1
      ? `${state.failures.length} of this subnet's devices failed as representative, the last one: `
      : "") + (state.failures.at(-1)?.reason ?? "no reason given").slice(0, 900),
  retryAfterMs: Math.min(failedRetryMsMax, state.failedUntilMs - nowMs),
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

/**
 * Grants, renews or refuses the lease, or answers a query.
 *
 * @param packageBytes size of the package, which gives the budget
 */
export function requestLease(
  before: LeaseState,
  deviceId: string,
  request: LeaseRequest,
  packageBytes: number,
  nowMs: number,
): Decision<LeaseResult> {
  if (isResting(before, nowMs)) return { next: before, result: failedAnswer(before, nowMs) };
  const state = afterRest(before, nowMs);
  const silentMs = nowMs - (state.expiresAtMs - leaseDurationMs);
  const isTakeover = state.holder !== null && request.term > state.holder.term && silentMs >= leaseSilentMs;
  const current = holderOf(state, nowMs);
  const isHeld = current !== null && !isTakeover;
  if (isHeld && current.deviceId !== deviceId) {
    const retryAfterMs = state.expiresAtMs - nowMs;
    return { next: before, result: { result: "refused", holder: current, retryAfterMs } };
  }
  if (request.query === true)
    return { next: before, result: { result: "free", retryAfterMs: leaseSilentMs } };
  const isSameSession = isHeld || state.holder?.term === request.term;
  const spent = isSameSession ? afterSpending(state, deviceId, request.uselessBytes) : state;
  if (!isHeld && uselessBytesLeft(spent, packageBytes) === 0) {
    const next = atRest({ ...spent, failures: failuresOf(spent, deviceId) }, nowMs);
    return { next, result: failedAnswer(next, nowMs) };
  }
  const term = isHeld ? Math.max(current.term, request.term) : request.term;
  const holder = { deviceId, address: request.address, lanPort: request.lanPort, term };
  const previous = state.holder === null || state.holder.deviceId === deviceId ? null : state.holder;
  return {
    next: { ...spent, holder, statedBytes: request.uselessBytes, expiresAtMs: nowMs + leaseDurationMs },
    result: {
      result: "granted",
      expiresInMs: leaseDurationMs,
      term,
      before: previous,
      uselessBytesLeft: uselessBytesLeft(spent, packageBytes),
    },
  };
}

/** Forgets the failures once the rest is over, and the rests after a day. */
function afterRest(state: LeaseState, nowMs: number): LeaseState {
  const rests = nowMs - state.restedUntilMs > restsForgottenMs ? 0 : state.rests;
  return state.failedUntilMs === 0
    ? { ...state, rests }
    : { ...state, rests, failures: [], failedUntilMs: 0 };
}

/** End of a lease, as its holder states it. */
type LeaseRelease = {
  /** Null when the work is done or another device does it. */
  readonly failure: string | null;
  /** Useless bytes of the device, in all its requests of the task. */
  readonly uselessBytes: number;
};

/**
 * Ends the lease of `deviceId` and records a failure. A spent budget begins a rest at once.
 *
 * @param deviceCount devices of the task on this subnet; with fewer than three, all of them must
 * fail
 */
export function releaseLease(
  before: LeaseState,
  deviceId: string,
  { failure, uselessBytes }: LeaseRelease,
  { deviceCount, packageBytes }: { readonly deviceCount: number; readonly packageBytes: number },
  nowMs: number,
): Decision<"released" | "not-held"> {
  if (before.holder?.deviceId !== deviceId || before.expiresAtMs === 0) {
    return { next: before, result: "not-held" };
  }
  const state = { ...afterSpending(before, deviceId, uselessBytes), expiresAtMs: 0 };
  if (failure === null) return { next: state, result: "released" };
  const others = state.failures.filter((one) => one.deviceId !== deviceId);
  const failed = { ...state, failures: [...others, { deviceId, reason: failure }] };
  const failuresMax = Math.max(1, Math.min(leaseFailuresMax, deviceCount));
  const isOver = failed.failures.length >= failuresMax || uselessBytesLeft(failed, packageBytes) === 0;
  return { next: isOver ? atRest(failed, nowMs) : failed, result: "released" };
}
