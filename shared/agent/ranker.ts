/**
 * Measures the inputs of this device's rank for elections. Power source and free disk space are
 * slow to query, so they are measured at most once a minute.
 */
import { statfsSync } from "node:fs";
import os from "node:os";
import { rankOf, type Rank, type RankInputs } from "../core/election/rank.ts";
import type { Medium } from "../model/interface.ts";
import { deviceClass, onBattery } from "./inventory.ts";

const measureEveryMs = 60_000;

/** Returns a function that ranks this device for a package (core/election/rank.ts). */
export function createRanker(options: {
  /** Medium of the active interface; null if no interface is active. */
  medium: () => Medium | null;
  dataFolder: string;
  volunteer: boolean;
}): (cachedShare: number, packageBytes: number, weight: number) => Rank {
  const ownClass = deviceClass();
  let measuredAtMs = Number.NEGATIVE_INFINITY;
  let measured = { onBattery: false, freeBytes: 0 };
  const measure = (): typeof measured => {
    const { bavail, bsize } = statfsSync(options.dataFolder);
    return { onBattery: onBattery(), freeBytes: bavail * bsize };
  };
  return (cachedShare, packageBytes, weight) => {
    if (performance.now() - measuredAtMs > measureEveryMs) {
      measured = measure();
      measuredAtMs = performance.now();
    }
    return rankOf({
      cachedShare,
      deviceClass: ownClass,
      medium: rankedMedium(options.medium()),
      onBattery: measured.onBattery,
      load: os.loadavg()[0]! / Math.max(1, os.cpus().length),
      diskShare: measured.freeBytes / Math.max(1, packageBytes),
      weight,
      volunteer: options.volunteer,
    });
  };
}

const rankedMedium = (medium: Medium | null): RankInputs["medium"] =>
  medium === "wired" || medium === "wireless" || medium === "vpn" ? medium : "other";
