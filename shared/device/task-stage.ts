/**
 * Stages of a task on this device, and the legal changes between them.
 *
 * A session may outlast the stage `session`: a representative serves others while its own package
 * is read back, and after the task has ended.
 */
import type { Reason } from "../model/reason.ts";
import { checkedBy, type Transitions } from "../model/transitions.ts";

export type TaskStage =
  /**
   * `isBlocked`: a person has to act, for example because the disk is full. Reported as a failure
   * until an attempt succeeds.
   */
  | {
      readonly kind: "waiting";
      readonly cause: WaitCause;
      readonly note: Reason | null;
      readonly isBlocked: boolean;
    }
  /** `note`: reason of the last failure; null: none. */
  | { readonly kind: "session"; readonly note: Reason | null }
  | { readonly kind: "verifying" }
  /** The package is complete; `note` names what its command waits for. */
  | { readonly kind: "ready"; readonly note: Reason; readonly isBlocked: boolean }
  | { readonly kind: "running" }
  | { readonly kind: "ended" };
export type WaitCause =
  /** The task was not started yet. */
  | "new"
  | "start-time"
  /** An administrator paused the task. */
  | "paused"
  /** The task gets the manifest, or room for the package. */
  | "package"
  /** Another task of this device fetches the package. */
  | "other-task"
  /** An error; the task is retried with back-off. */
  | "back-off"
  /** The device left its subnet. */
  | "roaming"
  /** A guard pauses the task on this device. */
  | "guard";

export const stageTransitions = {
  waiting: ["waiting", "session", "verifying", "ended"],
  session: ["session", "waiting", "verifying", "ended"],
  verifying: ["waiting", "ready", "running", "ended"],
  ready: ["ready", "waiting", "running", "ended"],
  running: ["waiting", "ready", "ended"],
  ended: [],
} as const satisfies Transitions<TaskStage["kind"]>;

export const nextTaskStage = checkedBy<TaskStage>("task", stageTransitions);

/** Whether an earlier error makes the task wait for a retry. */
export const isBackingOff = (stage: TaskStage): boolean =>
  stage.kind === "waiting" && stage.cause === "back-off";

const interruptedCauses = new Set<WaitCause>(["package", "other-task", "back-off", "guard"]);

/** Whether a guard that pauses the task ends its stage. Other waits end before they check it. */
export const isInterrupted = (stage: TaskStage): boolean =>
  stage.kind === "session" || (stage.kind === "waiting" && interruptedCauses.has(stage.cause));

export const isBlocked = (stage: TaskStage): boolean =>
  (stage.kind === "waiting" || stage.kind === "ready") && stage.isBlocked;

/** Whether a command continues to wait for what it waits for. */
export const isSameWait = (before: TaskStage, after: TaskStage): boolean =>
  before.kind === "ready" &&
  after.kind === "ready" &&
  before.note === after.note &&
  before.isBlocked === after.isBlocked;
