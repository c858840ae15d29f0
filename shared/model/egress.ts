/**
 * Egress of a device: the address under which its LAN reaches the source, in the form that all
 * devices of the LAN have in common. Not an identity (subnet.ts): one LAN may have several egresses.
 *
 * Pure.
 */
import ipaddr from "ipaddr.js";
import { cidrContains } from "./cidr.ts";
import { canonicalAddress, networkOf } from "./subnet.ts";

/** Devices of one link have this prefix of their IPv6 addresses in common. */
const ipv6PrefixBits = 64;

/**
 * Returns "routed" for a device whose LAN address reaches the source without translation.
 *
 * @param cidr network of the device
 * @param remoteAddress the device's address as the source sees it
 */
export function egressOf(cidr: string, remoteAddress: string): string {
  const remote = canonicalAddress(remoteAddress);
  const isIpv6 = ipaddr.IPv6.isValid(remote);
  if (cidrContains(cidr, `${remote}/${isIpv6 ? 128 : 32}`)) return "routed";
  return isIpv6 ? (networkOf(`${remote}/${ipv6PrefixBits}`) ?? remote) : remote;
}
