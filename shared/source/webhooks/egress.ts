/**
 * Rules for addresses to which people have the source send requests: public addresses, and the
 * networks that an option of `serve` names. Webhooks go to public addresses over https only.
 * Otherwise a person who may add a webhook, or publish, would reach services of the source's
 * machine and network.
 *
 * The addresses of a name are judged, and the connection uses one of them: another answer of the
 * DNS has no effect.
 */
import { lookup } from "node:dns/promises";
import ipaddr from "ipaddr.js";

type Network = [address: ipaddr.IPv4 | ipaddr.IPv6, bits: number];
export type AllowedNetworks = readonly Network[];
type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Refusal of an address, in words for a person. */
export class EgressError extends Error {
  override readonly name = "EgressError";
}

/** @throws Error that quotes the text */
export function parseNetworks(texts: readonly string[]): AllowedNetworks {
  return texts.map((text) => {
    const plain = text.trim();
    try {
      const [address, bits] = ipaddr.parseCIDR(
        plain.includes("/") ? plain : `${plain}/${plain.includes(":") ? 128 : 32}`,
      );
      return [address, bits];
    } catch {
      throw new Error(`"${text}" is not a CIDR: write for example 10.1.0.0/16, 127.0.0.1 or fd00::/8`);
    }
  });
}

const isIn = (address: Address, networks: AllowedNetworks): boolean =>
  networks.some(([network, bits]) => address.kind() === network.kind() && address.match(network, bits));

/**
 * Returns the URL of a text.
 * @throws EgressError for one that no webhook may have, whatever its addresses
 */
export function parseTarget(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:"))
    throw new EgressError(`"${text.slice(0, 200)}" is not a web address: write https://HOST/PATH`);
  if (url.username !== "" || url.password !== "")
    throw new EgressError("The address has a password: the signature tells the receiver who sends");
  return url;
}

export type EgressRule = {
  readonly networks: AllowedNetworks;
  /** Option of `serve` that allows further networks. */
  readonly option: "--webhook-network" | "--publish-network";
  /** Whether public addresses may be reached without TLS. */
  readonly allowsHttp: boolean;
};

/** Returns the rule of webhooks. */
export const webhookRule = (networks: AllowedNetworks): EgressRule => ({
  networks,
  option: "--webhook-network",
  allowsHttp: false,
});

/**
 * Returns the address to connect to.
 * @throws EgressError for a name without addresses, and for one with an address that is not allowed
 */
export async function allowedAddress(
  url: URL,
  { networks, option, allowsHttp }: EgressRule,
): Promise<string> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const found = ipaddr.isValid(host) ? [host] : await addressesOf(host);
  for (const text of found) {
    // An IPv4 address within IPv6 is the same machine.
    const address = ipaddr.process(text);
    if (isIn(address, networks)) continue;
    if (address.range() !== "unicast")
      throw new EgressError(
        `${host} has the address ${text}, which is not public: serve ${option} ${text} allows it`,
      );
    if (url.protocol !== "https:" && !allowsHttp)
      throw new EgressError(`${url.origin} has no TLS: give an https address`);
  }
  return found[0]!;
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    const found = await lookup(host, { all: true });
    if (found.length > 0) return found.map(({ address }) => address);
  } catch (error) {
    throw new EgressError(`The name ${host} is not known (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
  throw new EgressError(`The name ${host} has no address`);
}
