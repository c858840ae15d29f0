/**
 * Text on the delivery mode of a device and its reason, for the person who repairs the network. The
 * reason is the core's; the frames received from the group hint at the cause. Pure.
 */
import type { Progress } from "../api/schema/common.ts";
import type { Member } from "../core/member.ts";
import type { UnicastReason } from "../core/delivery/delivery-mode.ts";
import { takesByUnicast } from "../core/state.ts";
import type { GroupReception } from "./group-reception.ts";
import { symbolOverheadBytes } from "../wire/index.ts";
import type { TaskView } from "./task-view.ts";

/**
 * Returns why chunks come by unicast, with a hint at the cause; empty for no reason.
 * @param symbolSizeBytes as the representative announced it; 0: not announced
 */
export function unicastReasonText(
  reason: UnicastReason | "",
  reception: GroupReception,
  symbolSizeBytes: number,
): string {
  const { group } = reception;
  switch (reason) {
    case "":
      return "";
    case "switched-off":
      return group === null ? "this device could not join the group" : "the setting is useMulticast=false";
    case "wireless":
      return "on a wireless interface, where multicast is slow and lossy";
    case "no-data":
      return `announcements are received on ${group}, multicast data in packets of ${packetBytes(symbolSizeBytes)} bytes is not: look for a rate limit or a filter of multicast, or a smaller MTU on the way`;
    case "oversized":
      return `the representative sends packets of ${packetBytes(symbolSizeBytes)} bytes on ${group}, and the MTU of this interface lets ${packetBytes(reception.symbolMaxBytes)} bytes pass`;
    case "not-heard":
      return `the representative does not receive this device on ${group}: its firewall or switch port seems to drop multicast`;
    case "stuck":
      return `everything was multicast on ${group}, and the repairs complete no chunk here: this device cannot keep up, or a device sends wrong symbols`;
    case "unheard":
    case "fell-silent":
      return silenceText(reason, reception);
  }
}

/** Length of the IPv4 packet of a symbol: framing, UDP and IPv4 headers. */
const packetBytes = (symbolSizeBytes: number): number => symbolSizeBytes + symbolOverheadBytes + 28;

function silenceText(reason: UnicastReason, { group, own, others }: GroupReception): string {
  if (own === "not received")
    return `nothing is received on ${group}, not even this device's own frames: its firewall seems to block inbound UDP`;
  if (others === "received" && reason === "fell-silent")
    return `the representative is no longer received on ${group}, other devices are: the switch seems to prune the group, turn on an IGMP querier`;
  if (others === "received")
    return `other devices are received on ${group}, the representative is not: its switch port or firewall seems to drop multicast`;
  if (others === "received before" || reason === "fell-silent")
    return `nothing is received on ${group} any more: the switch seems to prune the group, turn on an IGMP querier`;
  return `nothing is received on ${group}: the switch seems to drop multicast, or to prune the group because there is no IGMP querier`;
}

/** Returns the current delivery mode; without a session, the mode of most bytes. */
export function deliveryOf({ session, stage, store }: TaskView): Progress["way"] {
  if (session && stage.kind === "session") return currentDelivery(session.member);
  const from = store?.originBytes;
  if (!from) return "none";
  const [most, bytes] = Object.entries(from).toSorted(([, a], [, b]) => b - a)[0]!;
  if (bytes === 0 || most === "cache") return "none";
  return most === "wan" ? "WAN" : most === "peers" ? "unicast" : "multicast";
}

function currentDelivery({ state, isDownloading, isFetching }: Member): Progress["way"] {
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
