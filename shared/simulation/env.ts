/** What all parts of one simulated world share. */
import type { VirtualClock } from "./clock.ts";
import type { Crypto } from "../wire/index.ts";
import type { Checks } from "./checks.ts";
import type { Content } from "./content.ts";
import type { History } from "./history.ts";
import type { Machine } from "./machine.ts";
import type { Network } from "./network.ts";
import type { Source } from "./source.ts";
import type { Keys } from "./voice.ts";

/** Breaks something on purpose, to see that the checkers find it. */
export const mutations = [
  "accept-unverified",
  "skip-lease",
  "reuse-nonce",
  "forget-ledger",
  "never-step-down",
  "all-deputies",
] as const;
export type Mutation = (typeof mutations)[number];

export type WorldOptions = {
  readonly seed: number;
  readonly devices: number;
  readonly subnets: number;
  readonly chunks: number;
  readonly chunkBytes: number;
  readonly symbolBytes: number;
  readonly startDelayMs: number;
  /** The setting may change while sessions run. */
  useMulticast: boolean;
  /** Cap of the multicast's rate; small packages need a small one to take seconds. */
  readonly lanRateBps: number;
  /** Of the line to the web site, for each download. */
  readonly wanRateBps: number;
  readonly wanFallback: "never" | "last-resort";
  readonly useDeputy: boolean;
  /** Clocks run up to so many thousandths too fast or too slow. */
  readonly skewPermille: number;
  /** Keep the history's lines. */
  readonly log: boolean;
  /** The history tells what devices say, too. */
  readonly talk: boolean;
  readonly mutation: Mutation | null;
};

export type Env = {
  readonly options: WorldOptions;
  readonly clock: VirtualClock;
  readonly history: History;
  readonly network: Network;
  readonly source: Source;
  readonly content: Content;
  readonly crypto: Crypto;
  readonly keys: Keys;
  readonly checks: Checks;
  readonly machines: readonly Machine[];
};
