/**
 * What kind of network an interface leads to. On Linux the kernel says it (/sys/class/net), elsewhere only its name
 * does. Containers and network namespaces see their end of a virtual cable as "eth0": for them it is the wire, so a
 * name that says "wired" counts where nothing speaks against it.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { DeviceInterface } from "../control/schema.ts";

export type Medium = DeviceInterface["medium"];

/** What the kernel tells of an interface, as far as it matters here. */
export type KernelTraits = {
  /** ARPHRD_… of if_arp.h: 1 Ethernet, 32 InfiniBand, 801 … 803 802.11, 512 PPP, 65534 none (tun, WireGuard). */
  readonly type: number;
  /** DEVTYPE of its uevent: "bridge", "vlan", "bond", "wlan", "wireguard" …, or empty. */
  readonly kind: string;
  readonly isTunnel: boolean;
  readonly isWireless: boolean;
  /** There is hardware behind it; for a bridge: behind one of its ports. */
  readonly hasHardware: boolean;
};

const folder = "/sys/class/net";
const vpnNames =
  /^(tun|tap|utun|ppp|wg|tailscale|zt|ipsec|vpn|cscotun|gpd|nordlynx|proton|wwan)|vpn|wireguard/i;
const virtualNames =
  /^(docker|podman|br-|virbr|vmnet|vboxnet|vnet|veth(?!0$)|vEthernet|lxcbr|lxdbr|incusbr|cni|flannel|cali|cilium|kube|dummy|ifb|awdl|llw|anpi|bridge|ap\d)|VirtualBox|VMware|Hyper-V|Bluetooth|^Local Area Connection\*/i;
const wirelessNames = /^(wl|wi-?fi|ath|ra\d|drahtlos|airport)/i;
const wiredNames = /^(eth|en|em|lan|Local Area Connection|bond|team)/i;
const vpnKinds = new Set(["wireguard", "ppp", "gre", "ipip", "wwan"]);
const virtualKinds = new Set(["bridge", "vxlan", "geneve", "batadv"]);
const lanTypes = new Set([1, 32, 801, 802, 803]);

/** @param traits null where the kernel does not tell */
export function mediumOf(name: string, isLoopback: boolean, traits: KernelTraits | null): Medium {
  if (isLoopback) return "loopback";
  if (traits?.isTunnel || (traits && vpnKinds.has(traits.kind)) || vpnNames.test(name)) return "vpn";
  if (traits?.isWireless || traits?.kind === "wlan") return "wireless";
  if (traits && !lanTypes.has(traits.type)) return "vpn";
  // A bridge over a real port has the addresses that the port would have.
  if (traits?.kind === "bridge" && traits.hasHardware) return "wired";
  if ((traits && virtualKinds.has(traits.kind)) || virtualNames.test(name)) return "virtual";
  if (wirelessNames.test(name)) return "wireless";
  return wiredNames.test(name) || traits?.hasHardware ? "wired" : "unknown";
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    // Not there, or EINVAL: the interface is switched off.
    return "";
  }
};

/** Null on other systems, and where /sys shows another network namespace. */
export function readKernelTraits(name: string): KernelTraits | null {
  const base = `${folder}/${name}`;
  if (process.platform !== "linux" || !existsSync(base)) return null;
  return {
    type: Number(textOf(`${base}/type`)),
    kind: /^DEVTYPE=(.*)$/m.exec(textOf(`${base}/uevent`))?.[1] ?? "",
    isTunnel: existsSync(`${base}/tun_flags`),
    isWireless: existsSync(`${base}/wireless`) || existsSync(`${base}/phy80211`),
    hasHardware:
      existsSync(`${base}/device`) || portsOf(base).some((port) => existsSync(`${folder}/${port}/device`)),
  };
}

const portsOf = (base: string): string[] => (existsSync(`${base}/brif`) ? readdirSync(`${base}/brif`) : []);

/** Interfaces that the kernel knows, also those without an address or a link, but no ports of others; empty elsewhere. */
export function kernelInterfaces(): string[] {
  if (process.platform !== "linux" || !existsSync(folder)) return [];
  const isOne = (name: string): boolean =>
    existsSync(`${folder}/${name}/ifindex`) && !existsSync(`${folder}/${name}/master`);
  return readdirSync(folder).filter(isOne);
}

/** `changes` counts how often the link came and went, as far as the kernel tells. */
export type Link = { readonly isUp: boolean; readonly changes: number };

export function readLink(name: string): Link {
  const base = `${folder}/${name}`;
  if (process.platform !== "linux" || !existsSync(base)) return { isUp: true, changes: 0 };
  const isDown = /^(down|lowerlayerdown|notpresent|dormant)$/.test(textOf(`${base}/operstate`));
  return {
    isUp: textOf(`${base}/carrier`) !== "0" && !isDown,
    changes: Number(textOf(`${base}/carrier_changes`)),
  };
}

/** macOS calls Wi-Fi "en0" as well: names of Wi-Fi devices in the output of `networksetup -listallhardwareports`. */
export function wirelessPorts(listing: string): string[] {
  return [...listing.matchAll(/^Hardware Port: (?:Wi-Fi|AirPort)\s*\nDevice: (\S+)/gm)].map(
    (match) => match[1]!,
  );
}
