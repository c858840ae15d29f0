/**
 * Service of a lease's holder: a holder that other devices ask for, and that serves none of them,
 * loses the lease. A holder that no device contests keeps it.
 *
 * The evidence is what other devices report: bytes received from the holder, or its announcements
 * before the multicast starts. Its own reports do not count. A device that lost a lease waits
 * before it gets a free one. The wait doubles with each loss, and ends with bytes received from it.
 *
 * Pure: state and time in, next state out.
 */

/** Time without bytes from a contested holder from which devices received bytes before. */
export const leaseIdleMs = 30_000;
/** Time for a holder from which no other device has received anything yet. */
export const leaseUnservedMs = 20_000;
/**
 * Longest time between two requests of one contest. A device that cannot reach the holder asks
 * again within 12 s; one that is served does not ask again.
 */
const contestGapMs = 20_000;
/** Shortest interval at which evidence is stored. */
const evidenceEveryMs = 3_000;
/** Upper bound on the doublings of a time by losses. */
const doublingsMax = 4;
const lossesMax = 32;
const lossesForgottenMs = 24 * 3_600_000;

/** Requests against a holder; `against` is null for a free lease that `by` waits for. */
type Contest = {
  readonly against: string | null;
  readonly by: string;
  readonly fromMs: number;
  readonly lastMs: number;
};
type Loss = { readonly deviceId: string; readonly count: number; readonly atMs: number };

export type LeaseService = {
  /** Since when the device holds the lease, without another holder in between. */
  readonly heldFromMs: number;
  /** Time of its last grant or renewal. */
  readonly heldToMs: number;
  /** Last evidence that another device receives the holder, and bytes from it; 0: none. */
  readonly presentAtMs: number;
  readonly servedAtMs: number;
  readonly contest: Contest | null;
  readonly losses: readonly Loss[];
};

export const noService: LeaseService = {
  heldFromMs: 0,
  heldToMs: 0,
  presentAtMs: 0,
  servedAtMs: 0,
  contest: null,
  losses: [],
};

/** Parts of the task's setting that explain why a holder sends nothing. */
export type ServiceTerms = {
  readonly startDelayMs: number;
  readonly reportIntervalMs: number;
  /** Whether the WAN schedule pauses the download now. */
  readonly isPaused: boolean;
};

/** Evidence of another device about the holder, as ages; null: none. */
export type ServiceEvidence = { readonly presentAgoMs: number | null; readonly servedAgoMs: number | null };

/** Notes a grant or a renewal. */
export function noteGrant(state: LeaseService, isSameDevice: boolean, nowMs: number): LeaseService {
  const continues = isSameDevice && isWithin(state.heldToMs, nowMs, contestGapMs);
  if (continues) return { ...state, heldToMs: nowMs };
  const contest = isSameDevice ? state.contest : null;
  return { ...state, heldFromMs: nowMs, heldToMs: nowMs, presentAtMs: 0, servedAtMs: 0, contest };
}

/** Notes what another device reports about the holder. Returns `state` where that is known. */
export function noteEvidence(
  state: LeaseService,
  holderId: string,
  { presentAgoMs, servedAgoMs }: ServiceEvidence,
  nowMs: number,
): LeaseService {
  const atMs = (agoMs: number | null): number => (agoMs === null ? 0 : nowMs - agoMs);
  const isNews = (beforeMs: number, newMs: number): boolean =>
    newMs >= state.heldFromMs && (newMs >= beforeMs + evidenceEveryMs || beforeMs > nowMs);
  const [presentMs, servedMs] = [atMs(presentAgoMs), atMs(servedAgoMs)];
  if (!isNews(state.presentAtMs, presentMs) && !isNews(state.servedAtMs, servedMs)) return state;
  const isServed = isNews(state.servedAtMs, servedMs);
  return {
    ...state,
    presentAtMs: isNews(state.presentAtMs, presentMs) ? presentMs : state.presentAtMs,
    servedAtMs: isServed ? servedMs : state.servedAtMs,
    losses: isServed ? state.losses.filter(({ deviceId }) => deviceId !== holderId) : state.losses,
  };
}

