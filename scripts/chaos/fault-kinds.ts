/**
 * Kinds of faults of the chaos lab, as words of `--fault`: the fault behind each word, how long it
 * may last, and how much longer healthy devices may need. `fault-actions.ts` injects them.
 */
import type { FaultName } from "../../shared/model/fault.ts";

export const faultKinds = [
  "kill",
  "stop",
  "link",
  "move",
  "source-restart",
  "web-restart",
  "web-503",
  "disk-full",
  "second-deployment",
  "intruder",
] as const;
export type FaultKind = (typeof faultKinds)[number];

const namesOfKinds = {
  kill: "crash",
  stop: "stall",
  link: "port-down",
  move: "roam",
  "source-restart": "source-restart",
  "web-restart": "web-restart",
  "web-503": "web-errors",
  "disk-full": "disk-full",
  "second-deployment": "second-deployment",
  intruder: "intruder",
} as const satisfies Record<FaultKind, FaultName>;

/** Name of a drawn fault. The kind `link` has two: a device's port or the WAN link of a site. */
export const faultNameOf = ({ kind, whom }: { readonly kind: FaultKind; readonly whom: string }) =>
  kind === "link" && whom === "wan" ? "line-cut" : namesOfKinds[kind];

type FaultKindFacts = {
  readonly about: string;
  /** Bounds of the duration, which is drawn; null: the fault lasts to the end of the run. */
  readonly lastsMs: readonly [number, number] | null;
  /** Stated bound on how much longer the last healthy device needs because of the fault. */
  readonly waitMsMax: number;
};

/**
 * A failed representative is silent for 3 to 3.6 s before the failure detector of its peers gives
 * it up. An election and the WANT of the successor follow. A broken download is tried again after
 * 0.5 to 1 s, 1 to 2 s, 2 to 4 s and so on.
 */
export const faultKindFacts: Readonly<Record<FaultKind, FaultKindFacts>> = {
  kill: { about: "kill -9, started again", lastsMs: [500, 4_000], waitMsMax: 8_000 },
  stop: { about: "SIGSTOP, SIGCONT", lastsMs: [1_000, 6_000], waitMsMax: 8_000 },
  link: {
    about: "link down and up: a device's port or a site's WAN",
    lastsMs: [500, 4_000],
    waitMsMax: 10_000,
  },
  move: { about: "moved to the other subnet", lastsMs: null, waitMsMax: 8_000 },
  "source-restart": {
    about: "source killed, started again",
    lastsMs: [500, 3_000],
    waitMsMax: 3_000,
  },
  "web-restart": {
    about: "web site stopped, started again",
    lastsMs: [200, 2_500],
    waitMsMax: 8_000,
  },
  "web-503": { about: "web site answers 503", lastsMs: [500, 2_500], waitMsMax: 8_000 },
  "disk-full": {
    about: "disk full (loop file system), then free again",
    lastsMs: [500, 3_000],
    waitMsMax: 8_000,
  },
  "second-deployment": {
    about: "a second deployment distributes on the same subnet",
    lastsMs: null,
    waitMsMax: 3_000,
  },
  intruder: { about: "junk, replays, forged frames", lastsMs: null, waitMsMax: 3_000 },
};
