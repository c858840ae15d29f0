/**
 * The delivery mode of a device and its cause, for the person who repairs the network. The
 * reason is the core's; the frames received from the group hint at the cause. Pure.
 */
import type { OriginBytes, Progress } from "../api/schema/common.ts";
import type { Member } from "../core/member.ts";
import type { UnicastReason } from "../core/delivery/delivery-mode.ts";
import { takesByUnicast } from "../core/state.ts";
import { reason, type Reason } from "../model/reason.ts";
import type { GroupReception } from "./group-reception.ts";
import { symbolOverheadBytes } from "../wire/index.ts";
import type { TaskView } from "./task-view.ts";

/**
 * Returns why chunks come by unicast, with a hint at the cause; null for no reason.
 * @param symbolSizeBytes as the representative announced it; 0: not announced
 */
export function unicastCause(
  unicastReason: UnicastReason | "",
  reception: GroupReception,
  symbolSizeBytes: number,
): Reason | null {
  const group = reception.group ?? "no group";
  const packetBytes = packetBytesOf(symbolSizeBytes);
  switch (unicastReason) {
    case "":
      return null;
    case "switched-off":
      return reception.group === null ? reason("no-group") : reason("multicast-off");
    case "wireless":
      return reason("wireless");
    case "no-data":
      return reason("data-not-received", { group, packetBytes });
    case "oversized":
      return reason("oversized", { group, packetBytes, passBytes: packetBytesOf(reception.symbolMaxBytes) });
    case "not-heard":
      return reason("not-heard", { group });
    case "stuck":
      return reason("stuck", { group });
    case "unheard":
    case "fell-silent":
      return silenceCause(unicastReason, reception, group);
  }
}

/** Length of the IPv4 packet of a symbol: framing, UDP and IPv4 headers. */
const packetBytesOf = (symbolSizeBytes: number): number => symbolSizeBytes + symbolOverheadBytes + 28;

function silenceCause(unicastReason: UnicastReason, { own, others }: GroupReception, group: string): Reason {
  if (own === "not received") return reason("own-frames-lost", { group });
  if (others === "received" && unicastReason === "fell-silent")
    return reason("representative-pruned", { group });
  if (others === "received") return reason("representative-dropped", { group });
  if (others === "received before" || unicastReason === "fell-silent")
    return reason("group-pruned", { group });
  return reason("group-silent", { group });
}

const noBytes: OriginBytes = { wan: 0, multicast: 0, peers: 0, cache: 0 };

/**
 * Returns how the bytes came for this task. The store knows how they came to the device, which may
 * have been for an earlier task.
 */
export function originsFor({ store, row }: Pick<TaskView, "store" | "row">): OriginBytes {
  if (!store) return noBytes;
  if (row.way?.code === "was-cached") return { ...noBytes, cache: store.bytesVerified };
  return { ...store.originBytes };
}

/** Returns the current delivery mode; without a session, the mode of most bytes. */
export function deliveryOf({ session, stage, store, row }: TaskView): Progress["way"] {
  if (session && stage.kind === "session") return currentDelivery(session.member);
  const [most, bytes] = Object.entries(originsFor({ store, row })).toSorted(([, a], [, b]) => b - a)[0]!;
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
