/** Lines about settings that several commands print. Pure. */
import type { SettingChanged } from "../../api/schema/settings.ts";
import type { SettingField } from "../../model/setting.ts";
import { formatSettingValue, settingKeyOf } from "../../model/setting-words.ts";

/** Returns `key=value` with the quotes that a shell needs. */
export const wordOf = ({ key, value }: { key: string; value: string }): string =>
  value.includes(" ") ? `${key}="${value}"` : `${key}=${value}`;

/** Returns a value of a field, or `inherit` for none. */
export const valueText = (field: string, value: unknown): string =>
  value === undefined ? "inherit" : formatSettingValue(field as SettingField, value);

export const keyText = (field: string): string => settingKeyOf(field as SettingField);

/** Returns where an inherited value comes from. */
export const originText = (from: string | null): string => from ?? "built in";

export const countText = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

type Change = SettingChanged["changes"][number];

function sideText(name: string, field: string, { value, from }: Change["before"]): string {
  const text = valueText(field, value);
  return from === name ? text : `${text} (${originText(from)})`;
}

/** Returns the head and one line for each changed key: `key: old → new`. */
export function changedLines({ name, version, changes, devices, openTasks }: SettingChanged): string[] {
  const reach = `${countText(devices, "device")}, ${countText(openTasks, "open task")}`;
  const lines = changes.map(
    ({ field, before, after }) =>
      `  ${keyText(field)}: ${sideText(name, field, before)} → ${sideText(name, field, after)}`,
  );
  return [`${name}, version ${version}: ${reach}`, ...lines];
}
