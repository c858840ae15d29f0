/** A task of this device as its descriptions see it: `status`, reports, metrics. */
import type { PackageStore } from "../cache/index.ts";
import type { Member } from "../core/member.ts";
import type { TaskRow } from "./task-record.ts";
import type { TaskStage } from "./task-stage.ts";

export type SessionView = {
  readonly member: Member;
  /** What a person should know about its download; empty when all is well. */
  readonly representative: { readonly note: string };
  /** Why chunks come by unicast at present; empty: they do not. */
  readonly unicastReason: string;
};

export type TaskView = {
  readonly row: TaskRow;
  readonly stage: TaskStage;
  readonly session: SessionView | null;
  readonly store: PackageStore | null;
};
