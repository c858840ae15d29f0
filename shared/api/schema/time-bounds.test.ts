/** Every time and duration from outside has bounds: fields of bodies, of frames, and settings. */
import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { defaultSettingValues, settingKeys } from "../../model/setting.ts";
import { applySettingWords } from "../../model/setting-words.ts";
import { parseStartTime } from "../../source/commands/start-time.ts";
import { controlFields } from "../../wire/fields.ts";
import { limits } from "../../wire/index.ts";
import * as admin from "./admin.ts";
import * as agent from "./agent.ts";
import * as common from "./common.ts";
import * as settings from "./settings.ts";

type Schema = v.GenericSchema & {
  readonly entries?: Record<string, Schema>;
  readonly options?: readonly Schema[];
  readonly item?: Schema;
  readonly wrapped?: Schema;
  readonly pipe?: readonly Schema[];
};

/** Adds the schemas of all fields whose name ends with Ms, by their path. */
function collect(path: string, schema: Schema, found: Map<string, Schema>): void {
  if (schema.wrapped) collect(path, schema.wrapped, found);
  if (schema.item) collect(`${path}[]`, schema.item, found);
  for (const option of schema.options ?? []) if (typeof option === "object") collect(path, option, found);
  for (const [name, entry] of Object.entries(schema.entries ?? {})) {
    if (name.endsWith("Ms")) found.set(`${path}.${name}`, entry);
    else collect(`${path}.${name}`, entry, found);
  }
}

const fields = new Map<string, Schema>();
for (const [name, value] of Object.entries({ ...common, ...agent, ...admin, ...settings }))
  if (name.endsWith("Schema")) collect(name, value as unknown as Schema, fields);

const wrong = [-1, -1e300, 1e300, Number.MAX_SAFE_INTEGER, 1.5, Number.NaN, Infinity, -Infinity, "60", {}];

test("there are fields of every kind", () => {
  const names = [...fields.keys()].join(" ");
  for (const name of ["startAtMs", "sourceTimeMs", "retryAfterMs", "expiresInMs", "checkInIntervalMs"])
    expect(names).toContain(name);
});

test.each([...fields.keys()])("%s of a body refuses what is no time", (path) => {
  const schema = fields.get(path)!;
  for (const value of wrong) expect([value, v.is(schema, value)]).toEqual([value, false]);
});

const durations = Object.entries(settingKeys).filter(([, { field }]) => field.endsWith("Ms"));

describe.each(durations.map(([key]) => key))("the setting %s", (key) => {
  test.each(["-1s", "1e9", "NaN", "Infinity", "", "10", "5 weeks", "1.5.5s", "0x10s"])(
    "refuses %p",
    (text) => {
      expect(() => applySettingWords(defaultSettingValues, [`${key}=${text}`])).toThrow(/is not a duration/);
    },
  );

  test("names its upper bound", () => {
    expect(() => applySettingWords(defaultSettingValues, [`${key}=99999999d`])).toThrow(
      /Cannot set .*: it must be at most \d+[a-z]+$/,
    );
  });

  test("is below 2^31 ms, or its timer is divided", () => {
    const { field } = settingKeys[key as "wanStall"];
    // check-ins.ts divides the interval; an age is a subtraction.
    const isDivided = ["checkInInterval", "cacheMaxAge", "deviceExpiry"].includes(key);
    expect(v.is(fields.get(`agentTaskSchema.setting.values.${field}`)!, 2 ** 31)).toBe(isDivided);
  });
});

test("--start names what is wrong with a time", () => {
  const nowMs = Date.parse("2026-01-01T00:00Z");
  const parse = (text: string) => parseStartTime(text, nowMs, () => 0);
  expect(() => parse("0001-01-01T00:00Z")).toThrow("is before 1970");
  expect(() => parse("9999-01-01T00:00Z")).toThrow("more than ten years");
  expect(() => parse("+1000000d")).toThrow("more than ten years");
  for (const text of ["+-1s", "+NaN", "-5", "2026-13-01T00:00", "1e9", "tomorrow"])
    expect(() => parse(text)).toThrow(/is not a (time|duration)/);
});

test("durations in frames are bounded below 2^31 ms; the clock of END wraps at 2^32", () => {
  const found = Object.entries(controlFields).flatMap(([type, list]) =>
    list
      .filter(([name]) => (name as string).endsWith("Ms"))
      .map(([name, kind]) => [`${type}.${String(name)}`, kind.shape === "uint" ? kind.max : null]),
  );
  expect(Object.fromEntries(found)).toEqual({
    "announce.startsInMs": limits.startsInMaxMs,
    "end.sentAtMs": limits.counterMax,
    "report.queuedMs": limits.queuedMaxMs,
  });
  expect(limits.startsInMaxMs).toBeLessThan(2 ** 31);
});
