/**
 * Bytes on the lab's links, from the kernel's counters and not from the programs: everything that
 * crosses a link, whatever it is for.
 *
 * `bytes` are Ethernet frames. `payloadBytes` excludes the headers of Ethernet, IPv4 and TCP with
 * timestamps (66 bytes a packet). One `curl` is then 1.000 × the file instead of 1.068 × (1.046
 * down, acknowledgements up), so the ratio is the cost of the programs without that of TCP/IP. The
 * ratio is the same with and without segmentation offload, which hides 4 % of the headers. Headers
 * of HTTP, handshakes and records of TLS are payload.
 */
import * as v from "valibot";
import { outputOf } from "../rig/process.ts";
import { type LabSite, portOf } from "./site.ts";
import type { LabNetwork } from "./topology.ts";

const headerBytes = 14 + 20 + 32;

const side = v.object({ bytes: v.number(), packets: v.number() });
const linksSchema = v.array(v.object({ ifname: v.string(), stats64: v.object({ rx: side, tx: side }) }));

type Traffic = { readonly bytes: number; readonly payloadBytes: number };
export type SiteTraffic = {
  /** Traffic of the WAN link, both directions together. */
  readonly wan: Traffic;
  /** Traffic of the WAN link towards the site. */
  readonly wanDown: Traffic;
  /** Bytes that devices of the site sent to each other. A multicast datagram counts once. */
  readonly lanBytes: number;
  /** Bytes at the switch port of each device. */
  readonly ports: readonly {
    readonly device: string;
    readonly sentBytes: number;
    readonly receivedBytes: number;
  }[];
};

const traffic = ({ bytes, packets }: v.InferOutput<typeof side>): Traffic => ({
  bytes,
  payloadBytes: Math.max(0, bytes - packets * headerBytes),
});
const addTraffic = (a: Traffic, b: Traffic): Traffic => ({
  bytes: a.bytes + b.bytes,
  payloadBytes: a.payloadBytes + b.payloadBytes,
});

async function linksOf(namespace: string): Promise<v.InferOutput<typeof linksSchema>> {
  return v.parse(
    linksSchema,
    JSON.parse(await outputOf(["ip", "-n", namespace, "-s", "-j", "link", "show"])),
  );
}

const qdiscsSchema = v.array(v.object({ root: v.optional(v.boolean(), false), bytes: v.number() }));

/**
 * Ethernet bytes that left through an interface with a queueing discipline. The discipline counts
 * the headers of every datagram of a segmentation-offload run, the link's counter only those of the
 * first.
 */
export async function sentThrough(namespace: string, device: string): Promise<number> {
  const text = await outputOf(["tc", "-n", namespace, "-s", "-j", "qdisc", "show", "dev", device]);
  return v.parse(qdiscsSchema, JSON.parse(text)).find(({ root }) => root)?.bytes ?? 0;
}

async function siteTraffic(network: LabNetwork, site: LabSite): Promise<SiteTraffic> {
  const near = await linksOf(network.source);
  const wan = near.find(({ ifname }) => ifname === site.wanDevice)!.stats64;
  const sent = await Promise.all(site.devices.map(({ namespace, link }) => sentThrough(namespace, link)));
  const received = await Promise.all(site.devices.map((_, at) => sentThrough(site.router, portOf(at))));
  const ports = site.devices.map(({ name }, at) => ({
    device: name,
    sentBytes: sent[at]!,
    receivedBytes: received[at]!,
  }));
  const sentBytes = ports.reduce((total, port) => total + port.sentBytes, 0);
  return {
    wan: addTraffic(traffic(wan.tx), traffic(wan.rx)),
    wanDown: traffic(wan.tx),
    lanBytes: Math.max(0, sentBytes - wan.rx.bytes),
    ports,
  };
}

/** Reads the counters of all sites, in the order of `network.sites`. */
export const readCounters = (network: LabNetwork): Promise<SiteTraffic[]> =>
  Promise.all(network.sites.map((site) => siteTraffic(network, site)));

const quietMs = 1_000;
const quietLimitMs = 10_000;

/**
 * Reads the counters once no WAN link carried payload for a second, for example the last reports,
 * and the release of the lease; after ten seconds at the latest.
 */
export async function readQuietCounters(network: LabNetwork): Promise<SiteTraffic[]> {
  const giveUpAtMs = performance.now() + quietLimitMs;
  for (let before = await readCounters(network); ;) {
    await Bun.sleep(quietMs);
    const now = await readCounters(network);
    const isQuiet = trafficBetween(before, now).every(({ wan }) => wan.payloadBytes <= 0);
    if (isQuiet || performance.now() > giveUpAtMs) return now;
    before = now;
  }
}

const subtractTraffic = (a: Traffic, b: Traffic): Traffic => ({
  bytes: a.bytes - b.bytes,
  payloadBytes: a.payloadBytes - b.payloadBytes,
});

/** Returns the traffic between two readings. */
export function trafficBetween(before: readonly SiteTraffic[], after: readonly SiteTraffic[]): SiteTraffic[] {
  return after.map((now, index) => {
    const then = before[index]!;
    return {
      wan: subtractTraffic(now.wan, then.wan),
      wanDown: subtractTraffic(now.wanDown, then.wanDown),
      lanBytes: now.lanBytes - then.lanBytes,
      ports: now.ports.map((port, at) => ({
        device: port.device,
        sentBytes: port.sentBytes - then.ports[at]!.sentBytes,
        receivedBytes: port.receivedBytes - then.ports[at]!.receivedBytes,
      })),
    };
  });
}
