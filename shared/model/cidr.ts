/** Comparison of networks in CIDR notation, for targets and for addresses of one egress. Pure. */
import ipaddr from "ipaddr.js";

/** Returns whether the network `outer` contains all of `inner`; false when either is not a CIDR. */
export function cidrContains(outer: string, inner: string): boolean {
  const [a, b] = [parsedCidr(outer), parsedCidr(inner)];
  if (a === null || b === null) return false;
  return a[0].kind() === b[0].kind() && b[1] >= a[1] && b[0].match(a[0], a[1]);
}

type ParsedCidr = ReturnType<typeof ipaddr.parseCIDR>;
/** A parse takes 3 microseconds, and a source compares all devices with all targets. */
const parsedCidrs = new Map<string, ParsedCidr | null>();
const parsedCidrsMax = 16_384;

/** Returns null for a text that is not a CIDR. */
function parsedCidr(text: string): ParsedCidr | null {
  const known = parsedCidrs.get(text);
  if (known !== undefined) return known;
  if (parsedCidrs.size >= parsedCidrsMax) parsedCidrs.clear();
  const parsed = ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : null;
  parsedCidrs.set(text, parsed);
  return parsed;
}
