/**
 * Every timer of the LAN protocol: milliseconds, with the reason. `docs/PROTOCOL.md` lists the same table.
 */
export const timing = {
  /** A representative speaks this often: three losses in a row at 10 % loss happen once in a thousand. */
  announceEveryMs: 1_000,
  /** So many silent announcement periods and a peer suspects its representative. */
  suspicionPeriods: 3,
  /** Random part of the suspicion, so that peers do not all begin an election in the same millisecond. */
  suspicionJitterMs: 600,
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
  /** Most that HAVE and NEED are delayed: random, so that one answer can silence the others. */
  feedbackDelayMsMax: 120,
  /** Collects NEEDs before it answers with the largest. */
  needWindowMs: 150,
  /** While it multicasts, a representative asks for needs this often. */
  endEveryMs: 400,
  /** The same when there is nothing to send at the moment. */
  endLastMs: 100,
  /** NEED unanswered: say it again. */
  needRepeatMs: 1_200,
  needRepeatsMax: 4,
  /** Nothing asked for this long after everything was sent: the session ends. */
  quietMs: 900,
  /** After the end, a representative stays for latecomers. */
  serveMs: 8_000,
  /** WANT again while parts are still missing. */
  wantEveryMs: 2_000,
  /** Announcements come, symbols do not, or the lease's holder is not heard: multicast does not work here. */
  deafMs: 3_000,
  /** The representative does not answer over HTTP either: ask for the lease again. */
  unreachableMs: 8_000,
  /** A session without a way to the bytes: then, if the setting allows it, this device's own download. */
  fallbackMs: 60_000,
  /** A device that failed as representative lets others go first. */
  failedCooldownMs: 60_000,
} as const;

/** Frames of NEED at one time; what is left over waits for the next END. */
export const needFramesMax = 4;
