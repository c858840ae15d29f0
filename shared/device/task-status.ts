/**
 * Describes a task: its state, and its reasons with activity, delivery mode and cause. Pure.
 */
import { reason, type Reason } from "../model/reason.ts";
import type { DeviceTaskState, Progress } from "../api/schema/common.ts";
import type { PeerState, RepresentativeState } from "../core/state.ts";
import { awaitsStart } from "../core/delivery/delivery-mode.ts";
import { phases } from "../wire/index.ts";
import type { TrustErrorCode } from "../model/trust/index.ts";
import { deliveryOf, originsFor } from "./delivery-text.ts";
import type { TaskLife, TaskRow } from "./task-record.ts";
import { isBlocked } from "./task-stage.ts";
import type { TaskView } from "./task-view.ts";

/** Returns the task's state for reports and `status`. */
export function stateOf(task: TaskView): DeviceTaskState {
  switch (task.stage.kind) {
    case "ended":
      return endState(task.row.life);
    case "waiting":
    case "ready":
      return isBlocked(task.stage) ? "failed" : task.stage.kind;
    case "verifying":
    case "running":
      return task.stage.kind;
    case "session":
      return sessionState(task);
  }
}

const endState = (life: TaskLife): DeviceTaskState =>
  life === "open" || life === "running" ? "failed" : life;

function sessionState({ session, stage }: TaskView): DeviceTaskState {
  const state = session?.member.state;
  switch (state?.role) {
    case "candidate":
      return "seeking";
    case "representative":
      return "downloading";
    case "peer":
      return state.leader.announced.phase === phases.serving ? "repairing" : "receiving";
    default:
      // An idle member with a reason waits for a retry, after representatives of the subnet failed.
      return stage.kind === "session" && stage.note !== null ? "failed" : "waiting";
  }
}

/** Whether the device leads the session, or receives in it. */
export function takesPart({ session, stage }: TaskView): boolean {
  const role = session?.member.role;
  return role === "representative" || (role === "peer" && stage.kind === "session");
}

/** Whether the device leads the session, for devices that are missing chunks. */
export const servesOthers = ({ session }: Pick<TaskView, "session">): boolean =>
  session?.member.role === "representative" && session.member.roster.audience > 0;

/** Returns what the task does and what restricts it, or how it ended. */
export function reasonsOf(task: TaskView, nowMs: number): Reason[] {
  const reasons = activityOf(task, nowMs);
  const guard = task.stage.kind === "session" ? task.guard.reason : null;
  return guard === null ? reasons : [...reasons, guard];
}

function activityOf(task: TaskView, nowMs: number): Reason[] {
  const { session, stage, row } = task;
  if (stage.kind === "verifying") return [reason("verifies")];
  if (stage.kind === "running")
    return [row.task.action === "upgrade" ? reason("restarts-agent") : reason("runs", { run: row.runs })];
  if (stage.kind === "ready") return [stage.note];
  const state = session?.member.state;
  if (state?.role === "representative") return representativeReasons(task, state, nowMs);
  if (stage.kind === "ended") return hasSucceeded(row) ? completeReasons(task) : listed(row.reason);
  if (stage.kind === "waiting") return listed(stage.note);
  if (state?.role === "candidate") return [reason("seeks")];
  if (state?.role === "peer") return peerReasons(task, state, nowMs);
  return listed(stage.note ?? (state?.role === "idle" ? reason("no-session", { why: state.why }) : null));
}

const hasSucceeded = ({ life }: TaskRow): boolean => life === "complete" || life === "reboot-pending";

const listed = (...reasons: readonly (Reason | null)[]): Reason[] => reasons.filter((one) => one !== null);

function completeReasons({ store, row }: TaskView): Reason[] {
  const complete = reason("complete", {
    ...originsFor({ store, row }),
    totalBytes: store?.manifest.sizeBytes ?? 0,
  });
  return listed(complete, store && store.bytesVerified > 0 ? row.way : null, row.reason);
}

/** A device that leads for others after its own task first states how that ended. */
function representativeReasons(task: TaskView, state: RepresentativeState, nowMs: number): Reason[] {
  const { stage, row } = task;
  const { term } = state;
  const activity = [...sendReasons(task, state, nowMs), ...downloadReasons(task.session!, state)];
  if (stage.kind !== "ended") return [reason("represents", { term }), ...activity];
  const none = { multicast: 0, peers: 0, wan: 0, cache: 0, totalBytes: 0 };
  const end = hasSucceeded(row) ? reason("complete", none) : null;
  return [...listed(end, row.reason), reason("still-represents", { term }), ...activity];
}

