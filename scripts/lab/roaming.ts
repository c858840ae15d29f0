/**
 * Moves a device to another site: its own link goes down, a new one leads to that site's switch.
 */
import { ip, limitRate } from "./namespace.ts";
import { gatewayOf, lanBurstBytes } from "./topology.ts";
import { type LabSite } from "./site.ts";
import type { WorldDevice } from "./world.ts";

const routes = (site: LabSite): string[] => [
  `route add default via ${gatewayOf(site)}`,
  "route add 224.0.0.0/4 dev eth0",
];
/** Port at the other site's switch. Interface names have at most 15 characters. */
const portOf = ({ place }: WorldDevice): string => `moved-${place.name}`;
/** Address at the other site, above those of its own devices. */
const addressAt = (site: LabSite, device: WorldDevice): string =>
  site.cidr.replace(/0\/24$/, String(200 + (Number(device.place.address.split(".")[3]) % 50)));

/**
 * Moves a device to `site`. The interface keeps its name and gets an address of the other subnet.
 * @param mbit rate of its port, both ways
 */
export async function moveDevice(device: WorldDevice, site: LabSite, mbit: number): Promise<void> {
  const { namespace } = device.place;
  const port = portOf(device);
  await ip(namespace, ["link set eth0 down", "addr flush dev eth0", "link set eth0 name parked0"]);
  await ip(site.router, [
    `link add ${port} type veth peer name eth0 netns ${namespace}`,
    `link set ${port} master lan`,
    `link set ${port} up`,
  ]);
  await limitRate(site.router, port, mbit, lanBurstBytes);
  await ip(namespace, [
    `addr add ${addressAt(site, device)}/24 brd + dev eth0`,
    "link set eth0 up",
    ...routes(site),
  ]);
  await limitRate(namespace, "eth0", mbit, lanBurstBytes);
}

/** Moves a device back to its own site. @param from the site that it was moved to */
export async function returnDevice(device: WorldDevice, from: LabSite): Promise<void> {
  const { namespace, address } = device.place;
  await ip(from.router, [`link del ${portOf(device)}`]);
  await ip(namespace, [
    "link set parked0 name eth0",
    `addr add ${address}/24 brd + dev eth0`,
    "link set eth0 up",
    ...routes(device.site),
  ]);
}