/** Notes that a device asks for a lease that `against` holds; null: for a free one. */
export function noteContest(
  state: LeaseService,
  by: string,
  against: string | null,
  nowMs: number,
): LeaseService {
  const { contest } = state;
  const continues =
    contest !== null && contest.against === against && isWithin(contest.lastMs, nowMs, contestGapMs);
  if (!continues) return { ...state, contest: { against, by, fromMs: nowMs, lastMs: nowMs } };
  return { ...state, contest: { ...contest, lastMs: nowMs } };
}

/** Whether the contested holder has served nobody for long enough to lose the lease to `by`. */
export function isUnserved(
  state: LeaseService,
  { holderId, by }: { readonly holderId: string; readonly by: string },
  { startDelayMs, reportIntervalMs, isPaused }: ServiceTerms,
  nowMs: number,
): boolean {
  const { contest } = state;
  if (isPaused || contest?.against !== holderId) return false;
  // A time ahead of the clock was noted before the clock was set back.
  const past = (atMs: number): number => (atMs > nowMs ? 0 : atMs);
  const heldFromMs = past(state.heldFromMs);
  const [presentAtMs, servedAtMs] = [past(state.presentAtMs), past(state.servedAtMs)];
  const isServed = servedAtMs > 0;
  const isPresent = isServed || presentAtMs > 0;
  // A holder that somebody receives may be in the start delay. One that nobody receives is absent.
  const expectedFromMs = isPresent ? heldFromMs + startDelayMs : heldFromMs;
  const sinceMs = Math.max(contest.fromMs, servedAtMs, expectedFromMs);
  const timeMs = Math.max(isServed ? leaseIdleMs : leaseUnservedMs, 2 * reportIntervalMs);
  return nowMs - sinceMs >= timeMs * 2 ** contestDoublings(state, { holderId, by }, nowMs);
}

/**
 * Doublings of the time of a contest. A device that lost the lease more often than the holder needs
 * four times as long, which is enough for a download of a minute. Of devices that take it from each
 * other in turn, each keeps it longer and longer, so that a slow WAN is enough for a chunk.
 */
function contestDoublings(
  state: LeaseService,
  { holderId, by }: { readonly holderId: string; readonly by: string },
  nowMs: number,
): number {
  const [own, others] = [lossesOf(state, by, nowMs), lossesOf(state, holderId, nowMs)];
  const turns = Math.floor(Math.min(own, others) / 2);
  return Math.min(doublingsMax, 2 * Math.max(0, own - others) + turns);
}

/** Notes that the holder lost the lease. */
export function noteLoss(state: LeaseService, holderId: string, nowMs: number): LeaseService {
  const count = lossesOf(state, holderId, nowMs) + 1;
  const others = state.losses.filter(({ deviceId }) => deviceId !== holderId);
  const losses = [...others, { deviceId: holderId, count, atMs: nowMs }].slice(-lossesMax);
  return { ...state, losses, contest: null };
}

/** Whether a device that lost the lease has to wait for other devices before it gets a free one. */
export function mustWait(state: LeaseService, deviceId: string, nowMs: number): boolean {
  const losses = lossesOf(state, deviceId, nowMs);
  if (losses === 0) return false;
  const { contest } = state;
  const waitsFromMs = contest?.against === null && contest.by === deviceId ? contest.fromMs : nowMs;
  return nowMs - waitsFromMs < leaseUnservedMs * 2 ** Math.min(doublingsMax, losses - 1);
}

const lossesOf = ({ losses }: LeaseService, id: string, nowMs: number): number => {
  const loss = losses.find(({ deviceId }) => deviceId === id);
  return loss && isWithin(loss.atMs, nowMs, lossesForgottenMs) ? loss.count : 0;
};

/** False for a time ahead of the clock, which was set back then. */
const isWithin = (atMs: number, nowMs: number, forMs: number): boolean =>
  nowMs >= atMs && nowMs - atMs <= forMs;
