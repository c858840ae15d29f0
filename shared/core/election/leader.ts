/** Leader of a session, as other devices know it. */
import type { FrameOf } from "../../wire/frames.ts";
import type { LeaseAnswer, Sender } from "../events.ts";

/** Contents of its last announcement; zeros before the first one. */
export type Announced = {
  phase: number;
  startsAtMs: number;
  castCount: number;
  frontCount: number;
  pass: number;
  audience: number;
  rateBps: number;
  /** Size of the leader's symbols; 0: not announced. */
  symbolSizeBytes: number;
};

export type Leader = {
  readonly device: string;
  readonly term: number;
  readonly ticket: number;
  readonly address: string;
  readonly lanPort: number;
  /**
   * Sender id of the leader's frames; frames of another sender in its name are ignored. Null: only
   * the source named the leader.
   */
  readonly sender: string | null;
  /**
   * How this device knows the leader: from its announcement, its claim, the source (`lease`), or
   * answers to polls although it is no longer received (`exchange`).
   */
  known: "announce" | "claim" | "lease" | "exchange";
  readonly announced: Announced;
};

const nothingAnnounced: Readonly<Announced> = {
  phase: 0,
  startsAtMs: 0,
  castCount: 0,
  frontCount: 0,
  pass: 0,
  audience: 0,
  rateBps: 0,
  symbolSizeBytes: 0,
};

export function leaderOf(frame: FrameOf<"announce">, from: Sender, nowMs: number): Leader {
  const { device, term, ticket, phase, castCount, frontCount, pass, audience, rateBps, lanPort } = frame;
  const { symbolSizeBytes } = frame;
  const startsAtMs = nowMs + frame.startsInMs;
  const announced = { phase, startsAtMs, castCount, frontCount, pass, audience, rateBps, symbolSizeBytes };
  return { ...from, device, term, ticket, lanPort, known: "announce", announced };
}

export function claimantOf(frame: FrameOf<"claim">, from: Sender): Leader {
  const { device, term, ticket, lanPort } = frame;
  return { ...from, device, term, ticket, lanPort, known: "claim", announced: { ...nothingAnnounced } };
}

export function holderAsLeader(
  holder: Extract<LeaseAnswer, { result: "refused" }>["holder"],
  nowMs: number,
): Leader {
  const { deviceId, address, lanPort, term } = holder;
  const announced = { ...nothingAnnounced, startsAtMs: nowMs };
  return { device: deviceId, address, lanPort, term, ticket: 0, sender: null, known: "lease", announced };
}
