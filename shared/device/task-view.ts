/** A task of this device as those see it who describe it: `status`, reports, metrics. */
import type { PackageStore } from "../cache/index.ts";
import type { Member } from "../core/member.ts";
import type { TaskRow } from "./task-record.ts";

export type RunnerStage = "waiting" | "session" | "verifying" | "running" | "ended";

export type SessionView = {
  readonly member: Member;
  /** What a person should know about its download; empty when all is well. */
  readonly representative: { readonly note: string };
  /** Why chunks come by unicast at present; empty: they do not. */
  readonly unicastReason: string;
};

export type TaskView = {
  readonly row: TaskRow;
  readonly stage: RunnerStage;
  /** Why it waits. */
  readonly note: string;
  readonly isBlocked: boolean;
  readonly session: SessionView | null;
  readonly store: PackageStore | null;
};
