/**
 * Settings as a person writes and reads them: words `key=value`, `key=inherit`, and lines of a
 * table. Pure.
 */
import * as v from "valibot";
import {
  defaultSettingValues,
  settingDifferencesSchema,
  settingKeys,
  type SettingDifferences,
  type SettingField,
  type SettingKey,
  type SettingValues,
} from "./setting.ts";

/** Changes of a setting: values of its own, and fields that it inherits again. */
export type SettingChange = {
  readonly set: SettingDifferences;
  readonly inherit: readonly SettingField[];
};

/** Word for the value of the parent; for `default`, of the built-in value. */
const inheritWord = "inherit";

/** Replaces the bound in a message by what a person writes: "64kbit" instead of 64000. */
function outOfBounds(format: unknown, { type, requirement, message }: v.BaseIssue<unknown>): string {
  if (typeof requirement !== "number" || (type !== "min_value" && type !== "max_value")) return message;
  const bound = (format as (value: number) => string)(requirement);
  return type === "min_value" ? `it must be at least ${bound}` : `it must be at most ${bound}`;
}

/**
 * Parses words `key=value` and `key=inherit`. The last word of a key counts.
 *
 * @throws Error that quotes the word, names what is wrong with it and what is allowed
 */
export function parseSettingWords(words: readonly string[]): SettingChange {
  const set: Record<string, unknown> = {};
  const inherit = new Set<SettingField>();
  for (const word of words) {
    const at = word.indexOf("=");
    const key = at < 0 ? word : word.slice(0, at);
    if (at < 0 || !Object.hasOwn(settingKeys, key)) {
      throw new Error(
        `"${word}" is not a setting: write key=value with one of ${Object.keys(settingKeys).join(", ")}`,
      );
    }
    const { field } = settingKeys[key as SettingKey];
    delete set[field];
    inherit.delete(field);
    if (word.slice(at + 1) === inheritWord) inherit.add(field);
    else set[field] = valueOf(word, key as SettingKey, word.slice(at + 1));
  }
  return { set: set as SettingDifferences, inherit: [...inherit] };
}

function valueOf(word: string, key: SettingKey, text: string): unknown {
  const row = settingKeys[key];
  try {
    const parsed = v.safeParse(settingDifferencesSchema, { [row.field]: row.parse(text) });
    if (!parsed.success) throw new Error(outOfBounds(row.format, parsed.issues[0]));
    return parsed.output[row.field];
  } catch (error) {
    throw new Error(`Cannot set ${word}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/**
 * Applies words to the values of a setting and returns the new values. `key=inherit` is the
 * built-in value.
 *
 * @throws Error as `parseSettingWords`
 */
export function applySettingWords(base: SettingValues, words: readonly string[]): SettingValues {
  const { set, inherit } = parseSettingWords(words);
  const builtIn = Object.fromEntries(inherit.map((field) => [field, defaultSettingValues[field]]));
  return { ...base, ...builtIn, ...set };
}

const keyOfField = new Map(Object.entries(settingKeys).map(([key, { field }]) => [field, key as SettingKey]));

/** Returns the key that a person writes for a field. */
export const settingKeyOf = (field: SettingField): SettingKey => keyOfField.get(field)!;

/** Returns a value as a person writes it. */
export const formatSettingValue = (field: SettingField, value: unknown): string =>
  (settingKeys[settingKeyOf(field)].format as (value: unknown) => string)(value);

type SettingLine = { field: SettingField; key: SettingKey; value: string; about: string };

/** Returns key, value and meaning of every setting, in the order of the table. */
export const settingLines = (values: SettingValues): SettingLine[] =>
  Object.entries(settingKeys).map(([key, { field, about }]) => ({
    field,
    key: key as SettingKey,
    value: formatSettingValue(field, values[field]),
    about,
  }));
