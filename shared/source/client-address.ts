/**
 * Address of the client of a request: the socket's, or behind a trusted proxy the one that the
 * proxy states in `Forwarded` (RFC 7239) or `X-Forwarded-For`.
 *
 * Every proxy appends the address of its own client, so the list is read from the right. The first
 * address that is not a trusted proxy's is the client's. Addresses left of it come from the client
 * and may be forged.
 */
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { canonicalAddress } from "../model/subnet.ts";

/** Addresses of proxies, as CIDRs. */
export type TrustedProxies = readonly [ipaddr.IPv4 | ipaddr.IPv6, number][];

/**
 * Parses the values of `--trusted-proxy`: a CIDR, or a single address.
 *
 * @throws Error that quotes the value
 */
export function parseTrustedProxies(texts: readonly string[]): TrustedProxies {
  return texts.map((text) => {
    const [address = "", bits, ...rest] = text.trim().split("/");
    const plain = address.replace(/^\[(.*)\]$/, "$1");
    const version = isIP(plain);
    const bitsMax = version === 4 ? 32 : 128;
    const prefix = bits === undefined ? bitsMax : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (version === 0 || rest.length > 0 || !(prefix <= bitsMax)) {
      throw new Error(`"${text}" is not a CIDR: write for example 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32`);
    }
    const parsed = ipaddr.parse(plain);
    if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && prefix >= 96)
      return [parsed.toIPv4Address(), prefix - 96];
    return [parsed, prefix];
  });
}

/** @param peer address of the socket's peer */
export function clientAddress(peer: string, headers: Headers, trusted: TrustedProxies): string {
  const socket = canonicalAddress(peer);
  if (!isTrusted(socket, trusted)) return socket;
  const lists = [headers.get("forwarded"), headers.get("x-forwarded-for")].map((value, at) =>
    value === null ? null : at === 0 ? forwardedFor(value) : value.split(","),
  );
  const stated = lists.flatMap((list) => (list === null ? [] : [clientIn(list, trusted)]));
  const isMalformed = headers.has("forwarded") && lists[0] === null;
  const [first] = stated;
  // A proxy that sets one header passes the other on as the client sent it: two headers that differ
  // prove nothing.
  if (isMalformed || !first || stated.some((one) => one !== first)) return socket;
  return first;
}

const lastOf = (list: string): string => list.slice(list.lastIndexOf(",") + 1).trim();

/**
 * Returns whether a trusted proxy states that its client uses TLS: in the last hop of `Forwarded`,
 * or in `X-Forwarded-Proto`. Where it sends both, both have to.
 */
export function statesTls(peer: string, headers: Headers, trusted: TrustedProxies): boolean {
  if (!isTrusted(canonicalAddress(peer), trusted)) return false;
  const [forwarded, proto] = [headers.get("forwarded"), headers.get("x-forwarded-proto")];
  if (forwarded === null && proto === null) return false;
  const isProtoTls = proto === null || lastOf(proto).toLowerCase() === "https";
  return isProtoTls && (forwarded === null || /(?:^|;)\s*proto="?https"?\s*(?:;|$)/i.test(lastOf(forwarded)));
}

/** Returns null when the list names no client: an entry is not an address, or the list is empty. */
function clientIn(entries: readonly string[], trusted: TrustedProxies): string | null {
  let last: string | null = null;
  for (const entry of entries.toReversed()) {
    const text = entry.trim();
    // A proxy writes this for a client on a Unix socket, which is a proxy on its own machine.
    if (text === "unix:") continue;
    last = addressOf(text);
    if (last === null || !isTrusted(last, trusted)) return last;
  }
  return last;
}

/** Reads an address with or without a port: "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1". */
function addressOf(text: string): string | null {
  const [, bracketed, plain] =
    /^(?:\[([^\]]*)\](?::[\w.-]+)?|(\d+\.\d+\.\d+\.\d+)(?::[\w.-]+)?)$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? text;
  return isIP(address) === 0 ? null : canonicalAddress(address);
}

function isTrusted(address: string, trusted: TrustedProxies): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  return trusted.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
}

/** One parameter with the character that follows it: ";" within a hop, "," or "" at its end. */
const parameter = /\s*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))\s*(;|,|$)/y;

/**
 * Returns the `for` of every hop of `Forwarded`, "unknown" for a hop without one; null when the
 * value is malformed.
 */
function forwardedFor(value: string): string[] | null {
  const hops: string[] = [];
  let hop = "unknown";
  parameter.lastIndex = 0;
  for (;;) {
    const match = parameter.exec(value);
    if (match === null) return null;
    const [, name = "", quoted, token = "", separator] = match;
    if (name.toLowerCase() === "for") hop = quoted?.replaceAll(/\\(.)/g, "$1") ?? token;
    if (separator === ";") continue;
    hops.push(hop);
    hop = "unknown";
    if (separator === "") return hops;
  }
}
