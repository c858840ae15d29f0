/** Tests of Wake-on-LAN: the bytes of packets, addresses that are refused, and the limits. */
import { expect, test } from "bun:test";
import {
  broadcastOf,
  canonicalMac,
  magicPacket,
  sameMacMs,
  unicastMac,
  WakeLimits,
  wakesPerMinute,
} from "./wake-on-lan.ts";

const macOf = (index: number): string => `02:00:00:00:00:${index.toString(16).padStart(2, "0")}`;

test("a magic packet is six bytes 0xff and sixteen times the address", () => {
  const packet = magicPacket(unicastMac("00:1b:21:3c:4d:5e")!);
  expect(Buffer.from(packet).toString("hex")).toBe(
    "ffffffffffff" +
      "001b213c4d5e001b213c4d5e001b213c4d5e001b213c4d5e" +
      "001b213c4d5e001b213c4d5e001b213c4d5e001b213c4d5e" +
      "001b213c4d5e001b213c4d5e001b213c4d5e001b213c4d5e" +
      "001b213c4d5e001b213c4d5e001b213c4d5e001b213c4d5e",
  );
});

test("only the well-formed address of one network card is woken", () => {
  const refused = [
    "",
    "00:1b:21:3c:4d",
    "00:1b:21:3c:4d:5e:6f",
    "00:1b:21:3c:4d:5g",
    "001b213c4d5e",
    " 00:1b:21:3c:4d:5e",
    "ff:ff:ff:ff:ff:ff",
    "01:00:5e:00:00:01",
    "33:33:00:00:00:01",
    "00:00:00:00:00:00",
  ];
  for (const text of refused) expect(unicastMac(text)).toBeNull();
  expect(canonicalMac("00-1B-21-3C-4D-5E")).toBe("00:1b:21:3c:4d:5e");
});

test("the broadcast address is that of the interface's own network", () => {
  expect(broadcastOf("10.1.2.3/24")).toBe("10.1.2.255");
  expect(broadcastOf("192.168.4.0/22")).toBe("192.168.7.255");
  for (const cidr of ["10.0.0.1/32", "10.0.0.0/31", "0.0.0.0/0", "fd00::/64", "", "all"])
    expect(broadcastOf(cidr)).toBeNull();
});

test("a device wakes an address again only after minutes", () => {
  const limits = new WakeLimits();
  expect(limits.take(macOf(1), 0)).toBe(true);
  expect(limits.take(macOf(1), sameMacMs - 1)).toBe(false);
  expect(limits.take(macOf(2), sameMacMs - 1)).toBe(true);
  expect(limits.take(macOf(1), sameMacMs)).toBe(true);
});

test("a device wakes a bounded number of addresses in a minute, whatever is asked", () => {
  const limits = new WakeLimits();
  const taken = (nowMs: number, first: number): number =>
    Array.from({ length: 2 * wakesPerMinute }, (_, index) => macOf(first + index)).filter((mac) =>
      limits.take(mac, nowMs),
    ).length;
  expect(taken(0, 0)).toBe(wakesPerMinute);
  expect(taken(59_999, 500)).toBe(0);
  expect(taken(60_000, 1_000)).toBe(wakesPerMinute);
});
