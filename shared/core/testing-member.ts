/** Members and frames for tests of the core, with usual values that a test may override. */
import { ChunkSet } from "../model/chunk-set.ts";
import type { MemberConfig } from "./config.ts";
import type { FrameOf } from "../wire/index.ts";
import { Member } from "./member.ts";

/** Announcement of a representative that has sent nothing, unless a test overrides that. */
export const announceForTest = (
  fields: Pick<FrameOf<"announce">, "device" | "term"> & Partial<FrameOf<"announce">>,
): FrameOf<"announce"> => ({
  type: "announce",
  ticket: 1,
  phase: 0,
  startsInMs: 0,
  frontCount: 0,
  castCount: 0,
  pass: 0,
  audience: 1,
  symbolSizeBytes: 1_400,
  rateBps: 1e8,
  lanPort: 7_000,
  ...fields,
});

type Setting = ReturnType<MemberConfig["setting"]>;

/** Returns a member that may lead and uses multicast. @param setting instead of the usual one */
export function memberForTest(
  config: Partial<MemberConfig> & { readonly held: ChunkSet },
  setting: Partial<Setting> = {},
): Member {
  return new Member({
    device: "00000000000000aa",
    lanPort: 7_000,
    missingSymbols: () => false,
    currentChunk: () => null,
    sendShares: () => 1,
    rank: () => ({ kind: "score", score: 0.5 }),
    guard: () => null,
    random: () => 0.5,
    symbolMaxBytes: () => 1_400,
    setting: () => ({
      useMulticast: true,
      receivesMulticast: true,
      sessionStartDelayMs: 0,
      startWhenAllPresent: true,
      lanRateBps: null,
      wanFallback: "last-resort",
      useDeputy: true,
      ...setting,
    }),
    ...config,
  });
}
