/**
 * Which way a device's bytes come and why, in words for whoever has to mend the network. The core says what a peer
 * found out; what this device heard on the group since it joined says where the trouble seems to be. Pure.
 */
import type { Progress } from "../api/schema/common.ts";
import type { Member } from "../core/member.ts";
import type { UnicastReason } from "../core/delivery/delivery-mode.ts";
import { takesByUnicast } from "../core/state.ts";
import type { Hearing } from "./hearing.ts";
import type { TaskView } from "./task-view.ts";

export function unicastReasonText(reason: UnicastReason | "", hearing: Hearing): string {
  const { group } = hearing;
  switch (reason) {
    case "":
      return "";
    case "switched-off":
      return group === null ? "this device could not join the group" : "the setting says useMulticast=false";
    case "wireless":
      return "on a wireless interface, where multicast is slow and lossy";
    case "no-data":
      return `announcements are heard on ${group}, multicast data is not: a rate limit or filter for multicast on the way`;
    case "not-heard":
      return `the representative does not hear this device on ${group}: a firewall or its switch port seems to drop what is sent there`;
    case "stuck":
      return `everything was multicast on ${group}, and its repairs bring this device nothing more: it is held up, or somebody sends wrong symbols`;
    case "unheard":
    case "fell-silent":
      return silenceText(reason, hearing);
  }
}

function silenceText(reason: UnicastReason, { group, own, others }: Hearing): string {
  if (own === "unheard")
    return `nothing is heard on ${group}, not even what this device says itself: its firewall seems to block inbound UDP`;
  if (others === "heard" && reason === "fell-silent")
    return `the representative is heard no more on ${group}, other devices are: the switch seems to prune the group, turn on an IGMP querier`;
  if (others === "heard")
    return `other devices are heard on ${group}, the representative is not: its switch port or firewall seems to drop multicast`;
  if (others === "heard before" || reason === "fell-silent")
    return `nothing is heard on ${group} any more: the switch seems to prune the group, turn on an IGMP querier`;
  return `nothing is heard on ${group}: the switch seems to drop multicast, or to prune the group for want of an IGMP querier`;
}

/** The way just now or, at the end, of most bytes. */
export function deliveryOf({ session, stage, store }: TaskView): Progress["way"] {
  if (session && stage.kind === "session") return deliveryNow(session.member);
  const from = store?.originBytes;
  if (!from) return "none";
  const [most, bytes] = Object.entries(from).toSorted(([, a], [, b]) => b - a)[0]!;
  if (bytes === 0 || most === "cache") return "none";
  return most === "wan" ? "WAN" : most === "peers" ? "unicast" : "multicast";
}

function deliveryNow({ state, isDownloading, isFetching }: Member): Progress["way"] {
  if (isDownloading) return "WAN";
  switch (state.role) {
    case "representative":
      return isFetching ? "unicast" : "WAN";
    case "peer":
      return takesByUnicast(state) ? "unicast" : "multicast";
    default:
      return "none";
  }
}
