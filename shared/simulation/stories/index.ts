/** All stories, in the order in which to read them. */
import * as deliveries from "./deliveries.ts";
import * as elections from "./elections.ts";
import * as losses from "./losses.ts";
import type { Story } from "./story.ts";

export { tellStory, type Story, type Told } from "./story.ts";

export const stories: readonly Story[] = [
  elections.campaign,
  elections.twoCandidates,
  elections.sourceDown,
  elections.leaseRefused,
  elections.lastChoice,
  elections.partitionHeals,
  losses.representativeDies,
  losses.farewell,
  losses.slowNode,
  losses.frozenWakes,
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
