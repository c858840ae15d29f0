/** A task as its descriptions need it: for `status`, reports and metrics. */
import type { PackageStore } from "../cache/index.ts";
import type { Member } from "../core/member.ts";
import type { TaskRow } from "./task-record.ts";
import type { TaskStage } from "./task-stage.ts";

type SessionView = {
  readonly member: Member;
  /** `note` is a problem of the download, for a person; empty: none. */
  readonly representative: { readonly note: string };
  /** Why chunks currently come by unicast, as text; empty: they do not. */
  readonly unicastReason: string;
};

export type TaskView = {
  readonly row: TaskRow;
  readonly stage: TaskStage;
  readonly session: SessionView | null;
  readonly store: PackageStore | null;
};
