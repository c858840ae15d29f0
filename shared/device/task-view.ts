/** A task as its descriptions need it: for `status`, reports and metrics. */
import type { PackageStore } from "../cache/index.ts";
import type { Member } from "../core/member.ts";
import type { Reason } from "../model/reason.ts";
import type { Receptions } from "./receptions.ts";
import type { TaskRow } from "./task-record.ts";
import type { TaskStage } from "./task-stage.ts";

type SessionView = {
  readonly member: Member;
  /** `note` is a problem of the download, as text; empty: none. */
  readonly representative: { readonly note: string };
  /** Why chunks currently come by unicast; null: they do not. */
  readonly unicastReason: Reason | null;
  readonly receptions: Pick<Receptions, "list">;
};

export type TaskView = {
  readonly row: TaskRow;
  readonly stage: TaskStage;
  readonly session: SessionView | null;
  readonly store: PackageStore | null;
  /** Reason for which the device is restricted in a session; null: it is not. */
  readonly guard: { readonly reason: Reason | null };
};
