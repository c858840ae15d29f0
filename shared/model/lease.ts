/**
 * WAN lease of a package on a subnet: the right of one device at a time to spend WAN bytes for it.
 *
 * A lease runs for 15 s and its holder renews it every 3 s. Another device gets it when it expires.
 * A device elected for a later term gets it sooner, once the source has not received a renewal for
 * `leaseSilentMs` either. A holder that serves nobody loses it to a device that asks
 * (lease-service.ts). When several devices failed, further attempts would only cost WAN bytes: the
 * source refuses every device for a rest, then forgets the failures. The rest is five minutes, and
 * doubles each time. What one device states never begins a rest for other devices.
 *
 * The subnet has a budget of useless bytes (wan-budget.ts): WAN bytes that made no chunk verified
 * on the device that fetched them.
 *
 * Pure: state and time in, result and next state out.
 */
import {
  isUnserved,
  mustWait,
  noService,
  noteContest,
  noteEvidence,
  noteGrant,
  noteLoss,
  type LeaseService,
  type ServiceEvidence,
  type ServiceTerms,
} from "./lease-service.ts";
import { addUseless, forgive, noUselessBytes, uselessBytesLeft, type UselessBytes } from "./wan-budget.ts";

export const leaseDurationMs = 15_000;
/** One and a half renewal periods. */
export const leaseSilentMs = 4_500;
/**
 * Failed devices at which the lease is refused: three that fail alike are hardly at fault
 * themselves.
 */
const leaseFailuresMax = 3;
/** Upper bound on the failures that are kept, each of another device. */
const failuresKept = 64;
/** First time for which the lease is refused to every device; it doubles up to the last one. */
export const leaseFailedMs = 300_000;
const leaseFailedMsMax = 6 * 3_600_000;
/** Time after the end of a rest at which the next one is the first again. */
const restsForgottenMs = 24 * 3_600_000;
/** Upper bound on the delay until a refused device asks again: somebody may end the rest. */
const failedRetryMsMax = leaseFailedMs;
/**
 * Upper bound on the rise of the term in one request. An election adds one; a device that states
 * more is told the highest term that it may state, and keeps its own one on the LAN.
 */
export const termStepMax = 16;

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
  | { result: "failed"; reason: string; retryAfterMs: number }
  /** The term is too far above the known one: ask again with at most `termMax`. */
  | { result: "term-too-high"; termMax: number };

type Holder = { readonly deviceId: string; readonly address: string; readonly lanPort: number };
type LeaseFailure = {
  readonly deviceId: string;
  readonly reason: string;
  /** Whether the device has completed something before. */
  readonly isKnown: boolean;
};
/** Facts about package, subnet and setting that a decision needs. */
export type LeaseTerms = ServiceTerms & {
  readonly packageBytes: number;
  /** Whether the subnet has several devices. */
  readonly hasOthers: boolean;
};
export type LeaseState = {
  /** The last device that was granted the lease; the lease is current until `expiresAtMs`. */
  readonly holder: LeaseHolder | null;
  /** Useless bytes that the holder stated last. */
  readonly statedBytes: number;
  readonly expiresAtMs: number;
  readonly service: LeaseService;
  readonly failures: readonly LeaseFailure[];
  /** Time until which every request is refused; 0 when the failures are below the limit. */
  readonly failedUntilMs: number;
  /** Rests so far, the end of the last one, and useless bytes since then. */
  readonly rests: number;
  readonly restedUntilMs: number;
  readonly useless: UselessBytes;
};

export const noLease: LeaseState = {
  holder: null,
  statedBytes: 0,
  expiresAtMs: 0,
  service: noService,
  failures: [],
  failedUntilMs: 0,
  rests: 0,
  restedUntilMs: 0,
  useless: noUselessBytes,
};

/** Forgets failures, rests and spent bytes: an administrator has changed something. */
export const withoutFailures = (state: LeaseState): LeaseState => ({
  ...state,
  failures: [],
  failedUntilMs: 0,
  rests: 0,
  useless: noUselessBytes,
});

/**
 * Adds useless bytes of a device that downloads with a fallback token, and returns what is left for
 * that device. A spent budget begins a rest.
 */
