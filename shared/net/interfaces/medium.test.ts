import { describe, expect, test } from "bun:test";
import type { InterfaceTraits } from "../../platform/index.ts";
import { mediumOf } from "./medium.ts";
import { type Medium } from "../../model/interface.ts";

const plain: InterfaceTraits = { type: 1, kind: "", isTunnel: false, isWireless: false, hasHardware: false };
const card: InterfaceTraits = { ...plain, hasHardware: true };

const cases: [name: string, traits: InterfaceTraits | null, medium: Medium][] = [
  ["enp3s0", card, "wired"],
  ["net7", card, "wired"],
  // The end of a veth pair in a container or a namespace.
  ["eth0", plain, "wired"],
  ["host0", plain, "unknown"],
  ["vethcafe12", plain, "virtual"],
  ["wlp2s0", { ...card, isWireless: true, kind: "wlan" }, "wireless"],
  ["eth0", { ...card, isWireless: true }, "wireless"],
  ["wlan0", plain, "wireless"],
  ["bond0", { ...plain, kind: "bond" }, "wired"],
  ["eth0.12", { ...plain, kind: "vlan" }, "wired"],
  ["docker0", { ...plain, kind: "bridge" }, "virtual"],
  ["docker0", plain, "virtual"],
  ["lan", { ...plain, kind: "bridge" }, "virtual"],
  ["vmbr0", { ...card, kind: "bridge" }, "wired"],
  ["tun0", { ...plain, type: 65_534, isTunnel: true }, "vpn"],
  ["corp", { ...plain, type: 65_534, kind: "wireguard" }, "vpn"],
  ["eth5", { ...plain, isTunnel: true }, "vpn"],
  ["ppp0", { ...plain, type: 512, kind: "ppp" }, "vpn"],
  ["en0", null, "wired"],
  ["utun3", null, "vpn"],
  ["bridge0", null, "virtual"],
  ["awdl0", null, "virtual"],
  ["Ethernet 2", null, "wired"],
  ["Wi-Fi", null, "wireless"],
  ["WLAN", null, "wireless"],
  ["Local Area Connection", null, "wired"],
  ["Local Area Connection* 9", null, "virtual"],
  ["vEthernet (WSL)", null, "virtual"],
  ["VirtualBox Host-Only Network", null, "virtual"],
  ["Tailscale", null, "vpn"],
  ["OpenVPN Wintun", null, "vpn"],
  ["Bluetooth Network Connection", null, "virtual"],
];

describe("the medium of an interface", () => {
  test.each(cases)("of %s with %o is %s", (name, traits, medium) => {
    expect(mediumOf(name, false, traits)).toBe(medium);
  });

  test("is loopback if the system marks the interface as internal", () => {
    expect(mediumOf("lo", true, null)).toBe("loopback");
  });
});
