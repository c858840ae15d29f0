/**
 * Identity of a subnet: the devices that receive each other's link-local multicast.
 *
 * Two sites may both use 192.168.1.0/24, so the CIDR alone is ambiguous. The gateway's MAC address
 * separates the sites. Where it cannot, the address under which the site reaches the source does.
 *
 * Pure. The source uses the identity to allow one WAN download per subnet. It does not prove
 * reachability: the devices probe whether multicast gets through.
 */
import { createHash } from "node:crypto";
import ipaddr from "ipaddr.js";

/** Input of the identity: the active interface. `group` is empty unless set on the command line. */
export type SubnetTraits = {
  readonly address: string;
  readonly cidr: string;
  readonly gatewayMac: string | null;
  readonly group: string;
};
/** `site` is a text for people that distinguishes subnets with the same CIDR. */
export type SubnetIdentity = { readonly id: string; readonly cidr: string; readonly site: string };

const egressPrefix = "egress:";

/**
 * Whether other devices may get this identity at another place and time. A public address passes to
 * another customer of the provider; a gateway's MAC, or a CIDR without address translation, does
 * not move.
 */
export const isTransient = ({ site }: Pick<SubnetIdentity, "site">): boolean => site.startsWith(egressPrefix);

/**
 * MAC prefixes of virtual routers, in hex digits. Such an address contains a group number and no
 * trait of the site, so it is equal at every site that uses that number.
 */
const virtualRouterPrefixes = [
  "00005e0001", // VRRP for IPv4 (RFC 9568, section 7.3), CARP
  "00005e0002", // VRRP for IPv6
  "00000c07ac", // HSRP version 1
  "00000c9ff", // HSRP version 2 for IPv4
  "000573a00", // HSRP version 2 for IPv6
  "0007b4", // GLBP
  "00090f09", // FortiGate clusters (FGCP)
  "0010dbff", // Juniper clusters (NSRP, chassis cluster)
  "001b1700", // Palo Alto HA
  "001c7f00", // Check Point ClusterXL
  "5255", // user-mode network of QEMU: 52:55 and the gateway's address
  "52540012350", // NAT of VirtualBox
] as const;

const bareMac = (mac: string): string => mac.toLowerCase().replaceAll(/[^0-9a-f]/g, "");

/** Returns whether `mac` belongs to a virtual router and therefore identifies no site. */
export function isVirtualRouterMac(mac: string): boolean {
  const bare = bareMac(mac);
  return virtualRouterPrefixes.some((prefix) => bare.startsWith(prefix));
}

/**
 * Returns the network of a CIDR with the host bits cleared: "10.1.2.3/16" gives "10.1.0.0/16". Null
 * when the text is not a CIDR.
 */
export function networkOf(cidr: string): string | null {
  try {
    const [address, prefixLength] = ipaddr.parseCIDR(cidr);
    const network =
      address.kind() === "ipv4"
        ? ipaddr.IPv4.networkAddressFromCIDR(cidr)
        : ipaddr.IPv6.networkAddressFromCIDR(cidr);
    return `${network.toString()}/${prefixLength}`;
  } catch {
    return null;
  }
}

/**
 * Returns the one spelling of an address: "::ffff:10.0.0.1" gives "10.0.0.1", and a zone
 * ("fe80::1%eth0") is dropped.
 */
export function canonicalAddress(address: string): string {
  const plain = address.replace(/%.*$/, "");
  return ipaddr.isValid(plain) ? ipaddr.process(plain).toString() : plain;
}

/**
 * Returns the subnet of a device. The id is 16 hex digits of a SHA-256 over CIDR, group and site.
 *
 * @param remoteAddress the device's address as the source sees it
 */
export function subnetIdentity(traits: SubnetTraits, remoteAddress: string): SubnetIdentity {
  const cidr = networkOf(traits.cidr) ?? traits.cidr;
  const gateway = traits.gatewayMac === null ? "" : bareMac(traits.gatewayMac);
  const remote = canonicalAddress(remoteAddress);
  const knownGateway = /^[0-9a-f]{12,}$/.test(gateway) && !/^0+$/.test(gateway);
  const site =
    knownGateway && !isVirtualRouterMac(gateway)
      ? `gateway:${gateway}`
      : remote === canonicalAddress(traits.address)
        ? "routed"
        : `${egressPrefix}${remote}`;
  const id = createHash("sha256")
    .update(JSON.stringify([cidr, traits.group, site]))
    .digest("hex")
    .slice(0, 16);
  return { id, cidr, site };
}