export function spendByFallback(
  state: LeaseState,
  deviceId: string,
  bytes: number,
  terms: Pick<LeaseTerms, "packageBytes" | "hasOthers">,
  nowMs: number,
): Decision<number> {
  if (isResting(state, nowMs)) return { next: state, result: 0 };
  const next = withUseless(state, deviceId, bytes, terms, nowMs);
  const left = leftOf(next, deviceId, terms);
  if (left.ofSubnet > 0) return { next, result: left.ofDevice };
  return { next: atRest({ ...next, failures: failuresOf(next, deviceId) }, nowMs), result: 0 };
}

type Spenders = Pick<LeaseTerms, "packageBytes" | "hasOthers">;

/** Returns the useless bytes that are left to the subnet, and to one of its devices. */
const leftOf = ({ useless, rests }: LeaseState, deviceId: string, { packageBytes, hasOthers }: Spenders) =>
  uselessBytesLeft(useless, deviceId, { packageBytes, hasOthers, rests });

function withUseless(
  state: LeaseState,
  deviceId: string,
  bytes: number,
  { packageBytes, hasOthers }: Spenders,
  nowMs: number,
): LeaseState {
  const budget = { packageBytes, hasOthers, rests: state.rests };
  const before = forgive(state.useless, deviceId, budget, nowMs);
  const useless = addUseless(before, deviceId, bytes, budget, nowMs);
  return useless === state.useless ? state : { ...state, useless };
}

/** Adds what the holder spent since it stated its useless bytes last. */
const afterSpending = (
  state: LeaseState,
  deviceId: string,
  statedBytes: number,
  spenders: Spenders,
  nowMs: number,
): LeaseState =>
  state.holder?.deviceId === deviceId
    ? withUseless({ ...state, statedBytes }, deviceId, statedBytes - state.statedBytes, spenders, nowMs)
    : state;

const budgetReason =
  "too many bytes were fetched from the web site in vain: check that it serves ranges, and that no program changes the files on the devices";
const failuresOf = ({ failures }: LeaseState, deviceId: string): LeaseState["failures"] =>
  failures.length > 0 ? failures : [{ deviceId, reason: budgetReason, isKnown: false }];

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
  useless: noUselessBytes,
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
 * Grants, renews or refuses the lease, or answers a query. Takes it away from a holder that serves
 * nobody.
 */
export function requestLease(
  before: LeaseState,
  deviceId: string,
  request: LeaseRequest,
  terms: LeaseTerms,
  nowMs: number,
): Decision<LeaseResult> {
  if (isResting(before, nowMs)) return { next: before, result: failedAnswer(before, nowMs) };
  const state = afterRest(before, nowMs);
  const termMax = (state.holder?.term ?? 0) + termStepMax;
  const current = holderOf(state, nowMs);
  if (request.query === true) return { next: before, result: queryAnswer(state, deviceId, nowMs) };
  if (request.term > termMax) return { next: before, result: { result: "term-too-high", termMax } };
  if (current?.deviceId === deviceId) return grant(state, deviceId, request, terms, nowMs);
  const silentMs = nowMs - (state.expiresAtMs - leaseDurationMs);
  const isTakeover = current !== null && request.term > current.term && silentMs >= leaseSilentMs;
  if (current === null || isTakeover) {
    const isOther = state.holder !== null && state.holder.deviceId !== deviceId;
    if (!isOther) return grant(state, deviceId, request, terms, nowMs);
    const waiting = { ...state, service: noteContest(state.service, deviceId, null, nowMs) };
    if (mustWait(waiting.service, deviceId, nowMs)) return refusal(waiting, nowMs);
    return grant(state, deviceId, request, terms, nowMs);
  }
  const contested = { ...state, service: noteContest(state.service, deviceId, current.deviceId, nowMs) };
  if (!isUnserved(contested.service, { holderId: current.deviceId, by: deviceId }, terms, nowMs))
    return refusal(contested, nowMs);
  const service = noteLoss(contested.service, current.deviceId, nowMs);
  const lost = { ...contested, service, expiresAtMs: 0 };
  const raised = { ...request, term: Math.max(request.term, current.term + 1) };
  const { next, result } = grant(lost, deviceId, raised, terms, nowMs);
  // No device receives the former holder: the new one must not wait for its copy.
  return { next, result: result.result === "granted" ? { ...result, before: null } : result };
}

