/**
 * Stages of a candidate, and every legal change between them. docs/PROTOCOL.md has the same table;
 * a test compares the two.
 */
import { checkedBy, type Transitions } from "../../model/transitions.ts";
import type { Leader } from "./leader.ts";

/** Best rival claim received while the source decides. It wins if the source is unreachable. */
type Rival = Leader | null;

export type CandidateStage =
  /** Waits for other devices, then claims. `mayBeIsolated`: its extra wait was not used yet. */
  | { readonly kind: "listening"; readonly claimAtMs: number; readonly mayBeIsolated: boolean }
  /**
   * Weight 0, or a guard: does not claim, and asks the source who leads. `isGuarded`: a guard alone
   * keeps the device from claiming.
   */
  | { readonly kind: "observing"; readonly queriedAtMs: number; readonly isGuarded: boolean }
  /** Has claimed, and waits for the source's answer about the lease. */
  | {
      readonly kind: "requesting";
      readonly requestedAtMs: number;
      readonly settlesAtMs: number;
      readonly rival: Rival;
    }
  | { readonly kind: "granted" }
  /** The source is unreachable: the local election decides once the claim has settled. */
  | { readonly kind: "unconfirmed"; readonly settlesAtMs: number }
  /** The source names a representative that this device gave up: it asks again. */
  | {
      readonly kind: "refused";
      readonly requestedAtMs: number;
      readonly settlesAtMs: number;
      readonly rival: Rival;
    };

export const candidateTransitions = {
  listening: ["listening", "requesting"],
  observing: ["observing"],
  requesting: ["requesting", "granted", "unconfirmed", "refused"],
  granted: [],
  unconfirmed: ["granted", "unconfirmed", "refused"],
  refused: ["requesting", "granted", "unconfirmed", "refused"],
} as const satisfies Transitions<CandidateStage["kind"]>;

export const nextCandidateStage = checkedBy<CandidateStage>("candidate", candidateTransitions);

export const hasClaimed = ({ kind }: CandidateStage): boolean => kind !== "listening" && kind !== "observing";
