/** Options of a simulated world, and the record that its parts share. */
import type { AgentTask } from "../api/schema/agent.ts";
import type { RunConditions } from "./run-conditions.ts";
import type { Crypto } from "../wire/index.ts";
import type { VirtualClock } from "./clock.ts";
import type { History } from "./history.ts";
import type { Network } from "./network.ts";
import type { Observer } from "./observer.ts";
import type { Package } from "./package.ts";
import type { Source } from "./source.ts";

/** Differences of a second setting. */
export type SecondSetting = Partial<Pick<WorldOptions, "useMulticast" | "startDelayMs" | "lanRateBps">>;

export type WorldOptions = {
  readonly seed: number;
  readonly devices: number;
  readonly subnets: number;
  readonly chunks: number;
  /** True: the last chunk is as long as the others. */
  readonly isEven: boolean;
  /** A power of two, at least 1,024. */
  readonly chunkBytes: number;
  readonly symbolBytes: number;
  readonly startDelayMs: number;
  /** Mutable, because a setting may change while sessions run. */
  useMulticast: boolean;
  /** Differences of the setting of every second device of a subnet; null: all have one. */
  readonly secondSetting?: SecondSetting | null;
  /** True: downloads pause, as with `wanRate=0`. */
  pausesDownloads: boolean;
  /** Cap on the multicast rate. It is low, so that a package of some KiB takes seconds. */
  readonly lanRateBps: number;
  /** Rate of each download from the web site. */
  readonly wanRateBps: number;
  /** True: the web site ignores Range headers and sends whole files. */
  readonly webIgnoresRange: boolean;
  /** Whether the package has a URL that answers 404, before the source. */
  readonly hasGoneUrl?: boolean;
  readonly wanFallback: "never" | "last-resort";
  readonly useDeputy: boolean;
  /** Setting `startWhenAllPresent`. */
  readonly startsWhenPresent: boolean;
  /** True: the manifest crosses the WAN once per subnet; false: devices get it from the source. */
  readonly sharesManifest: boolean;
  /** True: the task runs a command when the package is complete. */
  readonly runsCommand: boolean;
  /** True: the task upgrades the agent instead. Not drawn. */
  readonly upgradesAgent?: boolean;
  /** True: some commands fail, or end with an exit code that means busy; false: all succeed. */
  readonly drawsExitCodes: boolean;
  /** When the command begins; null: as soon as the package is complete. */
  readonly runConditions?: RunConditions | null;
  /** True: receivers have memory for two partial chunks, and spill the others to the disk. */
  readonly hasLittleMemory: boolean;
  /** Maximum error of the devices' clock rates, in thousandths. */
  readonly skewPermille: number;
  /** Longest use of a sender id; not given: that of agents. */
  readonly senderMs?: number;
  /** True: the history keeps its lines. */
  readonly log: boolean;
  /** True: the history contains a line for each frame too. */
  readonly logsFrames: boolean;
};

/** Properties of a device that its setting depends on. */
export type SettingUser = {
  readonly profile: { readonly weight: number };
  readonly hasSecondSetting: boolean;
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
  /** Returns the task with the current setting of the device. */
  readonly taskFor: (device: SettingUser) => AgentTask;
};
