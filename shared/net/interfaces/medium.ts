/**
 * Determines the medium of an interface: from kernel traits on Linux (/sys/class/net), elsewhere
 * from its name only.
 *
 * Containers and network namespaces see their end of a veth pair as "eth0". A wired name therefore
 * counts as wired unless the traits contradict it.
 */
import type { Medium } from "../../model/interface.ts";
import type { InterfaceTraits } from "../../platform/index.ts";

const vpnNames =
  /^(tun|tap|utun|ppp|wg|tailscale|zt|ipsec|vpn|cscotun|gpd|nordlynx|proton|wwan)|vpn|wireguard/i;
const virtualNames =
  /^(docker|podman|br-|virbr|vmnet|vboxnet|vnet|veth(?!0$)|vEthernet|lxcbr|lxdbr|incusbr|cni|flannel|cali|cilium|kube|dummy|ifb|awdl|llw|anpi|bridge|ap\d)|VirtualBox|VMware|Hyper-V|Bluetooth|^Local Area Connection\*/i;
const wirelessNames = /^(wl|wi-?fi|ath|ra\d|drahtlos|airport)/i;
const wiredNames = /^(eth|en|em|lan|Local Area Connection|bond|team)/i;
const vpnKinds = new Set(["wireguard", "ppp", "gre", "ipip", "wwan"]);
const virtualKinds = new Set(["bridge", "vxlan", "geneve", "batadv"]);
const lanTypes = new Set([1, 32, 801, 802, 803]);

/**
 * Returns the medium of an interface, "unknown" if neither traits nor name determine it.
 * @param traits null if the system does not report them
 */
export function mediumOf(name: string, isLoopback: boolean, traits: InterfaceTraits | null): Medium {
  if (isLoopback) return "loopback";
  if (traits?.isTunnel || (traits && vpnKinds.has(traits.kind)) || vpnNames.test(name)) return "vpn";
  if (traits?.isWireless || traits?.kind === "wlan") return "wireless";
  if (traits && !lanTypes.has(traits.type)) return "vpn";
  // A bridge with a hardware port has the addresses that the port would have.
  if (traits?.kind === "bridge" && traits.hasHardware) return "wired";
  if ((traits && virtualKinds.has(traits.kind)) || virtualNames.test(name)) return "virtual";
  if (wirelessNames.test(name)) return "wireless";
  return wiredNames.test(name) || traits?.hasHardware ? "wired" : "unknown";
}
