import { describe, expect, test } from "bun:test";
import {
  busyPercent,
  isLocked,
  isMeteredCost,
  lockInformation,
  memoryFreeOf,
  powerOf,
  userIdleMsOf,
} from "./windows-conditions.ts";
import { sessionInformation } from "./windows-sessions.ts";

const viewOf = (hex: string): DataView => new DataView(new Uint8Array(Buffer.from(hex, "hex")).buffer);
const hexOf = (...octets: number[]): string => Buffer.from(octets).toString("hex");

/** SYSTEM_POWER_STATUS without the remaining times. */
const power = (...octets: [line: number, flags: number, percent: number, saver: number]): DataView =>
  viewOf(`${hexOf(...octets)}${"ff".repeat(8)}`);

describe("the power source of Windows", () => {
  test.each<
    [
      what: string,
      status: DataView | null,
      onBattery: boolean | null,
      percent: number | null,
      saver: boolean | null,
    ]
  >([
    ["of Wine 8 is the line", viewOf("0180ff00ffffffffffffffff"), false, null, false],
    ["of a laptop on its line", power(1, 8, 62, 0), false, 62, false],
    ["of an unplugged laptop", power(0, 1, 41, 0), true, 41, false],
    ["of a laptop that saves power", power(0, 4, 4, 1), true, 4, true],
    ["is not known", power(255, 255, 255, 0), null, null, false],
    ["does not count a charge of a battery that is not there", power(1, 128, 80, 0), false, null, false],
    ["cannot be asked", null, null, null, null],
  ])("%s", (_, status, onBattery, batteryPercent, savesPower) => {
    expect(powerOf(status)).toEqual({ onBattery, batteryPercent, savesPower });
  });
});

test.each<[what: string, cost: number | null, expected: boolean | null]>([
  ["no answer", null, null],
  ["unknown", 0, null],
  ["unrestricted", 1, false],
  ["fixed", 2, true],
  ["variable", 4, true],
  ["over the limit of its plan", 0x1_0001, true],
  ["roaming", 0x4_0001, true],
])("the cost of a network of Windows: %s", (_, cost, expected) => {
  expect(isMeteredCost(cost)).toBe(expected);
});

test("the busy share of the processors lies between two readings, and idle time is part of the kernel's", () => {
  // A machine with two processors, one second apart.
  const before = { idle: 885_896_600_000n, kernel: 1_068_761_800_000n, user: 562_253_100_000n };
  const after = { idle: 885_906_600_000n, kernel: 1_068_776_800_000n, user: 562_258_100_000n };
  expect(busyPercent(before, after)).toBe(50);
  expect(busyPercent(null, after)).toBeNull();
  expect(busyPercent(before, null)).toBeNull();
  expect(busyPercent(before, before)).toBeNull();
});

test("free memory of Windows is a share of the physical one", () => {
  const status =
    "400000000300000000e098e20500000000a092ae05000000000099e20500000000a092ae050000000000feffff7f00000050edf9ff7f00000000000000000000";
  expect(memoryFreeOf(viewOf(status))).toBeCloseTo(96.55, 2);
  expect(memoryFreeOf(null)).toBeNull();
});

/** WTSINFOW of an active session whose user was idle for the time. */
function session(idleMs: number): DataView {
  const view = new DataView(new ArrayBuffer(sessionInformation.bytes));
  view.setUint16(sessionInformation.userName, "a".charCodeAt(0), true);
  view.setBigInt64(sessionInformation.lastInput, 10_000_000_000n, true);
  view.setBigInt64(sessionInformation.now, 10_000_000_000n + BigInt(idleMs) * 10_000n, true);
  return view;
}

/** WTSINFOEXW with the flags of its session. */
function lock(flags: number, level = 1): DataView {
  const view = new DataView(new ArrayBuffer(232));
  view.setUint32(lockInformation.level, level, true);
  view.setUint32(lockInformation.flags, flags, true);
  return view;
}

test("a session of Windows is locked only if Windows says so", () => {
  expect([lock(0), lock(1), lock(0xffff_ffff), lock(0, 0), viewOf(""), null].map(isLocked)).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

test("a user of Windows is at the machine if the session is not locked", () => {
  const open = { information: session(5_000), lock: lock(1) };
  const longer = { information: session(9_000), lock: null };
  const locked = { information: session(0), lock: lock(0) };
  expect(userIdleMsOf([longer, open, locked])).toBe(5_000);
  expect(userIdleMsOf([locked])).toBe(Number.POSITIVE_INFINITY);
  expect(userIdleMsOf([])).toBe(Number.POSITIVE_INFINITY);
});
