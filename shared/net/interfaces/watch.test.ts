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

/** A device that is observed every two seconds; `look` returns the change as text, or null. */
function device(named: string | null = null) {
  const watch = new InterfaceWatch(named);
  let nowMs = 1_000;
  let uptimeMs = 1_000;
  return {
    watch,
    isBusy: false,
    sleep(ms: number) {
      uptimeMs += ms;
    },
    look(...interfaces: NetInterface[]): string | null {
      nowMs += 2_000;
      uptimeMs += 2_000;
      const change = watch.look({ interfaces, towardsSource: null, isBusy: this.isBusy, nowMs, uptimeMs });
      return change && `${change.from?.address ?? "-"} → ${change.to?.address ?? "-"}: ${change.cause}`;
    },
  };
}

describe("the watch over the interfaces", () => {
  test("chooses the best interface at the first look and keeps it", () => {
    const it = device();
    expect(it.look(wlan0, eth0)).toBe("- → 10.1.0.9: wired eth0 has an address");
    expect(it.look(wlan0, eth0)).toBeNull();
    expect(it.watch.why).toBe("");
  });

  test("moves at once when the cable is unplugged, even in a session, and names the cause", () => {
    const it = device();
    it.look(eth0, wlan0);
    it.isBusy = true;
    expect(it.look(unplugged(eth0), wlan0)).toBe("10.1.0.9 → 10.2.0.9: wired eth0 has no link");
    expect(it.watch.why).toBe("wired eth0 has no link");
  });

  test("moves back only after the better interface is stable", () => {
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

  test("does not move to a better interface during a session", () => {
    const it = device();
    it.look(unplugged(eth0), wlan0);
    it.isBusy = true;
    for (let looks = 0; looks < 10; looks++) expect(it.look(eth0, wlan0)).toBeNull();
    expect(it.watch.why).toBe("wired eth0 is better, it is taken when no session is under way");
    it.isBusy = false;
    expect(it.look(eth0, wlan0)).toBe("10.2.0.9 → 10.1.0.9: wired eth0 is better");
  });

  test("changes at once when the address changes", () => {
    const it = device();
    it.look(eth0);
    it.isBusy = true;
    expect(it.look({ ...eth0, address: "10.1.0.77" })).toBe(
      "10.1.0.9 → 10.1.0.77: the address of wired eth0 changed",
    );
  });

  test("reopens an interface that disappears and returns with the same address", () => {
    const it = device();
    it.look(eth0);
    expect(it.look()).toBe("10.1.0.9 → -: wired eth0 is gone");
    expect(it.watch.why).toBe("no interface has an IPv4 address");
    expect(it.look()).toBeNull();
    expect(it.look(eth0)).toBe("- → 10.1.0.9: wired eth0 has an address");
  });

  test("reopens an interface whose link was lost between two looks", () => {
    const it = device();
    it.look(eth0);
    expect(it.look({ ...eth0, linkChanges: 4 })).toBe("10.1.0.9 → 10.1.0.9: wired eth0 had lost its link");
    expect(it.look({ ...eth0, linkChanges: 4 })).toBeNull();
  });

  test("reopens the same interface after the device slept", () => {
    const it = device();
    it.look(eth0);
    it.sleep(600_000);
    expect(it.look(eth0)).toBe("10.1.0.9 → 10.1.0.9: the device slept");
    expect(it.look(eth0)).toBeNull();
  });

  test("follows a named interface to another address and never replaces it", () => {
    const it = device("eth0");
    it.look(eth0, wlan0);
    expect(it.look({ ...eth0, address: "10.1.0.77" }, wlan0)).toContain("→ 10.1.0.77");
    expect(it.look(unplugged(eth0), wlan0)).toBe("10.1.0.77 → -: wired eth0 has no link");
    expect(it.watch.why).toBe("--interface eth0 has no link");
  });
});
