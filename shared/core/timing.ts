/**
 * Every timer of the LAN protocol: milliseconds, with the reason. `docs/PROTOCOL.md` lists the same table.
 */
export const timing = {
  /** A representative speaks this often: three losses in a row at 10 % loss happen once in a thousand. */
  announceEveryMs: 1_000,
  /** So many silent announcement periods and a peer suspects its representative. */
  silentPeriodsMax: 3,
  /** Random part of the suspicion, so that peers do not all begin an election in the same millisecond. */
  silenceJitterMs: 600,
  /** A timer that fires later than this was not late by chance: the device slept or stalled, and doubts itself. */
  stallMs: 750,
  /** A candidate listens this long at least: an answer to SEEK comes within `answerDelayMsMax`. */
  listenMs: 250,
  seekRepeatMs: 400,
  /** The worst rank waits this long on top of listening, the best not at all. */
  rankWindowMs: 600,
  /** Random part within the same rank. */
  rankJitterMs: 150,
  /** On battery or VPN: stands only when nobody else did by then. */
  lastChoiceDelayMs: 8_000,
  /** Without a lease a claim stands when no better one was heard for this long. */
  claimSettleMs: 250,
  /** A claimant that was heard but does not announce within this time is forgotten. */
  claimantSilentMs: 5_000,
  /** The source did not answer: the local election alone decides. */
  leaseTimeoutMs: 4_000,
  /** A fifth of the lease's 15 s; after one and a half missed, a successor of a later term may have it. */
  leaseRenewMs: 3_000,
  /** A device that may never lead asks the source who does, in case it cannot hear it. */
  leaseQueryMs: 3_000,
  /** A candidate whose representative is dead asks again while the lease still names the dead one. */
  leaseRetryMs: 700,
  /** Most that an answer to SEEK waits, to fall together with others. */
  answerDelayMsMax: 60,
  /** From a WANT on, so long for HAVE to come before the WAN is used for what nobody offered. */
  haveWaitMs: 600,
  /** The same for a successor: whatever the others hold must not cross the WAN again. */
  successorWaitMs: 1_000,
  /** The same where multicast is off and peers say what they hold when they poll. */
  pollWaitMs: 2_500,
  /** Polls of the representative by a peer that takes chunks by unicast. */
  pollEveryMs: 700,
  /** Most that HAVE is delayed: random, so that one answer can silence the others. */
  feedbackDelayMsMax: 120,
  /** While it multicasts, a representative entrusts what it has held so long and could not send yet. */
  sendLagMs: 250,
  /** A multicast that has not caught up with the download for so long is slower, not held up. */
  heldUpMs: 3_000,
  /** A representative entrusts what only it holds this often at most. */
  standbyEveryMs: 100,
  /** A deputy keeps to what it was told for so long; it polls every `pollEveryMs`. */
  standbyChunksMs: 2_000,
  /** A deputy that took nothing for so long is replaced. */
  standbyIdleMs: 3_000,
  /** NEED is delayed at random, up to so much and so much for each device of the audience. */
  needDelayMsMin: 20,
  needDelayPerDeviceMs: 1,
  needDelayMsMax: 300,
  /** A representative collects NEEDs so much longer than they are delayed before it answers with the largest. */
  needMarginMs: 20,
  /** While it multicasts, a representative asks for needs this often … */
  endEveryMs: 400,
  /** … less often while it has sent fewer symbols: what many peers say about them weighs more than the symbols it mends … */
  endSeldomMs: 1_000,
  endFewSymbols: 512,
  /** … or when it has sent so much, so that half-received chunks stay within a receiver's memory at any rate. */
  endEverySymbols: 2_048,
  /** The same when there is nothing to send at the moment, and when there will be nothing more. */
  endPausedMs: 150,
  endLastMs: 25,
  /** NEED unanswered: say it again. */
  needRepeatMs: 600,
  /** A receiver reports its loss at most this often, and so many receivers at one time on average. */
  reportEveryMs: 250,
  needRepeatsMax: 4,
  /**
   * Nothing asked for this long after everything was sent: the session ends, and who lacks something takes whole chunks
   * from others. Much sooner, the NEEDs of busy receivers come too late, and each would take by unicast what one
   * repair symbol mends for all.
   */
  quietMs: 900,
  /** After the end, a representative stays for latecomers. */
  serveMs: 8_000,
  /** WANT again while parts are still missing. */
  wantEveryMs: 2_000,
  /** A candidate that hears nobody lets others go first for so long: it may be the only one that multicast does not reach. */
  isolationDelayMs: 600,
  /** The lease's holder, which announces every second, is not heard: multicast does not work here. */
  unheardMs: 1_500,
  /** Announcements come, symbols do not; or the representative does not hear this device: the same. */
  dataMissingMs: 3_000,
  /** Where announcements come without symbols, multicast is tried again after this, after twice as long the next time … */
  multicastRetryMs: 30_000,
  /** All was multicast, repairs go on and on, and no chunk of this device was completed by them: at 4 Mbit/s and more. */
  stuckMs: 20_000,
  /** The representative does not answer over HTTP either: ask for the lease again. */
  unreachableMs: 8_000,
  /** A session without a way to the bytes: then, if the setting allows it, this device's own download. */
  fallbackMs: 60_000,
  /** The source's token for that download is asked for anew: a third of its 60 s. */
  fallbackRenewMs: 20_000,
  /** A device that failed as representative lets others go first. */
  failedCooldownMs: 60_000,
} as const;

/** Frames of NEED at one time; what is left over waits for the next END. */
export const needFramesMax = 4;
/** NEEDs of others heard since an END, and a peer leaves its own for the next one: feedback has a bound. */
export const peerNacksMax = 64;
/** Chunks of a package of so many that a peer takes for lost with their END, and not for sent before it listened. */
export const lostChunksMax = (chunkCount: number): number => Math.max(8, Math.floor(chunkCount / 16));
/** Receivers that report their loss after an END, on average. */
export const reportersMax = 16;

/** Repairs at lower rates take longer: 4 MiB last 8 s at 4 Mbit/s. */
export const stuckMs = (rateBps: number): number =>
  timing.stuckMs * Math.max(1, 4_000_000 / Math.max(1, rateBps));

/** Longest random delay of a NEED: grows with the audience, so that one answer can silence many others. */
export const needDelayMs = (audience: number): number =>
  Math.min(timing.needDelayMsMax, timing.needDelayMsMin + timing.needDelayPerDeviceMs * audience);
/** From the first NEED to the answer. */
export const needWindowMs = (audience: number): number => needDelayMs(audience) + timing.needMarginMs;
