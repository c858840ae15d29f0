/**
 * Timers of the LAN protocol, in milliseconds unless the name has another unit, each with its
 * reason. docs/PROTOCOL.md, "Timers", lists the same names and values; timing.test.ts compares the
 * two.
 */
export const timing = {
  /** Interval of ANNOUNCE. At 10 % loss, three losses in a row happen once in a thousand. */
  announceEveryMs: 1_000,
  /** Silent announcement periods after which a peer suspects its representative. */
  silentPeriodsMax: 3,
  /**
   * Random part of the suspicion, so that peers do not all start an election in the same
   * millisecond.
   */
  silenceJitterMs: 600,
  /**
   * Lateness of a timer that means that the device slept or stalled. It may have missed
   * announcements, so it does not suspect others.
   */
  stallMs: 750,
  /** Minimum time that a candidate listens: the answer to SEEK comes within `answerDelayMsMax`. */
  listenMs: 250,
  /** Interval of SEEK while a candidate listens. */
  seekRepeatMs: 400,
  /** Back-off of the worst rank on top of listening; the best rank does not wait. */
  rankWindowMs: 600,
  /** Random part of the back-off, within one rank. */
  rankJitterMs: 150,
  /** Additional back-off on battery or VPN: such a device claims only when no other did by then. */
  lastChoiceDelayMs: 8_000,
  /** Without a lease, time without a better claim after which a claim wins. */
  claimSettleMs: 250,
  /** Time within which a claimant has to announce before its followers give it up. */
  claimantSilentMs: 5_000,
  /** Time without an answer of the source after which the local election decides alone. */
  leaseTimeoutMs: 4_000,
  /**
   * A fifth of the lease's 15 s. After one and a half missed renewals a successor of a later term
   * may get the lease.
   */
  leaseRenewMs: 3_000,
  /**
   * Interval at which a device that may never lead asks the source for the leader, in case it
   * cannot receive that device.
   */
  leaseQueryMs: 3_000,
  /** Interval of requests while the lease still names the failed representative. */
  leaseRetryMs: 700,
  /** Maximum delay of the answer to SEEK, so that one answer serves several devices. */
  answerDelayMsMax: 60,
  /** Wait from WANT for HAVE, before chunks that no device offered are downloaded over the WAN. */
  haveWaitMs: 600,
  /** The wait of a successor: what other devices hold must not cross the WAN again. */
  successorWaitMs: 1_000,
  /** The wait without multicast, where peers state what they hold only when they poll. */
  pollWaitMs: 2_500,
  /** Interval at which a peer on unicast polls its representative. */
  pollEveryMs: 700,
  /** Maximum random delay of HAVE, so that one answer suppresses the others. */
  feedbackDelayMsMax: 120,
  /**
   * During the multicast, a chunk held for this long that could not be sent yet is entrusted.
   */
  sendLagMs: 250,
  /**
   * A multicast that has not caught up with the download for this long is slower than the WAN, not
   * held up.
   */
  heldUpMs: 3_000,
  /** Minimum interval of ENTRUST. */
  standbyEveryMs: 100,
  /**
   * Validity of an ENTRUST: the standby fetches the named chunks, and polls every `pollEveryMs`.
   */
  standbyChunksMs: 2_000,
  /** Time without progress after which a standby is replaced. */
  standbyIdleMs: 3_000,
  /**
   * Maximum random delay of NEED: a constant and a part per device of the audience, up to
   * `needDelayMsMax`.
   */
  needDelayMsMin: 20,
  needDelayPerDeviceMs: 1,
  needDelayMsMax: 300,
  /**
   * Time that a representative collects NEEDs beyond their maximum delay, before it answers with
   * the largest counts.
   */
  needMarginMs: 20,
  /** Interval of END while a representative multicasts. */
  endEveryMs: 400,
  /**
   * Interval of END after fewer than `endFewSymbols` symbols: for so short a pass the NEEDs of many
   * peers cost more than the repairs save.
   */
  endSeldomMs: 1_000,
  /** Symbols below which `endSeldomMs` applies. */
  endFewSymbols: 512,
  /**
   * Symbols of at most 1,400 bytes after which an END follows early, so that partial chunks fit a
   * receiver's memory at any rate. Fewer of longer symbols count as many.
   */
  endEverySymbols: 2_048,
  /**
   * Intervals of END while there is currently nothing to send, and when nothing more will follow.
   */
  endPausedMs: 150,
  endLastMs: 25,
  /** Time after which an unanswered NEED is sent again. */
  needRepeatMs: 600,
  /**
   * Minimum interval of a receiver's reports. Of a large audience, `reportersMax` receivers on
   * average report.
   */
  reportEveryMs: 250,
  /**
   * Silence after which a representative asks a device whether it is still there: a constant, and a
   * part for each device of the audience.
   */
  askSilentMs: 5_000,
  askSilentPerDeviceMs: 50,
  /** Time for the answer to ASK, and the number of ASKs before a device is forgotten. */
  askEveryMs: 1_000,
  asksMax: 3,
  /** Repetitions of a NEED without a new chunk. */
  needRepeatsMax: 4,
  /**
   * Time without a NEED, after everything was sent, after which the session ends. Devices with
   * missing symbols then fetch whole chunks from holders.
   *
   * A much shorter time would miss the NEEDs of busy receivers: each would fetch by unicast what
   * one repair symbol repairs for all.
   */
  quietMs: 900,
  /** Time that a representative stays after the end, for latecomers. */
  serveMs: 8_000,
  /** Interval of WANT while chunks are missing. */
  wantEveryMs: 2_000,
  /**
   * Time for which a candidate that receives nobody lets others go first, once: it may be the only
   * device that multicast does not reach.
   */
  isolationDelayMs: 600,
  /**
   * Time without an announcement of the lease's holder, which announces every second, after which
   * multicast counts as not working here.
   */
  unheardMs: 1_500,
  /**
   * Time with announcements but no symbols, or unseen by the representative, after which multicast
   * counts as not working here.
   */
  dataMissingMs: 3_000,
  /**
   * Wait before multicast is tried again where announcements arrive without symbols. It doubles
   * with every attempt.
   */
  multicastRetryMs: 30_000,
  /**
   * Time in which repairs complete no chunk of a device after everything was multicast. Applies to
   * rates of 4 Mbit/s and more.
   */
  stuckMs: 20_000,
  /**
   * Time without bytes or an answer of the representative's exchange after which a peer asks for
   * the lease again.
   */
  unreachableMs: 8_000,
  /**
   * Time without any path to the bytes after which a device downloads for itself, if the setting
   * allows it.
   */
  fallbackMs: 60_000,
  /** Interval at which the fallback token is renewed: a third of its 60 s. */
  fallbackRenewMs: 20_000,
  /** Time for which a device that failed as representative lets others go first. */
  failedCooldownMs: 60_000,
} as const;

