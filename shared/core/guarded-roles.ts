/**
 * Guards: conditions of this device under which it does not lead. A representative hands over, and
 * a candidate withdraws its claim. Both look for a session without claiming until the guard ends,
 * as a device of weight 0 does. What the conditions are is decided outside of the core.
 */
import { hasClaimed } from "./election/candidate-stage.ts";
import type { Member } from "./member.ts";
import { becomeIdle, resign } from "./transitions.ts";

/** Changes the role if a guard began or ended. The next role is that of a member that starts. */
export function obeyGuard(member: Member, nowMs: number): void {
  const { state, config } = member;
  const why = config.guard();
  endFallback(member);
  if (state.role === "representative" && why !== null) {
    resign(member, state.term, why);
    return becomeIdle(member, nowMs, why, member.verified.isPackage ? null : nowMs);
  }
  if (state.role !== "candidate") return;
  const { stage } = state;
  if (stage.kind === "observing") {
    if (stage.isGuarded && why === null) becomeIdle(member, nowMs, "may lead again", nowMs);
    return;
  }
  if (why === null) return;
  // Devices that yielded to the claim need not wait for its announcement.
  if (hasClaimed(stage)) resign(member, state.term, why);
  becomeIdle(member, nowMs, why, nowMs);
}

/** Ends a download of a WAN fallback that the device must not use any more. */
function endFallback(member: Member): void {
  const { state, config, isDownloading } = member;
  if (!isDownloading || state.role === "representative" || config.setting().wanFallback !== "never") return;
  member.fallback.fromMs = null;
  member.setDownloading(false);
}
