/**
 * Redirects that a device follows. A web site on the Internet must not lead a device to services of
 * the device itself or of its network, such as a cloud's metadata, nor from https to http.
 *
 * The check resolves names; the request resolves them again, so it does not stop a name server that
 * changes its answers in between. A proxy resolves names itself: then only written addresses count.
 */
import { lookup } from "node:dns/promises";
import ipaddr from "ipaddr.js";
import { redactUrl } from "../../model/package-url.ts";
import { proxyFor } from "./proxy.ts";

type Zone = "public" | "private" | "link-local" | "loopback";
const zones: Readonly<Record<string, Zone>> = {
  loopback: "loopback",
  unspecified: "loopback",
  linkLocal: "link-local",
  private: "private",
  uniqueLocal: "private",
  carrierGradeNat: "private",
};

/** Returns the zone of an address. */
const zoneOf = (address: string): Zone => zones[ipaddr.process(address).range()] ?? "public";

/** Returns why a redirect is not followed, or null. */
export async function redirectProblem(from: string, to: string): Promise<string | null> {
  const [source, target] = [new URL(from), new URL(to)];
  if (source.protocol === "https:" && target.protocol === "http:")
    return `${redactUrl(from)} redirects from https to ${redactUrl(to)}: correct the web site`;
  if (source.hostname === target.hostname) return null;
  const targetZones = await zonesOf(target);
  const inside = targetZones.find((zone) => zone !== "public");
  if (inside === undefined) return null;
  const sourceZones = await zonesOf(source);
  if (targetZones.every((zone) => isAllowed(sourceZones, zone))) return null;
  return `${redactUrl(from)} redirects to ${redactUrl(to)}, which is a ${inside} address: give that URL to the package, or correct the web site`;
}

/** A site with an inner and a public address counts as inner. */
const isAllowed = (from: readonly Zone[], to: Zone): boolean =>
  to === "public" || from.includes(to) || (to === "private" && from.some((zone) => zone !== "public"));

async function zonesOf(url: URL): Promise<Zone[]> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (ipaddr.isValid(host)) return [zoneOf(host)];
  if (host === "localhost" || host.endsWith(".localhost")) return ["loopback"];
  if (proxyFor(url.href)) return ["public"];
  // An unknown name is reported by the request itself.
  const addresses = await lookup(host, { all: true }).catch(() => []);
  return addresses.map(({ address }) => zoneOf(address));
}
