/** Start of a multicast before the session start delay is over. */
import type { Member } from "./member.ts";
import type { RepresentativeState } from "./state.ts";

/** Starts the multicast before the delay is over once every expected device takes part. */
export function startEarly(member: Member, state: RepresentativeState, nowMs: number): void {
  const { present } = member.session;
  if (nowMs >= state.sendFromMs || present === null || !member.config.setting().startWhenAllPresent) return;
  if (member.roster.audience < present) return;
  state.sendFromMs = nowMs;
  state.due.announceAtMs = nowMs;
}
