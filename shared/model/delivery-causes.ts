/** Words of the causes for which chunks do not come by multicast: rows of reason-table.ts. */
import * as v from "valibot";
import { row, words } from "./reason-row.ts";

const text = v.string();
const bytes = v.pipe(v.number(), v.integer(), v.minValue(0));

export const deliveryCauses = {
  "no-group": words("this device could not join the group", "cause"),
  "multicast-off": words("the setting is useMulticast=false", "cause"),
  wireless: words("on a wireless interface, where multicast is slow and lossy", "cause"),
  "data-not-received": row(
    { group: text, packetBytes: bytes },
    ({ group, packetBytes }, { number }) =>
      `announcements are received on ${group}, multicast data in packets of ${number(packetBytes)} bytes is not: look for a rate limit or a filter of multicast, or a smaller MTU on the way`,
    "cause",
  ),
  oversized: row(
    { group: text, packetBytes: bytes, passBytes: bytes },
    ({ group, packetBytes, passBytes }, { number }) =>
      `the representative sends packets of ${number(packetBytes)} bytes on ${group}, and the MTU of this interface lets ${number(passBytes)} bytes pass`,
    "cause",
  ),
  "not-heard": row(
    { group: text },
    ({ group }) =>
      `the representative does not receive this device on ${group}: its firewall or switch port seems to drop multicast`,
    "cause",
  ),
  stuck: row(
    { group: text },
    ({ group }) =>
      `everything was multicast on ${group}, and the repairs complete no chunk here: this device cannot keep up, or a device sends wrong symbols`,
    "cause",
  ),
  "own-frames-lost": row(
    { group: text },
    ({ group }) =>
      `nothing is received on ${group}, not even this device's own frames: its firewall seems to block inbound UDP`,
    "cause",
  ),
  "representative-pruned": row(
    { group: text },
    ({ group }) =>
      `the representative is no longer received on ${group}, other devices are: the switch seems to prune the group, turn on an IGMP querier`,
    "cause",
  ),
  "representative-dropped": row(
    { group: text },
    ({ group }) =>
      `other devices are received on ${group}, the representative is not: its switch port or firewall seems to drop multicast`,
    "cause",
  ),
  "group-pruned": row(
    { group: text },
    ({ group }) =>
      `nothing is received on ${group} any more: the switch seems to prune the group, turn on an IGMP querier`,
    "cause",
  ),
  "group-silent": row(
    { group: text },
    ({ group }) =>
      `nothing is received on ${group}: the switch seems to drop multicast, or to prune the group because there is no IGMP querier`,
    "cause",
  ),
  "was-representative": words("representative", "cause"),
  "held-by-others": words("other devices held it already", "cause"),
  "subnet-unreachable": words("no device of its subnet could be reached", "cause"),
  "joined-after-multicast": words("joined after the multicast", "cause"),
  "joined-late": row(
    { share: v.number() },
    ({ share: given }, { share }) => `joined late, ${share(given)} had been multicast`,
    "cause",
  ),
  "was-standby": words("kept a second copy before the multicast began", "cause"),
  "disk-slow": words("missed parts of the multicast: its disk was too slow", "cause"),
  "buffer-full": words("missed parts of the multicast: its receive buffer was full", "cause"),
  "symbols-lost": words("missed parts of the multicast", "cause"),
  "fetched-by-other-task": words("fetched by another task", "cause"),
  "was-cached": words("already in the cache", "cause"),
} as const;
