import { describe, expect, test } from "bun:test";
import type { NetInterface } from "../../model/interface.ts";
import { InterfaceWatch } from "./watch.ts";

const eth0: NetInterface = {
  name: "eth0",
  address: "10.1.0.9",
  cidr: "10.1.0.0/24",
  mac: "02:00:00:00:00:01",
  medium: "wired",
  hasLink: true,
  linkChanges: 2,
  hasGateway: true,
};
const wlan0: NetInterface = {
  ...eth0,
  name: "wlan0",
  address: "10.2.0.9",
  cidr: "10.2.0.0/24",
  medium: "wireless",
};
const unplugged = (one: NetInterface): NetInterface => ({ ...one, address: "", cidr: "", hasLink: false });

/** A device whose agent looks every two seconds; each look returns the change as text, or null. */
function device(named: string | null = null) {
  const watch = new InterfaceWatch(named);
  let nowMs = 1_000;
  let wallMs = 1_700_000_000_000;
  return {
    watch,
    isBusy: false,
    sleep(ms: number) {
      wallMs += ms;
    },
    look(...interfaces: NetInterface[]): string | null {
      nowMs += 2_000;
      wallMs += 2_000;
      const change = watch.look({ interfaces, towardsSource: null, isBusy: this.isBusy, nowMs, wallMs });
      return change && `${change.from?.address ?? "-"} → ${change.to?.address ?? "-"}: ${change.cause}`;
    },
  };
}

describe("the watch over the interfaces", () => {
  test("takes the best at the first look, and keeps it", () => {
    const it = device();
    expect(it.look(wlan0, eth0)).toBe("- → 10.1.0.9: wired eth0 has an address");
    expect(it.look(wlan0, eth0)).toBeNull();
    expect(it.watch.why).toBe("");
  });

  test("moves at once when the cable is pulled out, even in a session, and says why it is there", () => {
    const it = device();
    it.look(eth0, wlan0);
    it.isBusy = true;
    expect(it.look(unplugged(eth0), wlan0)).toBe("10.1.0.9 → 10.2.0.9: wired eth0 has no link");
    expect(it.watch.why).toBe("wired eth0 has no link");
  });

  test("goes back when the better one has stayed, not before", () => {
    const it = device();
    it.look(unplugged(eth0), wlan0);
    expect(it.look(eth0, wlan0)).toBeNull();
    expect(it.watch.why).toBe("wired eth0 is better, it is taken if it stays");
    expect(it.look(unplugged(eth0), wlan0)).toBeNull();
    expect(it.look(eth0, wlan0)).toBeNull();
    expect(it.look(eth0, wlan0)).toBeNull();
    expect(it.look(eth0, wlan0)).toBe("10.2.0.9 → 10.1.0.9: wired eth0 is better");
    expect(it.watch.why).toBe("");
  });

  test("does not go back in the middle of a session", () => {
    const it = device();
    it.look(unplugged(eth0), wlan0);
    it.isBusy = true;
    for (let looks = 0; looks < 10; looks++) expect(it.look(eth0, wlan0)).toBeNull();
    expect(it.watch.why).toBe("wired eth0 is better, it is taken when no session is under way");
    it.isBusy = false;
    expect(it.look(eth0, wlan0)).toBe("10.2.0.9 → 10.1.0.9: wired eth0 is better");
  });

  test("an address that changes is a change at once", () => {
    const it = device();
    it.look(eth0);
    it.isBusy = true;
    expect(it.look({ ...eth0, address: "10.1.0.77" })).toBe(
      "10.1.0.9 → 10.1.0.77: the address of wired eth0 changed",
    );
  });

  test("an interface that goes away and comes back with the same address is taken up anew", () => {
    const it = device();
    it.look(eth0);
    expect(it.look()).toBe("10.1.0.9 → -: wired eth0 is gone");
    expect(it.watch.why).toBe("no interface has an IPv4 address");
    expect(it.look()).toBeNull();
    expect(it.look(eth0)).toBe("- → 10.1.0.9: wired eth0 has an address");
  });

  test("a link that came and went between two looks is taken up anew", () => {
    const it = device();
    it.look(eth0);
    expect(it.look({ ...eth0, linkChanges: 4 })).toBe("10.1.0.9 → 10.1.0.9: wired eth0 had lost its link");
    expect(it.look({ ...eth0, linkChanges: 4 })).toBeNull();
  });

  test("after sleep the same interface is taken up anew", () => {
    const it = device();
    it.look(eth0);
    it.sleep(600_000);
    expect(it.look(eth0)).toBe("10.1.0.9 → 10.1.0.9: the device slept");
    expect(it.look(eth0)).toBeNull();
  });

  test("an interface named by its name survives another address, and no other takes its place", () => {
    const it = device("eth0");
    it.look(eth0, wlan0);
    expect(it.look({ ...eth0, address: "10.1.0.77" }, wlan0)).toContain("→ 10.1.0.77");
    expect(it.look(unplugged(eth0), wlan0)).toBe("10.1.0.77 → -: wired eth0 has no link");
    expect(it.watch.why).toBe("--interface eth0 has no link");
  });
});
