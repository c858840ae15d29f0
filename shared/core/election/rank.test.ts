/** Score of a device by docs/ARCHITECTURE.md, "Ranking", and the back-off of that score. */
import { describe, expect, test } from "bun:test";
import { timing } from "../timing.ts";
import { claimDelayMs, rankOf, type Rank, type RankInputs } from "./rank.ts";

/** An idle server on a cable, with room on its disk, that holds nothing of the package. */
const server: RankInputs = {
  cachedShare: 0,
  deviceClass: "server",
  medium: "wired",
  onBattery: false,
  load: 0,
  diskShare: 1,
  weight: 50,
  volunteer: false,
};

/** Returns the score of a server with these changes; fails when the device has none. */
function scoreOf(changes: Partial<RankInputs>): number {
  const rank = rankOf({ ...server, ...changes });
  if (rank.kind !== "score") throw new Error(`the rank is "${rank.kind}"`);
  return rank.score;
}

describe("rankOf", () => {
  test.each<[string, Partial<RankInputs>, number]>([
    ["a server", {}, 0.3],
    ["a desktop", { deviceClass: "desktop" }, (0.3 * 50) / 61],
    ["a laptop", { deviceClass: "laptop" }, (0.3 * 40) / 61],
    ["a device of an unknown class", { deviceClass: "unknown" }, (0.3 * 40) / 61],
    ["a server on Wi-Fi", { medium: "wireless" }, (0.3 * 30) / 61],
    ["a laptop on Wi-Fi", { deviceClass: "laptop", medium: "wireless" }, (0.3 * 30) / 61],
    ["a server under full load", { load: 1 }, 0.3 * 0.7],
    ["a server under a load above 1", { load: 4 }, 0.3 * 0.7],
    ["a server without free disk", { diskShare: 0 }, 0.3 * 0.7],
    ["a server with half the package's disk", { diskShare: 0.5 }, 0.3 * 0.85],
    ["a loaded server without free disk", { load: 1, diskShare: 0 }, 0.3 * 0.49],
    ["a server that holds half the package", { cachedShare: 0.5 }, 0.35 + 0.3],
    ["a server that holds the package", { cachedShare: 1 }, 1],
    ["a server of weight 75", { weight: 75 }, 0.3 + 0.25],
    ["a server of weight 25", { weight: 25 }, 0.3 - 0.25],
    ["a server of weight 1", { weight: 1 }, 0],
    ["a server of weight 99 that holds the package", { weight: 99, cachedShare: 1 }, 1],
  ])("gives %s the score of the formula", (_, changes, score) => {
    expect(scoreOf(changes)).toBeCloseTo(score, 12);
  });

  test("prefers a laptop that holds the package to a server that holds nothing", () => {
    expect(scoreOf({ deviceClass: "laptop", cachedShare: 1 })).toBeGreaterThan(scoreOf({}));
  });

  const best: Rank = { kind: "score", score: 1 };
  const last: Rank = { kind: "last" };
  const never: Rank = { kind: "never" };
  test.each<[string, Partial<RankInputs>, Rank]>([
    ["weight 100", { weight: 100, deviceClass: "laptop", load: 1 }, best],
    ["weight 0", { weight: 0 }, never],
    ["weight 0 on battery", { weight: 0, onBattery: true }, never],
    ["a battery", { onBattery: true }, last],
    ["a VPN", { medium: "vpn" }, last],
    ["weight 100 on battery", { weight: 100, onBattery: true }, last],
    ["a volunteer of weight 0", { weight: 0, volunteer: true }, best],
    ["a volunteer on battery", { onBattery: true, volunteer: true }, best],
  ])("gives %s a rank of its own", (_, changes, rank) => {
    expect(rankOf({ ...server, ...changes })).toEqual(rank);
  });
});

describe("claimDelayMs", () => {
  const { rankWindowMs, rankJitterMs, lastChoiceDelayMs } = timing;
  test.each<[Rank, number, number | null]>([
    [{ kind: "score", score: 1 }, 0, 0],
    [{ kind: "score", score: 1 }, 1, rankJitterMs],
    [{ kind: "score", score: 0.75 }, 0, rankWindowMs / 4],
    [{ kind: "score", score: 0 }, 0, rankWindowMs],
    [{ kind: "score", score: 0 }, 0.5, rankWindowMs + rankJitterMs / 2],
    [{ kind: "last" }, 0, lastChoiceDelayMs + rankWindowMs],
    [{ kind: "last" }, 1, lastChoiceDelayMs + rankWindowMs + rankJitterMs],
    [{ kind: "never" }, 0.5, null],
  ])("lets rank %j with random number %p wait %p ms", (rank, random, delayMs) => {
    expect(claimDelayMs(rank, random)).toBe(delayMs);
  });

  test("lets the worst score claim before every last choice", () => {
    expect(claimDelayMs({ kind: "score", score: 0 }, 1)!).toBeLessThan(claimDelayMs({ kind: "last" }, 0)!);
  });
});
