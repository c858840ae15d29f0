import { describe, expect, test } from "bun:test";
import { chooseInterface } from "./choice.ts";
import { type NetInterface } from "../../model/interface.ts";

const one = (name: string, address: string, more: Partial<NetInterface> = {}): NetInterface => ({
  name,
  address,
  cidr: address === "" ? "" : `${address.replace(/\d+$/, "0")}/24`,
  mac: "02:00:00:00:00:01",
  medium: "wired",
  hasLink: true,
  linkChanges: 0,
  hasGateway: false,
  ...more,
});
const loopback = one("lo", "127.0.0.1", { medium: "loopback" });
const wifi = one("wlan0", "10.2.0.9", { medium: "wireless", hasGateway: true });
const tunnel = one("tun0", "10.8.0.2", { medium: "vpn", hasGateway: true });
const docker = one("docker0", "172.17.0.1", { medium: "virtual" });
const strange = one("host0", "10.3.0.9", { medium: "unknown" });
const unplugged = one("eth0", "", { hasLink: false });

type Case = {
  what: string;
  given: NetInterface[];
  towards?: string;
  named?: string;
  chosen: string | null;
  why?: string;
};
const cases: Case[] = [
  { what: "prefers wired to wireless", given: [wifi, one("eth0", "10.1.0.9")], chosen: "eth0" },
  {
    what: "prefers wired to an unknown medium",
    given: [strange, one("eth0", "10.1.0.9")],
    chosen: "eth0",
  },
  { what: "prefers an unknown medium to wireless", given: [wifi, strange], chosen: "host0" },
  {
    what: "does not choose a VPN, even if it leads to the source",
    given: [tunnel, docker, wifi],
    towards: "10.8.0.2",
    chosen: "wlan0",
  },
  {
    what: "chooses none if only VPN and virtual interfaces exist, and names them",
    given: [loopback, tunnel, docker],
    chosen: null,
    why: "nothing is shared over vpn tun0, virtual docker0",
  },
  {
    what: "chooses none if only a VPN is usable, and names what the LAN interface lacks",
    given: [tunnel, unplugged],
    chosen: null,
    why: "wired eth0 has no link, nothing is shared over vpn tun0",
  },
  {
    what: "chooses none if only loopback exists",
    given: [loopback],
    chosen: null,
    why: "no interface has an IPv4 address",
  },
  {
    what: "chooses wireless if the wired interface has no link",
    given: [unplugged, wifi],
    chosen: "wlan0",
    why: "wired eth0 has no link",
  },
  {
    what: "chooses wireless if the wired interface has no address",
    given: [one("eth0", ""), wifi],
    chosen: "wlan0",
    why: "wired eth0 has no address",
  },
  {
    what: "ignores the address of an interface without a link",
    given: [one("eth0", "10.1.0.9", { hasLink: false }), wifi],
    chosen: "wlan0",
    why: "wired eth0 has no link",
  },
  {
    what: "prefers wireless to a wired interface with a link-local address",
    given: [one("eth0", "169.254.3.4"), wifi],
    chosen: "wlan0",
    why: "wired eth0 has a link-local address only",
  },
  {
    what: "chooses a link-local address if no other is usable",
    given: [one("eth0", "169.254.3.4"), tunnel],
    chosen: "eth0",
    why: "no interface has more than a link-local address",
  },
  {
    what: "prefers the wired interface with a default gateway",
    given: [one("eth0", "10.1.0.9"), one("eth1", "10.4.0.9", { hasGateway: true })],
    towards: "10.1.0.9",
    chosen: "eth1",
  },
  {
    what: "prefers the interface towards the source if gateways do not differ",
    given: [one("eth0", "10.1.0.9"), one("eth1", "10.4.0.9")],
    towards: "10.4.0.9",
    chosen: "eth1",
  },
  {
    what: "prefers the lowest name, in numeric order, if nothing else differs",
    given: [one("eth10", "10.1.0.9"), one("eth9", "10.4.0.9")],
    chosen: "eth9",
  },
  {
    what: "chooses loopback if the source is on this device",
    given: [loopback, one("eth0", "10.1.0.9")],
    towards: "127.0.0.1",
    chosen: "lo",
  },
  {
    what: "chooses the interface with the given name",
    given: [one("eth0", "10.1.0.9"), tunnel],
    named: "tun0",
    chosen: "tun0",
  },
  {
    what: "chooses the interface with the given address",
    given: [one("eth0", "10.1.0.9"), loopback],
    named: "127.0.0.1",
    chosen: "lo",
  },
  {
    what: "chooses none if the named interface has no link",
    given: [unplugged, wifi],
    named: "eth0",
    chosen: null,
    why: "--interface eth0 has no link",
  },
  {
    what: "chooses none if no interface has the given address",
    given: [wifi],
    named: "10.1.0.9",
    chosen: null,
    why: "--interface 10.1.0.9 is not there",
  },
];

describe("the choice of the interface", () => {
  test.each(cases)("$what", ({ given, towards, named, chosen, why }) => {
    const choice = chooseInterface(given, { named: named ?? null, towardsSource: towards ?? null });
    expect(choice.chosen?.name ?? null).toBe(chosen);
    expect(choice.why).toBe(why ?? "");
    const reversed = chooseInterface(given.toReversed(), {
      named: named ?? null,
      towardsSource: towards ?? null,
    });
    expect(reversed.chosen?.name ?? null).toBe(chosen);
  });
});
