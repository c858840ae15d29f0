/**
 * Describes a task: its state for programs; for people one sentence with activity, delivery mode
 * and reason.
 */
import { formatDuration, formatRate } from "../model/quantity.ts";
import type { DeviceTaskState, Progress } from "../api/schema/common.ts";
import type { PeerState, RepresentativeState } from "../core/state.ts";
import { awaitsStart } from "../core/delivery/delivery-mode.ts";
import { phases } from "../wire/index.ts";
import { completionText } from "./delivery-log.ts";
import { deliveryOf } from "./delivery-text.ts";
import type { TaskLife } from "./task-record.ts";
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
      return stage.kind === "session" && stage.note !== "" ? "failed" : "waiting";
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

/** Returns one sentence for a person on what the task does, or how it ended. */
export function describe(task: TaskView, nowMs: number): string {
  const { session, stage, row } = task;
  if (stage.kind === "verifying") return "reads the package back from the disk";
  if (stage.kind === "running" && row.task.action === "upgrade")
    return "restarts the agent as its new version";
  if (stage.kind === "running")
    return row.runs > 1 ? `runs the command, run ${row.runs}` : "runs the command";
  if (stage.kind === "ready") return stage.note;
  const state = session?.member.state;
  if (state?.role === "representative")
    return `${endedPrefix(task)}representative of term ${state.term}: ${representativeText(task, state, nowMs)}`;
  if (stage.kind === "ended") return row.life === "complete" ? completeText(task) : row.reason;
  if (stage.kind === "waiting") return stage.note;
  if (state?.role === "candidate") return "looks for a session on this subnet";
  if (state?.role === "peer") return peerText(task, state, nowMs);
  return stage.note || (state?.role === "idle" ? state.why : "");
}

/** How the task ended, before what a representative still does for others. */
function endedPrefix({ stage, row }: TaskView): string {
  if (stage.kind !== "ended") return "";
  const end = row.life === "complete" ? withReason("complete", row.reason) : row.reason;
  return `${end}; still `;
}

const withReason = (text: string, reason: string): string => (reason === "" ? text : `${text}; ${reason}`);

function representativeText(
  { session, row, store }: TaskView,
  state: RepresentativeState,
  nowMs: number,
): string {
  const { values } = row.task.setting;
  const { audience: peers, unicastCount } = session!.member.roster;
  const audience = `${countText(peers - unicastCount)}${unicastCount > 0 ? ` (${unicastCount} more by unicast)` : ""}`;
  const download = downloadText(session!, state);
  const percent = Math.floor((100 * state.stream.queue.sentCount) / Math.max(1, store!.verified.size));
  if (!values.useMulticast)
    return `serves ${countText(peers)} by LAN unicast (useMulticast=false)${download}`;
  if (unicastCount > 0 && unicastCount === peers)
    return `serves ${countText(peers)} by LAN unicast: none of them takes part in the multicast${download}`;
  if (nowMs < state.sendFromMs) {
    const waits = formatDuration(Math.ceil((state.sendFromMs - nowMs) / 1_000) * 1_000);
    const downloads = session!.member.isDone ? "" : "downloads, ";
    return `${downloads}multicast to ${audience} starts in ${waits}${download}`;
  }
  if (state.phase.kind === "serving") return `multicast is over, serves repairs to ${audience}${download}`;
  if (peers === 0)
    return `multicast stands at ${percent} %: no device of this subnet is missing chunks${download}`;
  return `multicast ${percent} % to ${audience} at ${formatRate(Math.round(session!.member.sendRateBps() / 1_000) * 1_000)}${lossText(state)}${download}`;
}

function downloadText(
  { member, representative }: NonNullable<TaskView["session"]>,
  { lease }: RepresentativeState,
): string {
  if (lease.aloneFromMs !== null && !member.isDownloading && !member.isDone)
    return "; download paused: the source is silent, and another device may hold the lease";
  return representative.note === "" ? "" : `; download ${representative.note}`;
}

const countText = (peers: number): string => `${peers} ${peers === 1 ? "peer" : "peers"}`;

function lossText({ stream: { rate } }: RepresentativeState): string {
  const { medianLossPermille: loss, yieldDelayMs } = rate;
  const lost = loss === null || loss === 0 ? "" : `, median loss ${loss / 10} %`;
  return yieldDelayMs === null ? lost : `${lost}, yields to other traffic: queuing delay ${yieldDelayMs} ms`;
}

function peerText({ session }: TaskView, state: PeerState, nowMs: number): string {
  const { leader, reception } = state;
  const { startsAtMs } = leader.announced;
  const who = `representative ${leader.device}`;
  if (session!.member.isDownloading)
    return `no device of this subnet can be reached: downloads itself ${session!.representative.note}`;
  if (leader.known === "claim") return `waits for ${who}, which claimed the session`;
  if (awaitsStart(state, nowMs))
    return `waits for ${who} to begin its multicast, asks it by LAN unicast meanwhile: ${session!.unicastReason}`;
  if (state.delivery.mode.kind === "unicast")
    return `takes chunks from ${who} and others by LAN unicast: ${session!.unicastReason}`;
  if (leader.known === "lease") return `waits for an announcement of ${who}, which holds the lease`;
  if (leader.announced.phase === phases.serving) return "asks other devices for the parts it missed";
  if (nowMs < startsAtMs) {
    return `waits for ${who}: multicast starts in ${formatDuration(Math.ceil((startsAtMs - nowMs) / 1_000) * 1_000)}`;
  }
  if (reception.loss.straggles)
    return `is too slow for the multicast of ${who} (loses ${Math.round((reception.loss.lossPermille ?? 0) / 10)} %): completes from its peers after the end`;
  return `receives multicast from ${who}`;
}

function followedBy({ session }: TaskView): string | null {
  const state = session?.member.state;
  return state?.role === "peer" && state.leader.known === "announce" ? state.leader.device : null;
}

const completeText = ({ store, row }: TaskView): string =>
  withReason(
    store ? completionText(store.originBytes, store.manifest.sizeBytes, row.way) : "complete",
    row.reason,
  );

/** Counters of a report that the view does not contain. */
type Counted = Pick<Progress, "wanBytesFetched" | "lanBytesSent" | "rateBps" | "wrongFrom">;

/** Upper bound of the API on the sentence, in characters. */
const reasonLengthMax = 1_000;

/** Returns the report of a task to the source. */
export function progressOf(task: TaskView, nowMs: number, counted: Counted): Progress {
  const { store, session, row, stage } = task;
  const role = session?.member.role ?? "idle";
  return {
    taskId: row.task.id,
    attempt: row.task.attempt,
    state: stateOf(task),
    role: role === "idle" ? "none" : role,
    term: session?.member.term ?? 0,
    bytesTotal: store?.manifest.sizeBytes ?? 0,
    bytesVerified: store?.bytesVerified ?? 0,
    from: store ? { ...store.originBytes } : { wan: 0, multicast: 0, peers: 0, cache: 0 },
    way: deliveryOf(task),
    reason: describe(task, nowMs).slice(0, reasonLengthMax),
    command: stage.kind === "running" ? null : row.command,
    follows: followedBy(task),
    ...counted,
  };
}