/** Upper bound on NEED frames sent at one time; the rest waits for the next END. */
export const needFramesMax = 4;
/**
 * NEEDs of other peers since an END after which a peer keeps its own for the next one: bounds the
 * feedback.
 */
export const peerNacksMax = 64;
/**
 * Upper bound on chunks that a peer takes for lost together with their END. A peer that misses more
 * was not listening when they were sent.
 */
export const lostChunksMax = (chunkCount: number): number => Math.max(8, Math.floor(chunkCount / 16));
/** Receivers that report after an END, on average. */
export const reportersMax = 16;

/**
 * `timing.stuckMs`, longer below 4 Mbit/s where repairs take longer: 4 MiB last 8 s at 4 Mbit/s.
 */
export const stuckMs = (rateBps: number): number =>
  timing.stuckMs * Math.max(1, 4_000_000 / Math.max(1, rateBps));

/**
 * Maximum random delay of a NEED. It grows with the audience, so that one NEED suppresses many
 * others.
 */
export const needDelayMs = (audience: number): number =>
  Math.min(timing.needDelayMsMax, timing.needDelayMsMin + timing.needDelayPerDeviceMs * audience);
/** Time from the first NEED to its answer. */
export const needWindowMs = (audience: number): number => needDelayMs(audience) + timing.needMarginMs;
