/**
 * The identity of a subnet: which devices hear each other's link-local multicast. Two sites may both use
 * 192.168.1.0/24, so a CIDR alone is not enough: the gateway's MAC tells them apart, and where that says nothing the
 * address under which the site reaches the source does.
 *
 * Pure. It is not reachability: the source uses it to count one WAN transfer per subnet; whether multicast really
 * passes is probed by the devices.
 */
import { createHash } from "node:crypto";
import ipaddr from "ipaddr.js";

/** What the identity is read off: the device's active interface. `group` is empty unless given by hand. */
export type SubnetTraits = {
  readonly address: string;
  readonly cidr: string;
  readonly gatewayMac: string | null;
  readonly group: string;
};
/** `site` says for a person what tells it from other subnets of that CIDR. */
export type SubnetIdentity = { readonly id: string; readonly cidr: string; readonly site: string };

/** VRRP (RFC 9568 §7.3) for IPv4 and IPv6, HSRP versions 1 and 2: the same MAC at every site that uses them. */
const virtualRouterPrefixes = ["00005e0001", "00005e0002", "00000c07ac", "000573a0"] as const;

const bareMac = (mac: string): string => mac.toLowerCase().replaceAll(/[^0-9a-f]/g, "");

export function isVirtualRouterMac(mac: string): boolean {
  const bare = bareMac(mac);
  return virtualRouterPrefixes.some((prefix) => bare.startsWith(prefix));
}

/** The network a CIDR lies in, host bits cleared: "10.1.2.3/16" is "10.1.0.0/16". Null if it is no CIDR. */
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

/** Does the network `outer` hold all of `inner`? False when either is no CIDR. */
export function cidrContains(outer: string, inner: string): boolean {
  try {
    const [outerAddress, outerLength] = ipaddr.parseCIDR(outer);
    const [innerAddress, innerLength] = ipaddr.parseCIDR(inner);
    return (
      outerAddress.kind() === innerAddress.kind() &&
      innerLength >= outerLength &&
      innerAddress.match(outerAddress, outerLength)
    );
  } catch {
    return false;
  }
}

/** One spelling per address: "::ffff:10.0.0.1" is "10.0.0.1", a zone ("fe80::1%eth0") is dropped. */
export function canonicalAddress(address: string): string {
  const plain = address.replace(/%.*$/, "");
  return ipaddr.isValid(plain) ? ipaddr.process(plain).toString() : plain;
}

/** @param remoteAddress the device's address as the source sees it. */
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
        : `egress:${remote}`;
  const id = createHash("sha256")
    .update(JSON.stringify([cidr, traits.group, site]))
    .digest("hex")
    .slice(0, 16);
  return { id, cidr, site };
}
