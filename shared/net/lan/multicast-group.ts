/** The IPv4 multicast group of a deployment, written ADDRESS:PORT. */
export type Group = { address: string; port: number };

/** The default group: organisation-local scope (RFC 2365), kept on the subnet by a TTL of 1. */
export const defaultGroup: Group = { address: "239.255.70.67", port: 7_067 };

/**
 * Parses "ADDRESS:PORT" with an IPv4 multicast address.
 * @throws Error that quotes the text
 */
export function parseGroup(text: string): Group {
  const match = /^(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})$/.exec(text);
  const octets = match?.[1]!.split(".").map(Number) ?? [];
  const port = Number(match?.[2]);
  const isMulticast = octets.every((octet) => octet <= 255) && octets[0]! >= 224 && octets[0]! <= 239;
  if (!match || !isMulticast || port < 1 || port > 65_535) {
    throw new Error(`"${text}" is not a multicast group: write ADDRESS:PORT, for example 239.255.70.67:7067`);
  }
  return { address: match[1]!, port };
}

export const formatGroup = ({ address, port }: Group): string => `${address}:${port}`;