/** Names the last holder, also if it is current no more: the device has to wait for others. */
function refusal(state: LeaseState, nowMs: number): Decision<LeaseResult> {
  const retryAfterMs = Math.max(leaseSilentMs, state.expiresAtMs - nowMs);
  return { next: state, result: { result: "refused", holder: state.holder!, retryAfterMs } };
}

function queryAnswer(state: LeaseState, deviceId: string, nowMs: number): LeaseResult {
  const current = holderOf(state, nowMs);
  return current === null || current.deviceId === deviceId
    ? { result: "free", retryAfterMs: leaseSilentMs }
    : { result: "refused", holder: current, retryAfterMs: state.expiresAtMs - nowMs };
}

/** Grants or renews the lease, unless the device or the subnet has spent its useless bytes. */
function grant(
  state: LeaseState,
  deviceId: string,
  request: LeaseRequest,
  terms: LeaseTerms,
  nowMs: number,
): Decision<LeaseResult> {
  const isHeld = holderOf(state, nowMs)?.deviceId === deviceId;
  const isSameSession = isHeld || state.holder?.term === request.term;
  const spent = isSameSession
    ? afterSpending(state, deviceId, request.uselessBytes, terms, nowMs)
    : withUseless(state, deviceId, 0, terms, nowMs);
  const left = leftOf(spent, deviceId, terms);
  if (!isHeld && left.ofSubnet === 0) {
    const next = atRest({ ...spent, failures: failuresOf(spent, deviceId) }, nowMs);
    return { next, result: failedAnswer(next, nowMs) };
  }
  if (!isHeld && left.ofDevice === 0)
    return { next: spent, result: { result: "failed", reason: budgetReason, retryAfterMs: leaseFailedMs } };
  const isSameDevice = state.holder?.deviceId === deviceId;
  const term = isHeld ? Math.max(state.holder!.term, request.term) : request.term;
  const holder = { deviceId, address: request.address, lanPort: request.lanPort, term };
  const service = noteGrant(state.service, isSameDevice, nowMs);
  const statedBytes = request.uselessBytes;
  return {
    next: { ...spent, holder, service, statedBytes, expiresAtMs: nowMs + leaseDurationMs },
    result: {
      result: "granted",
      expiresInMs: leaseDurationMs,
      term,
      before: isSameDevice ? null : state.holder,
      uselessBytesLeft: left.ofDevice,
    },
  };
}

/** Notes what another device than the holder reports about it. */
export function noteService(
  state: LeaseState,
  holderId: string,
  evidence: ServiceEvidence,
  nowMs: number,
): LeaseState {
  if (state.holder?.deviceId !== holderId) return state;
  const service = noteEvidence(state.service, holderId, evidence, nowMs);
  return service === state.service ? state : { ...state, service };
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

/** Facts about the devices of a subnet that decide whether a failure ends the attempts. */
export type ReleaseTerms = Spenders & {
  /** Devices of the task on this subnet. */
  readonly deviceCount: number;
  /** Whether the releasing device has completed something before. */
  readonly isKnown: boolean;
};

/**
 * Ends the lease of `deviceId` and records a failure, once per device. A rest begins when three
 * devices failed that have completed something before, or when all devices of the subnet failed. A
 * spent budget begins one at once.
 */
export function releaseLease(
  before: LeaseState,
  deviceId: string,
  { failure, uselessBytes }: LeaseRelease,
  terms: ReleaseTerms,
  nowMs: number,
): Decision<"released" | "not-held"> {
  if (before.holder?.deviceId !== deviceId || before.expiresAtMs === 0) {
    return { next: before, result: "not-held" };
  }
  const state = { ...afterSpending(before, deviceId, uselessBytes, terms, nowMs), expiresAtMs: 0 };
  if (failure === null) return { next: state, result: "released" };
  const others = state.failures.filter((one) => one.deviceId !== deviceId);
  const failures = [...others, { deviceId, reason: failure, isKnown: terms.isKnown }].slice(-failuresKept);
  const failed = { ...state, failures };
  const known = failures.filter(({ isKnown }) => isKnown).length;
  const isOver =
    known >= leaseFailuresMax ||
    failures.length >= Math.max(1, terms.deviceCount) ||
    leftOf(failed, deviceId, terms).ofSubnet === 0;
  return { next: isOver ? atRest(failed, nowMs) : failed, result: "released" };
}
