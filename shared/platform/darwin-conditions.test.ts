import { expect, test } from "bun:test";
import { isTelephone, loadPercent, memoryFreeIn, powerIn, savesPowerIn } from "./darwin-conditions.ts";

const battery = (percent: number, more: string): string =>
  ` -InternalBattery-0 (id=4653155)\t${percent}%; ${more} present: true\n`;

test.each<[source: string, batteries: string, onBattery: boolean, percent: number | null]>([
  ["Battery Power", battery(41, "discharging; 2:10 remaining"), true, 41],
  ["AC Power", battery(79, "AC attached; not charging"), false, 79],
  ["AC Power", "", false, null],
  ["UPS Power", " -Back-UPS ES 550G (id=1)\t98%; discharging; present: true\n", true, 98],
])("the power source of macOS: drawing from %s%s", (source, batteries, onBattery, batteryPercent) => {
  const listing = `Now drawing from '${source}'\n${batteries}`;
  expect(powerIn(listing)).toEqual({ onBattery, batteryPercent, savesPower: null });
});

test("the power source of macOS is not known if pmset does not answer", () => {
  expect(powerIn("")).toEqual({ onBattery: null, batteryPercent: null, savesPower: null });
});

const settings = (mode: number): string =>
  `System-wide power settings:\nCurrently in use:\n standby              1\n lowpowermode         ${mode}\n sleep 1\n`;

test("the saver mode of macOS is that of the present power source", () => {
  expect([savesPowerIn(settings(1)), savesPowerIn(settings(0)), savesPowerIn(" sleep 1\n")]).toEqual([
    true,
    false,
    null,
  ]);
});

test("free memory of macOS counts pages that can be reused", () => {
  const output = [
    "Mach Virtual Memory Statistics: (page size of 16384 bytes)",
    "Pages free:                               10000.",
    "Pages active:                            300000.",
    "Pages inactive:                           20000.",
    "Pages speculative:                         2768.",
    "Pages wired down:                        120000.",
    "",
  ].join("\n");
  expect(memoryFreeIn(output, 16_384 * 524_288)).toBeCloseTo(6.25, 2);
  expect(memoryFreeIn("", 16_384 * 524_288)).toBeNull();
});

test("the interface of a telephone counts as metered on macOS", () => {
  const listing = [
    "",
    "Hardware Port: Wi-Fi",
    "Device: en0",
    "Ethernet Address: a4:83:e7:00:00:01",
    "",
    "Hardware Port: iPhone USB",
    "Device: en7",
    "",
    "Hardware Port: Bluetooth PAN",
    "Device: en8",
    "",
  ].join("\n");
  expect(["en0", "en7", "en8", "en9"].map((name) => isTelephone(listing, name))).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

test("the load of macOS is a share of its processors", () => {
  expect([loadPercent(2, 8), loadPercent(20, 8), loadPercent(1, 0)]).toEqual([25, 100, null]);
});
