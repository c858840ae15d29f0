/** Ends of a session: some time after its last use, and at a fixed time after its begin. */
import type { SessionRecord } from "../catalog/index.ts";

const idleMs = 30 * 60_000;
export const sessionMsMax = 12 * 3_600_000;
/** Interval of the writes that note a use. */
export const noteUseMs = 60_000;

type Times = Pick<SessionRecord, "beganAtMs" | "usedAtMs">;

export const endsAtMs = ({ beganAtMs }: Times): number => beganAtMs + sessionMsMax;
export const idleEndsAtMs = ({ usedAtMs }: Times): number => usedAtMs + idleMs;
export const hasEnded = (session: Times, nowMs: number): boolean =>
  nowMs >= Math.min(endsAtMs(session), idleEndsAtMs(session));

/** Returns the times since which a session was used, and began, if it has not ended. */
export const lifeSince = (nowMs: number) =>
  ({ usedSinceMs: nowMs - idleMs, begunSinceMs: nowMs - sessionMsMax }) as const;
