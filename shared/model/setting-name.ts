/** Names of settings. Pure. */
import * as v from "valibot";

export const settingNameSchema = v.pipe(
  v.string(),
  v.regex(/^[\w.-]{1,64}$/, "a setting's name is 1 to 64 letters, digits, dots, dashes or underscores"),
);
/** Word of `task edit --setting` for a task without a setting. */
export const noSettingWord = "none";
/** Name of a setting to make. */
export const newSettingNameSchema = v.pipe(
  settingNameSchema,
  v.notValue(noSettingWord, `"${noSettingWord}" is not a name: a task without a setting is written so`),
);
