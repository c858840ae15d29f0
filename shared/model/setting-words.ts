/**
 * Words of the settings for people: `key=value` of `setting set`, and the lines of `setting show`.
 * The table is in setting.ts.
 */
import * as v from "valibot";
import { settingKeys, settingValuesSchema, type SettingKey, type SettingValues } from "./setting.ts";

/** Replaces the bound in a message by what a person writes: "64kbit" instead of 64000. */
function outOfBounds(format: unknown, { type, requirement, message }: v.BaseIssue<unknown>): string {
  if (typeof requirement !== "number" || (type !== "min_value" && type !== "max_value")) return message;
  const bound = (format as (value: number) => string)(requirement);
  return type === "min_value" ? `it must be at least ${bound}` : `it must be at most ${bound}`;
}

/**
 * Applies `key=value` words to the values of a setting and returns the new values.
 *
 * @throws Error that quotes the word, names what is wrong with it and what is allowed
 */
export function applySettingWords(base: SettingValues, words: readonly string[]): SettingValues {
  const changed: Record<string, unknown> = { ...base };
  for (const word of words) {
    const at = word.indexOf("=");
    const key = at < 0 ? word : word.slice(0, at);
    if (at < 0 || !Object.hasOwn(settingKeys, key)) {
      throw new Error(
        `"${word}" is not a setting: write key=value with one of ${Object.keys(settingKeys).join(", ")}`,
      );
    }
    const entry = settingKeys[key as SettingKey];
    try {
      const value = entry.parse(word.slice(at + 1));
      const parsed = v.safeParse(settingValuesSchema.entries[entry.field], value);
      if (!parsed.success) throw new Error(outOfBounds(entry.format, parsed.issues[0]));
      changed[entry.field] = parsed.output;
    } catch (error) {
      throw new Error(`Cannot set ${word}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
  return v.parse(settingValuesSchema, changed);
}

/** Returns key, value and meaning of every setting, in the order of the table. */
export function settingLines(values: SettingValues): { key: string; value: string; about: string }[] {
  return Object.entries(settingKeys).map(([key, entry]) => ({
    key,
    value: (entry.format as (value: unknown) => string)(values[entry.field]),
    about: entry.about,
  }));
}
