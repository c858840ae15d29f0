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
import { unbracketed } from "../model/unbracketed.ts";

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
    const plain = unbracketed(address);
    const version = isIP(plain);
    const bitsMax = version === 4 ? 32 : 128;
    const prefix = bits === undefined ? bitsMax : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (version === 0 || rest.length > 0 || !(prefix <= bitsMax)) {
      throw new Error(`"${text}" is not a CIDR: write for example 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32`);
    }
    const parsed = ipaddr.parse(plain);
    const isMapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && prefix >= 96;
    const bitsOfNetwork = isMapped ? prefix - 96 : prefix;
    if (bitsOfNetwork === 0)
      throw new Error(
        `"${text}" trusts every client to state its address: give the addresses of the proxies`,
      );
    return [isMapped ? parsed.toIPv4Address() : parsed, bitsOfNetwork];
  });
}

/** @param peer address of the socket's peer */
export function clientAddress(peer: string, headers: Headers, trusted: TrustedProxies): string {
  const socket = canonicalAddress(peer);
  if (!isTrusted(socket, trusted)) return socket;
  const stated: (string | null)[] = [];
  const [forwarded, forwardedFor] = [headers.get("forwarded"), headers.get("x-forwarded-for")];
  if (forwarded !== null) stated.push(clientIn(forwarded, nodeOf, trusted));
  if (forwardedFor !== null) stated.push(clientIn(forwardedFor, (entry) => entry, trusted));
  const [first] = stated;
  // A proxy that sets one header passes the other on as the client sent it: two headers that differ
  // prove nothing.
  if (!first || stated.some((one) => one !== first)) return socket;
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

/**
 * Reads a list from the right, up to the first address that is not a proxy's. The client wrote what
 * is left of it, which is therefore not looked at.
 *
 * @returns null when the list names no client: an entry is malformed, or the list is empty
 */
function clientIn(
  list: string,
  nodeIn: (entry: string) => string | null,
  trusted: TrustedProxies,
): string | null {
  let last: string | null = null;
  for (const entry of list.split(",").toReversed()) {
    const node = nodeIn(entry.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
    // A proxy writes this for a client on a Unix socket, which is a proxy on its own machine.
    if (node === "unix:") continue;
    last = node === null ? null : addressOf(node);
    if (last === null || !isTrusted(last, trusted)) return last;
  }
  return last;
}

const nodePattern = /^(?:\[([\d:a-fA-F.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::(?:\d{1,5}|_[\w.-]+))?$/;

/** Reads an address with or without a port: "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1". */
function addressOf(node: string): string | null {
  const [, bracketed, plain = node] = nodePattern.exec(node) ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? canonicalAddress(bracketed) : null;
  // A zone has a meaning on one machine only.
  return isIP(plain) === 0 || plain.includes("%") ? null : canonicalAddress(plain);
}

function isTrusted(address: string, trusted: TrustedProxies): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  return trusted.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
}

/**
 * One parameter of a hop. A quoted value has no comma, semicolon or escape: no address has one, and
 * a quotation mark that a client left open must not take in the hop that a proxy appends.
 */
const parameterPattern = /^([\w!#$%&'*+.^`|~-]+)=(?:"([^"\\,;]*)"|([\w!#$%&'*+.^`|~:[\]-]+))$/;

/** Returns the `for` of one hop of `Forwarded`; null when the hop is malformed or has none. */
function nodeOf(hop: string): string | null {
  const found: string[] = [];
  for (const text of hop.split(";")) {
    const match = parameterPattern.exec(text.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
    if (match === null) return null;
    const [, name = "", quoted, token = ""] = match;
    if (name.toLowerCase() === "for") found.push(quoted ?? token);
  }
  return found.length === 1 ? found[0]! : null;
}
