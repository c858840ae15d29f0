/**
 * Impairments of multicast as they occur in the field, made with the kernel's bridge and nftables:
 *
 *   dropped      the switch drops all IPv4 multicast on the device's port, both ways
 *   pruned       IGMP snooping without queries at the device: its membership expires after seconds
 *   udp-blocked  the device's own firewall drops inbound UDP
 *   wireless     the device's interface is a radio
 *   isolated     the switch forwards only between the device and the router (client isolation)
 */
import type { FaultName } from "../../shared/model/fault.ts";
import { outputOf } from "../rig/process.ts";
import { inside, ip } from "./namespace.ts";
import { portOf, type Impairment, type LabDevice, type LabSite } from "./site.ts";

/** Words of `--multicast`. "off" is the setting useMulticast=false. */
export const multicastKinds = [
  "works",
  "off",
  "dropped",
  "pruned",
  "udp-blocked",
  "wireless",
  "isolated",
  "mixed",
] as const;
export type MulticastKind = (typeof multicastKinds)[number];

export const faultsOfImpairments = {
  dropped: "multicast-dropped",
  pruned: "prune",
  "udp-blocked": "udp-blocked",
  wireless: "wireless",
  isolated: "isolated",
} as const satisfies Record<Impairment, FaultName>;

/** Returns the fault that impairs a device's multicast; null when nothing does. */
const faultAt = ({ impairment }: LabDevice) => impairment && faultsOfImpairments[impairment];

/** Impairments of the last devices of a subnet, one each, for "mixed". */
const mixed: readonly Impairment[] = ["dropped", "pruned", "udp-blocked", "wireless"];

/** @param at index of the device in its subnet of `devices` devices */
export function impairmentOf(kind: MulticastKind, at: number, devices: number): Impairment | null {
  switch (kind) {
    case "works":
    case "off":
      return null;
    case "mixed":
      return mixed[at - (devices - mixed.length)] ?? null;
    case "wireless":
      return at === devices - 1 ? "wireless" : null;
    default:
      return kind;
  }
}

/**
 * Arguments of `ip link add … type bridge`: queries every second, membership expires after three.
 */
export const snoopingWords =
  "mcast_snooping 1 mcast_querier 1 mcast_query_interval 100 mcast_startup_query_interval 100 " +
  "mcast_query_response_interval 50 mcast_membership_interval 300";

export const needsSnooping = ({ devices }: Pick<LabSite, "devices">): boolean =>
  devices.some((device) => faultAt(device) === "prune");

const table = "impairment";
const nft = (namespace: string, rules: string): Promise<string> =>
  outputOf([...inside(namespace), "nft", "-f", "-"], { input: rules });

/** Applies the impairments of a site's devices. */
export async function impair(site: LabSite): Promise<void> {
  const isolated = portsWith(site, "isolated");
  await ip(
    site.router,
    isolated.map((port) => `link set ${port} type bridge_slave isolated on`),
  );
  const ports = portsWith(site, "multicast-dropped");
  if (ports.length > 0) await nft(site.router, portRules(ports));
  for (const device of site.devices) {
    const rules = deviceRules(device);
    if (rules !== null) await nft(device.namespace, rules);
  }
}

const portsWith = ({ devices }: LabSite, fault: FaultName): string[] =>
  devices.flatMap((device, at) => (faultAt(device) === fault ? [portOf(at)] : []));

function portRules(ports: readonly string[]): string {
  const set = `{ ${ports.join(", ")} }`;
  return `table bridge ${table} {
  chain forward {
    type filter hook forward priority 0;
    iifname ${set} ip daddr 224.0.0.0/4 drop
    oifname ${set} ip daddr 224.0.0.0/4 drop
  }
}
`;
}

function deviceRules(device: LabDevice): string | null {
  switch (faultAt(device)) {
    case "prune":
      return `table netdev ${table} {
  chain arriving {
    type filter hook ingress device ${device.link} priority 0;
    ip protocol igmp drop
  }
}
`;
    case "udp-blocked":
      return `table inet ${table} {
  chain input {
    type filter hook input priority 0;
    meta l4proto udp drop
  }
}
`;
    default:
      return null;
  }
}

/**
 * Removes the filters of a site: multicast is forwarded, IGMP queries and UDP reach the devices.
 */
export async function removeImpairments(site: LabSite): Promise<void> {
  if (portsWith(site, "multicast-dropped").length > 0) await remove(site.router, "bridge");
  for (const device of site.devices) {
    const fault = faultAt(device);
    if (fault === "prune") await remove(device.namespace, "netdev");
    if (fault === "udp-blocked") await remove(device.namespace, "inet");
  }
}

const remove = (namespace: string, family: string): Promise<string> =>
  nft(namespace, `table ${family} ${table}\ndelete table ${family} ${table}\n`);
