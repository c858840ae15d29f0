/**
 * Gateway of an interface, chosen from its routes: the files of the systems read them. A VPN may
 * have taken the default route; the route to its server then still names the LAN's gateway.
 */
import { isIPv4 } from "node:net";

export type Route = { readonly gateway: string; readonly isDefault: boolean; readonly metric: number };

/** Returns the gateway of the default route, else of another route, with the lowest metric. */
export function bestGateway(routes: readonly Route[]): string | null {
  const best = routes
    .filter(({ gateway }) => isIPv4(gateway))
    .toSorted(
      (a, b) =>
        Number(b.isDefault) - Number(a.isDefault) ||
        a.metric - b.metric ||
        a.gateway.localeCompare(b.gateway, "en", { numeric: true }),
    )[0];
  return best?.gateway ?? null;
}

/** Returns the gateway in the output of `netstat -rn -f inet` (macOS), which has no metrics. */
export const gatewayInNetstat = (listing: string, interfaceName: string): string | null =>
  bestGateway(
    listing.split("\n").flatMap((line) => {
      const [destination, gateway = "", flags = "", ...more] = line.trim().split(/\s+/);
      const isRoute = flags.includes("G") && more.includes(interfaceName);
      return isRoute ? [{ gateway, isDefault: destination === "default", metric: 0 }] : [];
    }),
  );
