import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { guardSettings } from "./guard-settings.ts";
import { defaultSettingValues, settingKeys, settingValuesSchema } from "./setting.ts";
import { applySettingWords, settingLines } from "./setting-words.ts";

const addedLater = [
  "wirelessMulticast",
  "startWhenAllPresent",
  "wanSchedule",
  "useDeputy",
  "cacheKeepFree",
  "commandRebootExitCodes",
  "commandBusyExitCodes",
  "commandAttempts",
  "runSchedule",
  "runWhileUserActive",
  "userIdleMs",
  "runDeferrals",
  "runDeferralMs",
  "startJitterMs",
  "upgradeConfirmMs",
  "deviceExpiryMs",
  "shareLog",
  ...Object.values(guardSettings).map(({ field }) => field),
  "wakeOnLan",
  "wakeLeadMs",
];
const withoutField = (field: string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(defaultSettingValues).filter(([name]) => name !== field));

describe("the table of settings", () => {
  test("gives the schema and the default values one field per key, in its order", () => {
    const fields = Object.values(settingKeys).map(({ field }) => field);
    expect(new Set(fields).size).toBe(fields.length);
    expect(Object.keys(settingValuesSchema.entries)).toEqual(fields);
    expect(Object.keys(defaultSettingValues)).toEqual(fields);
    expect(v.parse(settingValuesSchema, defaultSettingValues)).toEqual(defaultSettingValues);
  });

  test("reads every default value back from the line that shows it", () => {
    const words = settingLines(defaultSettingValues).map(({ key, value }) => `${key}=${value}`);
    expect(words).toHaveLength(Object.keys(settingKeys).length);
    expect(applySettingWords(defaultSettingValues, words)).toEqual(defaultSettingValues);
  });

  test.each(addedLater)("fills in the default of %s when an older source leaves it out", (field) => {
    expect(v.parse(settingValuesSchema, withoutField(field))).toEqual(defaultSettingValues);
  });

  test.each(Object.keys(defaultSettingValues).filter((field) => !addedLater.includes(field)))(
    "refuses values without %s",
    (field) => {
      expect(v.safeParse(settingValuesSchema, withoutField(field)).success).toBe(false);
    },
  );

  test("drops a field that a later version added", () => {
    const later = { ...defaultSettingValues, fieldOfALaterVersion: 1 };
    expect(v.parse(settingValuesSchema, later)).toEqual(defaultSettingValues);
  });

  test.each([
    ["lanRate=1kbit", "it must be at least 64kbit"],
    ["wanStall=2h", "it must be at most 1h"],
    ["wanFallback=always", "write never or last-resort"],
    ["speed=9", '"speed=9" is not a setting: write key=value with one of useMulticast,'],
  ])("refuses %s: %s", (word, why) => {
    expect(() => applySettingWords(defaultSettingValues, [word])).toThrow(why);
  });
});
