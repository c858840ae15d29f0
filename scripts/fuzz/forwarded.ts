/**
 * Fuzz target of the headers in which proxies state a client's address. The case is a client that
 * sends any header, and proxies that append what they see: no header makes it another client.
 */
import { isIP } from "node:net";
import { clientAddress, parseTrustedProxies } from "../../shared/source/client-address.ts";
import { canonicalAddress } from "../../shared/model/subnet.ts";
import { mutated } from "./mutate.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { promise, type Target } from "./target.ts";

const trusted = parseTrustedProxies(["10.0.0.0/8", "2001:db8:1::/48"]);
const proxies = ["10.1.2.3", "10.255.255.255", "2001:db8:1::5", "::ffff:10.1.2.3"] as const;
const clients = ["198.51.100.7", "2001:db8::7", "::ffff:198.51.100.7", "127.0.0.1"] as const;
/** Pieces of headers, as a client may write them. */
const pieces = [
  "for=",
  "For=",
  "6.6.6.6",
  '"[2001:db8:6::6]:80"',
  "10.9.9.9",
  "unix:",
  '"',
  "\\",
  ",",
  ", ",
  ";",
  "=",
  "[",
  "]",
  "::ffff:6.6.6.6",
  ":443",
  ":_a",
  "%eth0",
  'host="a, for=6.6.6.6;b="',
  "proto=https",
  "unknown",
  "_hidden",
  "\t",
  "\u00a0",
  "06.6.6.6",
  "0x6.6.6.6",
] as const;

/** Returns a header's value that fetch and servers allow: one line of Latin-1. */
function hostileHeader(random: SeededRandom): string {
  let text = "";
  for (let count = random.int(9); count > 0; count--) text += random.pick(pieces);
  if (random.oneIn(3)) text = Buffer.from(mutated(random, Buffer.from(text))).toString("latin1");
  return text.replaceAll(/[^\t -~\u0080-\u00ff]/g, "");
}

const quotedNode = (address: string): string => (isIP(address) === 6 ? `"[${address}]"` : address);

/** Element that a proxy appends, in one of the forms of real proxies. */
function elementOf(random: SeededRandom, kind: "forwarded" | "x-forwarded-for", address: string): string {
  if (kind === "x-forwarded-for") return random.oneIn(4) ? plainWithPort(address) : address;
  const node = `for=${quotedNode(address)}`;
  return random.pick([
    node,
    `${node};proto=https`,
    `proto=http;${node};by=10.1.2.3`,
    `${node};host="a.example:80"`,
  ]);
}

const plainWithPort = (address: string): string =>
  isIP(address) === 6 ? `[${address}]:4711` : `${address}:4711`;

export const forwarded: Target = {
  name: "forwarded",
  about: "Forwarded and X-Forwarded-For, as a client and the proxies behind it write them",
  share: 300,
  open: () => ({
    run(random) {
      const client = random.pick(clients);
      const headers = new Headers();
      // Addresses that the proxies see: the client's, then those of the proxies before them.
      const seen = [client, ...Array.from({ length: random.int(3) }, () => random.pick(proxies))];
      const appended = random.pick([
        ["forwarded"],
        ["x-forwarded-for"],
        ["forwarded", "x-forwarded-for"],
      ] as const);
      for (const kind of ["forwarded", "x-forwarded-for"] as const) {
        const own = random.oneIn(4) ? "" : hostileHeader(random);
        const added = appended.some((one) => one === kind)
          ? seen.map((address) => elementOf(random, kind, address))
          : [];
        const value = [...(own === "" ? [] : [own]), ...added].join(random.pick([",", ", ", " ,\t"]));
        if (value !== "") headers.set(kind, value);
      }
      const peer = random.pick(proxies);
      const [found, right] = [clientAddress(peer, headers, trusted), canonicalAddress(client)];
      promise(isIP(found) !== 0 && canonicalAddress(found) === found, `${found} is an address`);
      const socket = canonicalAddress(peer);
      promise(found === right || found === socket, `${client} is not taken for ${found}`);
      const isAlone = [...headers.keys()].length === 1;
      promise(
        found === right || !isAlone,
        `a client hides behind one header: ${JSON.stringify([...headers])}`,
      );
      const stranger = clientAddress(client, headers, trusted);
      promise(stranger === right, `a client without a proxy is itself, not ${stranger}`);
      return found === right ? "client" : "proxy";
    },
  }),
};
