/**
 * Measures what the rank of this device depends on. What is slow to find out is asked once a minute.
 */
import { statfsSync } from "node:fs";
import os from "node:os";
import { rankOf, type Rank, type RankInputs } from "../core/ranking.ts";
import { listInterfaces } from "../net/interfaces.ts";
import { deviceClass, onBattery } from "./inventory.ts";

const keepMs = 60_000;

export function createRanker(options: {
  interfaceAddress: string;
  dataFolder: string;
  volunteer: boolean;
}): (cachedShare: number, packageBytes: number, weight: number) => Rank {
  const ownClass = deviceClass();
  let measuredAtMs = Number.NEGATIVE_INFINITY;
  let measured: { onBattery: boolean; medium: RankInputs["medium"]; freeBytes: number } = {
    onBattery: false,
    medium: "wired",
    freeBytes: 0,
  };
  const measure = (): typeof measured => {
    const own = listInterfaces(options.interfaceAddress, "").find((one) => one.active);
    const { bavail, bsize } = statfsSync(options.dataFolder);
    const medium =
      own?.medium === "wired" || own?.medium === "wireless" || own?.medium === "vpn" ? own.medium : "other";
    return { onBattery: onBattery(), medium, freeBytes: bavail * bsize };
  };
  return (cachedShare, packageBytes, weight) => {
    if (performance.now() - measuredAtMs > keepMs) {
      measured = measure();
      measuredAtMs = performance.now();
    }
    return rankOf({
      cachedShare,
      deviceClass: ownClass,
      medium: measured.medium,
      onBattery: measured.onBattery,
      load: os.loadavg()[0]! / Math.max(1, os.cpus().length),
      diskShare: measured.freeBytes / Math.max(1, packageBytes),
      weight,
      volunteer: options.volunteer,
    });
  };
}
