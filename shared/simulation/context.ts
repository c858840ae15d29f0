/** What the parts of one simulated world share. */
import type { AgentTask } from "../api/schema/agent.ts";
import type { Crypto } from "../wire/index.ts";
import type { VirtualClock } from "./clock.ts";
import type { History } from "./history.ts";
import type { Network } from "./network.ts";
import type { Observer } from "./observer.ts";
import type { Package } from "./package.ts";
import type { Source } from "./source.ts";

export type WorldOptions = {
  readonly seed: number;
  readonly devices: number;
  readonly subnets: number;
  readonly chunks: number;
  /** The last chunk is as long as the others. */
  readonly isEven: boolean;
  /** A power of two from 1,024 on. */
  readonly chunkBytes: number;
  readonly symbolBytes: number;
  readonly startDelayMs: number;
  /** The setting may change while sessions run. */
  useMulticast: boolean;
  /** Downloads pause: the setting wanRate is 0. */
  pausesDownloads: boolean;
  /** Cap of the multicast's rate; small packages need a small one to take seconds. */
  readonly lanRateBps: number;
  /** Rate of the line to the web site, for each download. */
  readonly wanRateBps: number;
  readonly webIgnoresRange: boolean;
  readonly wanFallback: "never" | "last-resort";
  readonly useDeputy: boolean;
  /** The task runs a command when the package is complete. */
  readonly runsCommand: boolean;
  /** Receivers have memory for few partial chunks: the others are spilled to the disk. */
  readonly hasLittleMemory: boolean;
  /** Clocks run up to this share too fast or too slow, in thousandths. */
  readonly skewPermille: number;
  /** The history keeps its lines. */
  readonly log: boolean;
  /** The history contains frames too. */
  readonly logsFrames: boolean;
};

export type Context = {
  readonly options: WorldOptions;
  readonly clock: VirtualClock;
  readonly history: History;
  readonly network: Network;
  readonly source: Source;
  readonly package: Package;
  readonly crypto: Crypto;
  readonly observer: Observer;
  /** The task as the source gives it at present. @param weight of the device as representative */
  readonly taskFor: (weight: number) => AgentTask;
};