function sendReasons({ session, row, store }: TaskView, state: RepresentativeState, nowMs: number): Reason[] {
  const { values } = row.task.setting;
  const { audience: all, unicastCount: unicast } = session!.member.roster;
  const audience = { peers: all - unicast, unicast };
  const percent = Math.floor((100 * state.stream.queue.sentCount) / Math.max(1, store!.verified.size));
  if (!values.useMulticast) return [reason("serves-by-setting", { peers: all })];
  if (unicast > 0 && unicast === all) return [reason("serves-by-unicast", { peers: all })];
  if (nowMs < state.sendFromMs) {
    const inMs = state.sendFromMs - nowMs;
    return [reason("multicast-starts", { ...audience, inMs, downloads: !session!.member.isDone })];
  }
  if (state.phase.kind === "serving") return [reason("serves-repairs", audience)];
  if (all === 0) return [reason("multicast-stands", { percent })];
  const { medianLossPermille: lossPermille, yieldDelayMs: queuedMs } = state.stream.rate;
  const rateBps = Math.round(session!.member.sendRateBps() / 1_000) * 1_000;
  return [reason("multicasts", { ...audience, percent, rateBps, lossPermille, queuedMs })];
}

function downloadReasons(
  { member, representative }: NonNullable<TaskView["session"]>,
  { lease }: RepresentativeState,
): Reason[] {
  if (lease.aloneFromMs !== null && !member.isDownloading && !member.isDone)
    return [reason("download-waits-for-lease")];
  return representative.note === "" ? [] : [reason("download-note", { detail: representative.note })];
}

function peerReasons({ session }: TaskView, state: PeerState, nowMs: number): Reason[] {
  const { leader, reception } = state;
  const { startsAtMs } = leader.announced;
  const { device } = leader;
  const { member, representative, unicastReason } = session!;
  if (member.isDownloading) {
    const note = representative.note === "" ? null : reason("download-note", { detail: representative.note });
    return listed(reason("downloads-alone"), note);
  }
  if (leader.known === "claim") return [reason("awaits-claimant", { device })];
  if (awaitsStart(state, nowMs)) return listed(reason("awaits-multicast-asks", { device }), unicastReason);
  if (state.delivery.mode.kind === "unicast")
    return listed(reason("takes-unicast", { device }), unicastReason);
  if (leader.known === "lease") return [reason("awaits-lease-holder", { device })];
  if (leader.announced.phase === phases.serving) return [reason("repairs")];
  if (nowMs < startsAtMs) return [reason("awaits-multicast", { device, inMs: startsAtMs - nowMs })];
  if (!reception.loss.straggles) return [reason("receives", { device })];
  const lossPercent = Math.round((reception.loss.lossPermille ?? 0) / 10);
  return [reason("too-slow", { device, lossPercent })];
}

function followedBy({ session }: TaskView): string | null {
  const state = session?.member.state;
  return state?.role === "peer" && state.leader.known === "announce" ? state.leader.device : null;
}

/** Returns the report of a task whose order the device does not obey. */
export const refusedProgress = (taskId: number, code: TrustErrorCode, detail: string): Progress => ({
  taskId,
  attempt: 1,
  epoch: "",
  createdAtMs: 0,
  state: "waiting",
  role: "none",
  term: 0,
  bytesTotal: 0,
  bytesVerified: 0,
  from: { wan: 0, multicast: 0, peers: 0, cache: 0 },
  wanBytesFetched: 0,
  lanBytesSent: 0,
  rateBps: 0,
  way: "none",
  reasons: [reason("order-refused", { why: code, detail })],
  command: null,
  follows: null,
  wrongFrom: [],
  receivedFrom: [],
});

/** Counters of a report that the view does not contain. */
type Counted = Pick<Progress, "wanBytesFetched" | "lanBytesSent" | "rateBps" | "wrongFrom">;

/** Returns the report of a task to the source. */
export function progressOf(task: TaskView, nowMs: number, counted: Counted): Progress {
  const { store, session, row, stage } = task;
  const role = session?.member.role ?? "idle";
  return {
    taskId: row.task.id,
    attempt: row.task.attempt,
    epoch: row.task.epoch,
    createdAtMs: row.task.createdAtMs,
    state: stateOf(task),
    role: role === "idle" ? "none" : role,
    term: session?.member.term ?? 0,
    bytesTotal: store?.manifest.sizeBytes ?? 0,
    bytesVerified: store?.bytesVerified ?? 0,
    from: originsFor(task),
    way: deliveryOf(task),
    reasons: reasonsOf(task, nowMs),
    command: stage.kind === "running" ? null : row.command,
    follows: followedBy(task),
    receivedFrom: session?.receptions.list(nowMs) ?? [],
    ...counted,
  };
}
