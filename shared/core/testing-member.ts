/** Member for tests of the core: it may lead and uses multicast, unless a test overrides that. */
import { ChunkSet } from "../model/chunk-set.ts";
import type { MemberConfig } from "./config.ts";
import { Member } from "./member.ts";

type Setting = ReturnType<MemberConfig["setting"]>;

/** @param setting instead of the usual one */
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
    random: () => 0.5,
    symbolSizeBytes: 1_400,
    setting: () => ({
      useMulticast: true,
      receivesMulticast: true,
      sessionStartDelayMs: 0,
      lanRateBps: null,
      wanFallback: "last-resort",
      useDeputy: true,
      ...setting,
    }),
    ...config,
  });
}
