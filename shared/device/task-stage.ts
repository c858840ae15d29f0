/**
 * The stages of a task on this device, and every legal change from one to another. A session may outlast the stage of
 * that name: a representative serves others while its own package is read back, and after the task ended.
 */
import { assert } from "../model/assert.ts";

export type TaskStage =
  /** `isBlocked`: a person has to act, for example on a full disk. Reported as a failure until an attempt succeeds. */
  | {
      readonly kind: "waiting";
      readonly cause: WaitCause;
      readonly note: string;
      readonly isBlocked: boolean;
    }
  /** `note` is the reason of the last failure; empty: none. */
  | { readonly kind: "session"; readonly note: string }
  | { readonly kind: "verifying" }
  | { readonly kind: "running" }
  | { readonly kind: "ended" };
export type WaitCause =
  /** Not begun yet. */
  | "new"
  | "start-time"
  /** Getting the manifest, or room for the package. */
  | "package"
  /** Another task of this device fetches the package. */
  | "other-task"
  /** An error; tried again with back-off. */
  | "back-off"
  /** The device left its subnet. */
  | "roaming";

export const stageTransitions = {
  waiting: ["waiting", "session", "verifying", "ended"],
  session: ["session", "waiting", "verifying", "ended"],
  verifying: ["waiting", "running", "ended"],
  running: ["waiting", "ended"],
  ended: [],
} as const satisfies Record<TaskStage["kind"], readonly TaskStage["kind"][]>;

/** Returns `next`. A change that the table does not have is a bug. */
export function changeStage(stage: TaskStage, next: TaskStage): TaskStage {
  const legal: readonly TaskStage["kind"][] = stageTransitions[stage.kind];
  assert(legal.includes(next.kind), `illegal change of a task's stage: ${stage.kind} → ${next.kind}`);
  return next;
}

/** Whether an error already holds the task up until it is tried again. */
export const isHeldUp = (stage: TaskStage): boolean => stage.kind === "waiting" && stage.cause === "back-off";

export const isBlocked = (stage: TaskStage): boolean => stage.kind === "waiting" && stage.isBlocked;
