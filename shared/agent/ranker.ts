/** Ranks this device for elections, from its conditions, its medium and its load. */
import os from "node:os";
import { rankOf, type Rank, type RankInputs } from "../core/election/rank.ts";
import type { Medium } from "../model/interface.ts";
import type { Conditions } from "./conditions.ts";

/** Returns a function that ranks this device for a package (core/election/rank.ts). */
export function createRanker(options: {
  /** Medium of the active interface; null if no interface is active. */
  medium: () => Medium | null;
  conditions: Conditions;
  volunteer: boolean;
}): (cachedShare: number, packageBytes: number, weight: number) => Rank {
  return (cachedShare, packageBytes, weight) => {
    const { deviceClass, onBattery, freeBytes } = options.conditions.latest;
    return rankOf({
      cachedShare,
      deviceClass,
      medium: rankedMedium(options.medium()),
      onBattery,
      load: os.loadavg()[0]! / Math.max(1, os.cpus().length),
      diskShare: freeBytes / Math.max(1, packageBytes),
      weight,
      volunteer: options.volunteer,
    });
  };
}

const rankedMedium = (medium: Medium | null): RankInputs["medium"] =>
  medium === "wired" || medium === "wireless" || medium === "vpn" ? medium : "other";
