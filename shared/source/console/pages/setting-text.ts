/** Keys and values of settings as the command line writes them. */
import { settingFields, type SettingField } from "../../../model/setting.ts";
import { formatSettingValue, settingKeyOf } from "../../../model/setting-words.ts";

const isKnown = (field: string): field is SettingField =>
  (settingFields as readonly string[]).includes(field);

export const keyText = (field: string): string => (isKnown(field) ? settingKeyOf(field) : field);

/** Returns a value as the command line writes it. A later version may have other fields. */
export const valueText = (field: string, value: unknown): string =>
  isKnown(field) ? formatSettingValue(field, value) : JSON.stringify(value);
