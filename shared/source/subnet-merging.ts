/**
 * Merges subnets that are one LAN: proposes probes at check-ins (neighbour-probes.ts), and merges
 * when both devices of a probe have confirmed it.
 *
 * Identities differ on one LAN where it has two gateways, where a device does not know its
 * gateway's MAC, or where the gateway's MAC changed. A merge stays, because what tells the
 * identities apart stays too; an administrator can end it (`subnet split`).
 */
import { shuffle } from "../model/random.ts";
import { isTransient } from "../model/subnet.ts";
import type { DevicePlace, DeviceRecord, NeighbourCandidate } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";

/** Probes that one check-in opens, each with another subnet. */
const probesPerCheckIn = 4;

/**
 * Opens probes between a device and connected devices of other subnets of its CIDR, or of its own
 * one if it has another egress, and wakes those devices.
 */
export async function proposeProbes(
  context: SourceContext,
  device: DeviceRecord,
  place: DevicePlace,
): Promise<void> {
  const { catalog, changeHub } = context;
  if (device.subnet === null || place.lanPort === 0) return;
  const connected = (await catalog.subnets.candidates(device, place)).filter(({ deviceId }) =>
    changeHub.isConnected(deviceId),
  );
  const near = device.share === device.subnet.id ? [] : await catalog.subnets.sharers(device.subnet.id);
  connected.push(...near.filter(({ deviceId }) => changeHub.isConnected(deviceId)));
  const byPair = new Map(shuffle(connected, Math.random).map((one) => [pairOf(device, one), one]));
  const own = { deviceId: device.id, address: place.address, lanPort: place.lanPort };
  const woken: string[] = [];
  for (const [pair, candidate] of byPair) {
    if (context.probes.open(pair, [own, sideOf(candidate)], context.nowMs())) woken.push(candidate.deviceId);
    if (woken.length >= probesPerCheckIn) break;
  }
  changeHub.notify(woken);
}

/**
 * Opens a probe between a device and the representative that it receives by multicast, if the two
 * are on different subnets. The frame alone does not merge them: every device of the task has the
 * key that seals it.
 */
export async function onRepresentativeReceived(
  context: SourceContext,
  device: DeviceRecord,
  representativeId: string,
): Promise<void> {
  const { catalog, changeHub, probes, nowMs } = context;
  if (device.subnet !== null && device.share !== device.subnet.id) {
    const sharing = await catalog.subnets.sharers(device.subnet.id);
    const leader = sharing.find(({ deviceId }) => deviceId === representativeId);
    const own = leader && (await catalog.subnets.sideOf(device.id));
    if (leader && own && probes.open(pairOf(device, leader), [sideOf(own), sideOf(leader)], nowMs()))
      changeHub.notify([own.deviceId, leader.deviceId]);
    return;
  }
  const other = await catalog.subnets.candidate(device.id, representativeId);
  const own = other && (await catalog.subnets.candidate(representativeId, device.id));
  if (!own || device.ownSubnet === null) return;
  if (probes.open(pairOf(device, other), [sideOf(own), sideOf(other)], nowMs()))
    changeHub.notify([own.deviceId, other.deviceId]);
}

const sideOf = ({ deviceId, address, lanPort }: NeighbourCandidate) => ({ deviceId, address, lanPort });

/** Names what a probe merges: two subnets, or a device with a transient identity and a subnet. */
function pairOf(device: DeviceRecord, other: NeighbourCandidate): string {
  const { id, subnet, ownSubnet } = device;
  if (subnet!.id === other.subnetId) return `${subnet!.id} ${device.egress}`;
  const own = isTransient(ownSubnet!) ? `device ${id}` : subnet!.id;
  const name = other.isTransient ? `device ${other.deviceId}` : other.subnetId;
  return [own, name].toSorted().join(" ");
}

/** Handles a device's statement that it met the other device of a probe. */
export async function confirmProbe(context: SourceContext, probeId: string, deviceId: string): Promise<void> {
  const { catalog, changeHub, probes, wan, log, nowMs } = context;
  const both = probes.confirm(probeId, deviceId, nowMs());
  if (both === null) return;
  const [one, other] = await Promise.all(both.map((id) => catalog.devices.byId(id)));
  if (one && other && one.subnet !== null && one.subnet.id === other.subnet?.id)
    return shareLease(context, one, other);
  const merge = one && other && (await mergeOf(context, one, other));
  if (!merge) return;
  const isWhole = merge.deviceId === null;
  // The bytes counted so far belong to the merged subnet as well.
  await wan.flush();
  const moved = await catalog.subnets.merge({ ...merge, confirmedBy: both, atMs: nowMs() }, nowMs());
  if (isWhole) wan.redirect(merge.from.id, merge.into.id);
  log.info(
    { from: merge.from, into: merge.into, devices: moved.length, confirmedBy: both },
    isWhole ? "two subnets are one LAN: merged" : "a device is on the LAN of another subnet: merged",
  );
  changeHub.notify(moved);
}

/** Two devices of one subnet met: if one shares its lease, the other one does so from now on. */
async function shareLease(
  { catalog, log, nowMs }: SourceContext,
  one: DeviceRecord,
  other: DeviceRecord,
): Promise<void> {
  const subnetId = one.subnet!.id;
  const newcomer = [one, other].find(({ share }) => share !== subnetId);
  if (newcomer === undefined || one.share === other.share) return;
  await catalog.subnets.joinEgress(subnetId, newcomer.id, nowMs());
  const { egress } = newcomer;
  log.info({ subnetId, egress, confirmedBy: [one.id, other.id] }, "a subnet has another egress");
}

/**
 * Decides which side is merged into which. A device whose identity is transient is merged alone,
 * into the other subnet. Otherwise the smaller subnet is merged.
 */
async function mergeOf({ catalog }: SourceContext, one: DeviceRecord, other: DeviceRecord) {
  const [a, b] = [one.subnet, other.subnet];
  if (a === null || b === null || a.id === b.id || a.cidr !== b.cidr) return null;
  const isOneTransient = isTransient(one.ownSubnet!);
  const isOtherTransient = isTransient(other.ownSubnet!);
  const isOneSmaller =
    isOneTransient === isOtherTransient
      ? (await catalog.subnets.deviceCount(a.id)) <= (await catalog.subnets.deviceCount(b.id))
      : isOneTransient;
  const [moved, from, into] = isOneSmaller ? [one, a, b] : [other, b, a];
  const isAlone = isTransient(moved.ownSubnet!);
  // A device that was merged alone already proves nothing about other subnets.
  if (isAlone && moved.ownSubnet!.id !== from.id) return null;
  return { deviceId: isAlone ? moved.id : null, from, into };
}
