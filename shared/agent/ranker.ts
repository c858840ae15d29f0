/**
 * Measures what the rank of this device depends on. What is slow to find out is asked once a minute.
 */
import { statfsSync } from "node:fs";
import os from "node:os";
import { rankOf, type Rank, type RankInputs } from "../core/election/rank.ts";
import type { Medium } from "../model/interface.ts";
import { deviceClass, onBattery } from "./inventory.ts";

const keepMs = 60_000;

export function createRanker(options: {
  /** Of the interface the device plays its roles on; null: it has none. */
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
    if (performance.now() - measuredAtMs > keepMs) {
      measured = measure();
      measuredAtMs = performance.now();
    }
    return rankOf({
      cachedShare,
      deviceClass: ownClass,
      medium: ranked(options.medium()),
      onBattery: measured.onBattery,
      load: os.loadavg()[0]! / Math.max(1, os.cpus().length),
      diskShare: measured.freeBytes / Math.max(1, packageBytes),
      weight,
      volunteer: options.volunteer,
    });
  };
}

const ranked = (medium: Medium | null): RankInputs["medium"] =>
  medium === "wired" || medium === "wireless" || medium === "vpn" ? medium : "other";
