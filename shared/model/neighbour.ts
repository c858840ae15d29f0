/**
 * Whether an address can be that of a neighbour: a host in the network of the interface in use, or
 * this one, where another agent may run. Statements of other devices name addresses, and a device
 * must not be made to connect elsewhere, for example to a metadata service or another network.
 *
 * Pure.
 */
import ipaddr from "ipaddr.js";

/** Interface in use: its address, and its network as "ADDRESS/BITS". */
export type OwnInterface = { readonly address: string; readonly cidr: string };

/** Ranges of ipaddr.js that are not addresses of hosts on a LAN. */
const noHostRanges: ReadonlySet<string> = new Set([
  "unspecified",
  "loopback",
  "linkLocal",
  "multicast",
  "broadcast",
]);

/** Returns false without an interface, and for an address that is not an IP address. */
export function mayBeNeighbour(own: OwnInterface | null, address: string): boolean {
  if (own === null || !ipaddr.isValid(address) || !ipaddr.isValidCIDR(own.cidr)) return false;
  const other = ipaddr.process(address);
  const [network, bits] = ipaddr.parseCIDR(own.cidr);
  if (other.kind() !== network.kind() || !other.match(network, bits)) return false;
  // Devices on one loopback interface may share its address.
  if (network.range() === "loopback") return true;
  // A device without another address works on a link-local one.
  const isOnLinkLocal = network.range() === "linkLocal" && other.range() === "linkLocal";
  return (isOnLinkLocal || !noHostRanges.has(other.range())) && isHost(other, own.cidr, bits);
}

/** Returns false for the address of the network and for the broadcast address. */
function isHost(address: ipaddr.IPv4 | ipaddr.IPv6, cidr: string, bits: number): boolean {
  if (address.kind() !== "ipv4" || bits > 30) return true;
  const edges = [ipaddr.IPv4.networkAddressFromCIDR(cidr), ipaddr.IPv4.broadcastAddressFromCIDR(cidr)];
  return edges.every((edge) => edge.toString() !== address.toString());
}
