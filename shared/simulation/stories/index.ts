/** All stories, in reading order. docs/stories/README.md has the same order. */
import * as deliveries from "./deliveries.ts";
import * as elections from "./elections.ts";
import * as losses from "./losses.ts";
import type { Story } from "./story.ts";

export { runStory, type Story } from "./story.ts";

export const stories: readonly Story[] = [
  elections.campaign,
  elections.twoCandidates,
  elections.sourceDown,
  elections.leaseRefused,
  elections.lastChoice,
  elections.partitionHeals,
  losses.representativeCrashes,
  losses.resignation,
  losses.slowNode,
  losses.frozenRepresentative,
  losses.powerCut,
  losses.badWebSite,
  losses.lastResort,
  deliveries.repairs,
  deliveries.lateJoiner,
  deliveries.symbolsMissing,
  deliveries.multicastSwitchedOff,
  deliveries.roaming,
  deliveries.afterAWeek,
];
