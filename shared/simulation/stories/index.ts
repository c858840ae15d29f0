/** All stories, in reading order. docs/stories/README.md has the same order. */
import * as deliveries from "./deliveries.ts";
import * as elections from "./elections.ts";
import * as losses from "./losses.ts";
import type { Story } from "./story.ts";

export { runStory, type Story } from "./story.ts";

export const stories: readonly Story[] = [
  elections.election,
  elections.twoCandidates,
  elections.sourceDown,
  elections.leaseRefused,
  elections.lastChoice,
  elections.partitionEnds,
  losses.representativeCrashes,
  losses.resignation,
  losses.stalledPeer,
  losses.representativeSleeps,
  losses.powerCut,
  losses.badWebSite,
  losses.wanFallback,
  deliveries.repairs,
  deliveries.lateJoiner,
  deliveries.symbolsMissing,
  deliveries.multicastSwitchedOff,
  deliveries.roaming,
  deliveries.afterAWeek,
];
