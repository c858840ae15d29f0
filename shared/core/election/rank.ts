/**
 * Election back-off: how well a device would serve its subnet as representative, and how long it
 * therefore waits before its claim. Ranks are never exchanged, so a device with a wrong rank costs
 * a little time and nothing else.
 */
import { assert } from "../../model/assert.ts";
import { timing } from "../timing.ts";

export type RankInputs = {
  /**
   * Share of the package already verified here, 0 … 1. A representative that holds it saves the
   * WAN.
   */
  cachedShare: number;
  deviceClass: "server" | "desktop" | "laptop" | "unknown";
  medium: "wired" | "wireless" | "vpn" | "other";
  onBattery: boolean;
  /** Load, from 0 (idle) to 1 (all processors busy). */
  load: number;
  /** Free disk after the package, as a share of the package, capped at 1. */
  diskShare: number;
  /**
   * Setting `representativeWeight`: 0 never leads, 100 leads first, 50 leaves the rank as it is.
   */
  weight: number;
  /** Started as a representative: always has the best rank. */
  volunteer: boolean;
};

/** `never` does not claim at all; `last` claims only when no other device did. */
export type Rank = { kind: "score"; score: number } | { kind: "last" } | { kind: "never" };

const classScore = { server: 61, desktop: 50, laptop: 40, unknown: 40 } as const;
const wirelessScore = 30;

/** Returns the rank of a device; a score of 0 is the worst, 1 the best. */
export function rankOf(inputs: RankInputs): Rank {
  if (inputs.volunteer) return { kind: "score", score: 1 };
  if (inputs.weight === 0) return { kind: "never" };
  if (inputs.onBattery || inputs.medium === "vpn") return { kind: "last" };
  if (inputs.weight === 100) return { kind: "score", score: 1 };
  const base =
    inputs.medium === "wireless"
      ? Math.min(wirelessScore, classScore[inputs.deviceClass])
      : classScore[inputs.deviceClass];
  const fitness = (base / 61) * (1 - 0.3 * clamp(inputs.load)) * (0.7 + 0.3 * clamp(inputs.diskShare));
  const own = 0.7 * clamp(inputs.cachedShare) + 0.3 * fitness;
  assert(inputs.weight > 0 && inputs.weight < 100, "a weight of 0 or 100 has a rank of its own");
  return { kind: "score", score: clamp(own + (inputs.weight - 50) / 100) };
}

/**
 * Returns the back-off in milliseconds on top of listening; null: no claim.
 * @param random 0 … 1
 */
export function claimDelayMs(rank: Rank, random: number): number | null {
  assert(random >= 0 && random <= 1, "a random number is not from 0 to 1");
  const jitterMs = random * timing.rankJitterMs;
  switch (rank.kind) {
    case "never":
      return null;
    case "last":
      return timing.lastChoiceDelayMs + timing.rankWindowMs + jitterMs;
    case "score":
      assert(rank.score >= 0 && rank.score <= 1, "a score is not from 0 to 1");
      return (1 - rank.score) * timing.rankWindowMs + jitterMs;
  }
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share));
