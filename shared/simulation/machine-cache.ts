/** The real cache of a simulated machine: its package files on the machine's disk and ledger. */
import { DistributionCache } from "../cache/index.ts";
import type { Clock } from "../model/clock.ts";
import { dataFolder } from "./layout.ts";
import type { Machine } from "./machine.ts";

/** @param sleep waits while the disk works */
export const cacheOf = (
  { disk, ledger, random }: Machine,
  clock: Clock,
  sleep: (delayMs: number) => Promise<void>,
): DistributionCache =>
  new DistributionCache(
    { dir: dataFolder, maxBytes: null, maxAgeMs: null, clock, log: () => {} },
    { files: disk.filesFor({ sleep, random }), ledger, unlock: () => {} },
  );
