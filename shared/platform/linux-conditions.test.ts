import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { temporaryFolder } from "../model/testing.ts";
import {
  devicePathIn,
  isModem,
  leaseIsMetered,
  memoryFreeIn,
  meteredIn,
  powerIn,
  powerOf,
  pressureIn,
  type PowerSupply,
} from "./linux-conditions.ts";

const supply = (files: Partial<PowerSupply>): PowerSupply => ({
  type: "",
  scope: "",
  online: "",
  status: "",
  capacity: "",
  present: "",
  ...files,
});
const battery = (status: string, capacity: string): PowerSupply =>
  supply({ type: "Battery", status, capacity, present: "1" });
const line = (online: string): PowerSupply => supply({ type: "Mains", online });
const mouse = supply({
  type: "Battery",
  scope: "Device",
  status: "Discharging",
  capacity: "5",
  present: "1",
  online: "1",
});

describe("the power source", () => {
  test.each<[what: string, supplies: PowerSupply[], onBattery: boolean, percent: number | null]>([
    ["of a desktop is the line", [], false, null],
    ["of a desktop with a wireless mouse is the line", [line("1"), mouse], false, null],
    ["of a laptop that charges is the line", [line("1"), battery("Charging", "62")], false, 62],
    ["of a laptop that is full is the line", [line("1"), battery("Full", "100")], false, 100],
    ["of an unplugged laptop is the battery", [line("0"), battery("Discharging", "41")], true, 41],
    ["is the battery if the charger is too weak", [line("1"), battery("Discharging", "41")], true, 41],
    ["is the battery if only the line tells it", [line("0"), battery("Unknown", "41")], true, 41],
    ["is the line if only the battery tells it", [battery("Not charging", "80")], false, 80],
    [
      "of two batteries has their mean charge",
      [line("0"), battery("Discharging", "20"), battery("Not charging", "100")],
      true,
      60,
    ],
    ["of a UPS without line is a battery", [supply({ type: "UPS", status: "Discharging" })], true, null],
    [
      "does not count an empty bay",
      [line("0"), supply({ type: "Battery", present: "0", status: "Unknown" })],
      false,
      null,
    ],
    [
      "of a tablet that charges by USB is the line",
      [supply({ type: "USB", online: "0" }), supply({ type: "USB", online: "1" }), battery("Charging", "9")],
      false,
      9,
    ],
  ])("%s", (_, supplies, onBattery, batteryPercent) => {
    expect(powerOf(supplies)).toEqual({ onBattery, batteryPercent, savesPower: null });
  });

  test("is read from a folder such as that of sysfs", async () => {
    const { path, remove } = temporaryFolder("supplies");
    const write = (name: string, files: Readonly<Record<string, string>>): void => {
      mkdirSync(join(path, name));
      for (const [file, text] of Object.entries(files)) writeFileSync(join(path, name, file), `${text}\n`);
    };
    try {
      expect(await powerIn(join(path, "none"))).toMatchObject({ onBattery: false });
      // Files of a ThinkPad, and of a mouse that is connected to it.
      write("AC", { type: "Mains", online: "0" });
      write("BAT0", {
        type: "Battery",
        status: "Discharging",
        present: "1",
        capacity: "37",
        technology: "Li-poly",
      });
      write("hidpp_battery_0", {
        type: "Battery",
        scope: "Device",
        status: "Discharging",
        online: "1",
        capacity: "90",
      });
      expect(await powerIn(path)).toEqual({ onBattery: true, batteryPercent: 37, savesPower: null });
    } finally {
      remove();
    }
  });
});

test("pressure is the share of the last ten seconds", () => {
  const text =
    "some avg10=26.25 avg60=12.73 avg300=9.84 total=20288118891\nfull avg10=1.58 avg60=0.00 avg300=0.00 total=7\n";
  expect([pressureIn(text, "some"), pressureIn(text, "full")]).toEqual([26.25, 1.58]);
  // Kernels before 5.13 have no such line for the processors; others have no such file.
  expect(pressureIn("some avg10=0.00 avg60=0.00 avg300=0.00 total=1", "full")).toBeNull();
  expect(pressureIn("", "some")).toBeNull();
});

test("memory counts as free if programs can get it, also from caches", () => {
  const text = "MemTotal:       24684092 kB\nMemFree:         1000000 kB\nMemAvailable:   12342046 kB\n";
  expect(memoryFreeIn(text)).toBe(50);
  expect(memoryFreeIn("MemTotal: 24684092 kB\nMemFree: 1 kB\n")).toBeNull();
  expect(memoryFreeIn("")).toBeNull();
});

describe("a metered network", () => {
  test.each([
    ["u 0\n", null],
    ["u 1\n", true],
    ["u 2\n", false],
    ["u 3\n", true],
    ["u 4\n", false],
    ["", null],
    ["Failed to get property Metered\n", null],
  ])("is told by NetworkManager: %p", (output, expected) => {
    expect(meteredIn(output)).toBe(expected);
  });

  test("is asked for at the device of the interface", () => {
    const path = "/org/freedesktop/NetworkManager/Devices/3";
    expect(devicePathIn(`o "${path}"\n`)).toBe(path);
    expect(devicePathIn("Call failed: No device found for the requested iface.\n")).toBeNull();
  });

  test("is told by a telephone in the lease of systemd-networkd", () => {
    const lease = "# This is private data. Do not parse.\nADDRESS=192.168.42.7\nROUTER=192.168.42.129\n";
    expect(leaseIsMetered(`${lease}VENDOR_SPECIFIC=414e44524f49445f4d455445524544\n`)).toBe(true);
    expect(leaseIsMetered(`${lease}VENDOR_SPECIFIC=0104c0a80001\n`)).toBe(false);
    expect(leaseIsMetered(lease)).toBe(false);
    expect(leaseIsMetered("")).toBeNull();
  });

  test("is that of a modem", () => {
    expect(isModem("512", "INTERFACE=ppp0\nIFINDEX=4\n")).toBe(true);
    expect(isModem("1", "DEVTYPE=wwan\nINTERFACE=wwan0\nIFINDEX=3\n")).toBe(true);
    expect(isModem("1", "DEVTYPE=wlan\nINTERFACE=wlan0\nIFINDEX=3\n")).toBe(false);
  });
});
