/**
 * Stages of a task on this device, and the legal changes between them.
 *
 * A session may outlast the stage `session`: a representative serves others while its own package
 * is read back, and after the task has ended.
 */
import { assert } from "../model/assert.ts";

export type TaskStage =
  /**
   * `isBlocked`: a person has to act, for example because the disk is full. Reported as a failure
   * until an attempt succeeds.
   */
  | {
      readonly kind: "waiting";
      readonly cause: WaitCause;
      readonly note: string;
      readonly isBlocked: boolean;
    }
  /** `note`: reason of the last failure; empty: none. */
  | { readonly kind: "session"; readonly note: string }
  | { readonly kind: "verifying" }
  | { readonly kind: "running" }
  | { readonly kind: "ended" };
export type WaitCause =
  /** The task was not started yet. */
  | "new"
  | "start-time"
  /** The task gets the manifest, or room for the package. */
  | "package"
  /** Another task of this device fetches the package. */
  | "other-task"
  /** An error; the task is retried with back-off. */
  | "back-off"
  /** The device left its subnet. */
  | "roaming";

const stageTransitions = {
  waiting: ["waiting", "session", "verifying", "ended"],
  session: ["session", "waiting", "verifying", "ended"],
  verifying: ["waiting", "running", "ended"],
  running: ["waiting", "ended"],
  ended: [],
} as const satisfies Record<TaskStage["kind"], readonly TaskStage["kind"][]>;

/** Returns `next`; a change that the table does not contain is a bug. */
export function changeStage(stage: TaskStage, next: TaskStage): TaskStage {
  const legal: readonly TaskStage["kind"][] = stageTransitions[stage.kind];
  assert(legal.includes(next.kind), `illegal change of a task's stage: ${stage.kind} → ${next.kind}`);
  return next;
}

/** Whether an earlier error makes the task wait for a retry. */
export const isBackingOff = (stage: TaskStage): boolean =>
  stage.kind === "waiting" && stage.cause === "back-off";

export const isBlocked = (stage: TaskStage): boolean => stage.kind === "waiting" && stage.isBlocked;
