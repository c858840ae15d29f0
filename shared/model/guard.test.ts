import { describe, expect, test } from "bun:test";
import { unknownConditions, type Conditions } from "./conditions.ts";
import { guardNames, nextGuards, noGuards, verdictOf, type GuardName, type GuardStates } from "./guard.ts";
import { applySettingWords } from "./setting-words.ts";
import { defaultSettingValues, type SettingValues } from "./setting.ts";

const settingOf = (...words: string[]): SettingValues => applySettingWords(defaultSettingValues, words);
const allPause = settingOf(
  "guardBattery=pause",
  "guardMetered=pause",
  "guardUser=pause",
  "guardCpu=pause",
  "guardIo=pause",
  "guardDisk=pause",
  "guardMemory=pause",
  "guardWireless=pause",
);
const conditionsOf = (known: Partial<Conditions>): Conditions => ({ ...unknownConditions, ...known });

/** Returns whether the guard holds after each reading. */
function course(name: GuardName, readings: readonly Partial<Conditions>[], values = allPause): boolean[] {
  let states: GuardStates = noGuards;
  return readings.map((known) => {
    states = nextGuards(states, conditionsOf(known), values);
    return states[name].holds;
  });
}

const low = { onBattery: true, batteryPercent: 30 };

describe("a guard", () => {
  test.each<[what: string, name: GuardName, known: Partial<Conditions>, holds: boolean]>([
    ["a battery with little charge", "battery", low, true],
    ["a battery with enough charge", "battery", { onBattery: true, batteryPercent: 80 }, false],
    ["a battery of unknown charge", "battery", { onBattery: true }, true],
    ["a battery in a saver mode", "battery", { onBattery: true, batteryPercent: 90, savesPower: true }, true],
    ["a low battery that charges", "battery", { ...low, onBattery: false }, false],
    ["a metered network", "metered", { isMetered: true }, true],
    ["an unmetered network", "metered", { isMetered: false }, false],
    ["a user who typed a second ago", "user", { userIdleMs: 1_000 }, true],
    ["a user who typed 10 minutes ago", "user", { userIdleMs: 600_000 }, false],
    ["nobody at the machine", "user", { userIdleMs: Number.POSITIVE_INFINITY }, false],
    ["a full disk", "disk", { diskFreePercent: 4.9 }, true],
    ["a disk with space", "disk", { diskFreePercent: 5 }, false],
    ["little memory", "memory", { memoryFreePercent: 1 }, true],
    ["Wi-Fi", "wireless", { isWireless: true }, true],
  ])("reads %s", (_, name, known, holds) => {
    expect(course(name, [known])).toEqual([holds]);
  });

  test("does not hold while the system tells nothing", () => {
    const states = nextGuards(noGuards, unknownConditions, allPause);
    expect(verdictOf(states, allPause)).toEqual({ action: "allow", guards: [] });
  });

  test.each<[name: GuardName, known: keyof Conditions]>([
    ["cpu", "cpuPercent"],
    ["io", "ioPercent"],
  ])("for %s ignores a short peak, and holds from the second reading on", (name, known) => {
    const readings = [99, 20, 99, 99].map((percent) => ({ [known]: percent }));
    expect(course(name, readings)).toEqual([false, false, false, true]);
  });

  test.each<[what: string, name: GuardName, readings: Partial<Conditions>[], holds: boolean[]]>([
    ["one reading without it", "battery", [low, {}, low, {}, {}], [true, true, true, true, false]],
    [
      "a charge a little above the threshold",
      "battery",
      [low, ...[51, 54, 51, 54].map((batteryPercent) => ({ onBattery: true, batteryPercent }))],
      [true, true, true, true, true],
    ],
    [
      "a charge well above the threshold, twice",
      "battery",
      [low, ...[55, 55].map((batteryPercent) => ({ onBattery: true, batteryPercent }))],
      [true, true, false],
    ],
    [
      "pressure a little below the threshold",
      "cpu",
      [90, 90, 75, 75, 75].map((cpuPercent) => ({ cpuPercent })),
      [false, true, true, true, true],
    ],
    [
      "pressure well below the threshold, twice",
      "cpu",
      [90, 90, 70, 70].map((cpuPercent) => ({ cpuPercent })),
      [false, true, true, false],
    ],
  ])("continues or ends with %s", (_, name, readings, holds) => {
    expect(course(name, readings)).toEqual(holds);
  });

  test("holds whenever the device is on battery with a threshold of 100 %", () => {
    const values = settingOf("guardBatteryBelow=100%");
    expect(course("battery", [{ onBattery: true, batteryPercent: 100 }], values)).toEqual([true]);
  });
});

describe("the verdict", () => {
  const all = nextGuards(
    noGuards,
    conditionsOf({ ...low, isMetered: true, userIdleMs: 0, diskFreePercent: 1, isWireless: true }),
    defaultSettingValues,
  );

  test("by default only keeps devices from leading, for power, cost and space", () => {
    expect(verdictOf(all, defaultSettingValues)).toEqual({
      action: "not-representative",
      guards: ["battery", "metered", "disk"],
    });
  });

  test("is the strictest action of the guards that hold", () => {
    const values = settingOf("guardMetered=pause-wan", "guardUser=pause", "guardDisk=allow");
    expect(verdictOf(all, values)).toEqual({ action: "pause", guards: ["battery", "metered", "user"] });
    const milder = settingOf("guardMetered=pause-wan", "guardDisk=allow");
    expect(verdictOf(all, milder)).toEqual({ action: "pause-wan", guards: ["battery", "metered"] });
  });

  test("follows a change of the setting at once", () => {
    const values = settingOf("guardBattery=allow", "guardMetered=allow", "guardDisk=allow");
    expect(verdictOf(all, values)).toEqual({ action: "allow", guards: [] });
  });

  test("names each guard that a setting has turned on", () => {
    const pressed = conditionsOf({ cpuPercent: 99, ioPercent: 99, memoryFreePercent: 1 });
    const states = nextGuards(nextGuards(all, pressed, allPause), pressed, allPause);
    expect(verdictOf(states, allPause).guards).toEqual(["cpu", "io", "memory"]);
    expect(guardNames).toEqual(expect.arrayContaining([...verdictOf(all, allPause).guards]));
  });
});

test.each([
  ["guardUser=never", '"never" is not an action of a guard: write one of allow, not-representative'],
  ["guardIoAbove=much", '"much" is not a share: write for example 50%'],
  ["guardIoAbove=101%", "it must be at most 100%"],
])("a guard refuses %s", (word, why) => {
  expect(() => settingOf(word)).toThrow(why);
});
