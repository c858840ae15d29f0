/** Ranks this device for elections, from its conditions, its medium and its load. */
import os from "node:os";
import { rankOf, type Rank, type RankInputs } from "../core/election/rank.ts";
import type { Medium } from "../model/interface.ts";
import type { ConditionsReader } from "./conditions-reader.ts";

/** Returns a function that ranks this device for a package (core/election/rank.ts). */
export function createRanker(options: {
  /** Medium of the active interface; null if no interface is active. */
  medium: () => Medium | null;
  conditions: ConditionsReader;
  volunteer: boolean;
}): (cachedShare: number, packageBytes: number, weight: number) => Rank {
  return (cachedShare, packageBytes, weight) => {
    const { deviceClass, conditions, freeBytes } = options.conditions.latest;
    return rankOf({
      cachedShare,
      deviceClass,
      medium: rankedMedium(options.medium()),
      onBattery: conditions.onBattery === true,
      load: os.loadavg()[0]! / Math.max(1, os.cpus().length),
      diskShare: freeBytes / Math.max(1, packageBytes),
      weight,
      volunteer: options.volunteer,
    });
  };
}

const rankedMedium = (medium: Medium | null): RankInputs["medium"] =>
  medium === "wired" || medium === "wireless" || medium === "vpn" ? medium : "other";
