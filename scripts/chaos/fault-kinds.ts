/**
 * The faults of the chaos lab: what each is, how long it may last, and how much longer healthy devices may need because of
 * it. What is done for each is in `fault-actions.ts`.
 */

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

export type FaultKindFacts = {
  readonly about: string;
  /** It befalls one device (or a site's WAN link), not a server or the LAN. */
  readonly isOfDevice: boolean;
  /** From its beginning to its end, drawn between these; null: it lasts to the end of the run. */
  readonly lastsMs: readonly [number, number] | null;
  /** Stated bound: the last healthy device needs at most so much longer than without the fault. */
  readonly waitMsMax: number;
};

/**
 * A representative that fails is silent for 3 to 3.6 s before it is given up; then come an election and the WANT of the
 * successor. A download that broke off is tried again after 0.5 to 1 s, 1 to 2 s, 2 to 4 s …
 */
export const faultKindFacts: Readonly<Record<FaultKind, FaultKindFacts>> = {
  kill: { about: "kill -9, started again", isOfDevice: true, lastsMs: [500, 4_000], waitMsMax: 8_000 },
  stop: { about: "SIGSTOP, SIGCONT", isOfDevice: true, lastsMs: [1_000, 6_000], waitMsMax: 8_000 },
  link: {
    about: "link down and up: a device's port or a site's WAN",
    isOfDevice: true,
    lastsMs: [500, 4_000],
    waitMsMax: 10_000,
  },
  move: { about: "moved to the other subnet", isOfDevice: true, lastsMs: null, waitMsMax: 8_000 },
  "source-restart": {
    about: "source killed, started again",
    isOfDevice: false,
    lastsMs: [500, 3_000],
    waitMsMax: 3_000,
  },
  "web-restart": {
    about: "web site stopped, started again",
    isOfDevice: false,
    lastsMs: [200, 2_500],
    waitMsMax: 8_000,
  },
  "web-503": { about: "web site answers 503", isOfDevice: false, lastsMs: [500, 2_500], waitMsMax: 8_000 },
  "disk-full": {
    about: "disk full (loop file system), then free again",
    isOfDevice: true,
    lastsMs: [500, 3_000],
    waitMsMax: 8_000,
  },
  "second-deployment": {
    about: "a second deployment distributes on the same subnet",
    isOfDevice: false,
    lastsMs: null,
    waitMsMax: 3_000,
  },
  intruder: { about: "junk, replays, forged frames", isOfDevice: false, lastsMs: null, waitMsMax: 3_000 },
};
