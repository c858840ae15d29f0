/**
 * Schemas of the HTTP bodies about agent settings, between the source and its administrators.
 * common.ts defines units and encodings.
 */
import * as v from "valibot";
import { settingDepthMax } from "../../model/setting-inheritance.ts";
import { newSettingNameSchema, noSettingWord, settingNameSchema } from "../../model/setting-name.ts";
import {
  settingDifferencesSchema,
  settingFields,
  settingValuesSchema,
  type SettingField,
} from "../../model/setting.ts";
import { counter, name, timeMs } from "./common.ts";
import { targetSchema } from "./labels.ts";

/** Upper bound on settings, and on assignments. */
export const settingsMax = 500;
export { newSettingNameSchema, noSettingWord, settingNameSchema };

const versionNameSchema = v.object({ name: name(64), version: counter });
/** Differences in an answer: a field that a later version added is dropped. */
const knownDifferencesSchema = v.object(settingDifferencesSchema.entries);
export const settingViewSchema = v.object({
  ...versionNameSchema.entries,
  /** Null for `default`. */
  parent: v.nullable(name(64)),
  /** From the parent to `default`. */
  parents: v.pipe(v.array(versionNameSchema), v.maxLength(settingDepthMax)),
  /** Values that the setting itself sets. */
  differences: knownDifferencesSchema,
  values: settingValuesSchema,
  /** Setting that sets a field; null: the value is built in. */
  origins: v.record(v.string(), v.nullable(v.string())),
  /** Devices whose own setting it is. */
  devices: counter,
  /** Open tasks that name it. */
  openTasks: counter,
});
export const settingListSchema = v.object({ settings: v.array(settingViewSchema) });

export const settingCreateSchema = v.strictObject({
  name: newSettingNameSchema,
  /** Setting whose values count without a difference. */
  parent: v.optional(settingNameSchema, "default"),
  differences: v.optional(settingDifferencesSchema, {}),
});
/** Changes of a setting; what is left out stays. */
export const settingEditSchema = v.strictObject({
  set: v.optional(settingDifferencesSchema, {}),
  /** Fields whose value is that of the parent again. */
  inherit: v.optional(v.array(v.picklist(settingFields as [SettingField, ...SettingField[]])), []),
  parent: v.optional(settingNameSchema),
});
const sideSchema = v.object({
  value: v.optional(v.unknown()),
  /** Setting that sets the value; null: it is built in. */
  from: v.nullable(v.string()),
});
export const settingChangedSchema = v.object({
  ...versionNameSchema.entries,
  parent: v.nullable(name(64)),
  /** Fields with another value, or with a value that another setting sets. */
  changes: v.array(v.object({ field: v.string(), before: sideSchema, after: sideSchema })),
  /** Devices and open tasks that get the change, also by settings that descend from this one. */
  devices: counter,
  openTasks: counter,
  /** Whether an order states the setting; until then devices keep what they have. */
  isSigned: v.optional(v.boolean(), true),
});
export const settingVersionSchema = v.object({
  version: counter,
  parent: v.nullable(v.string()),
  differences: knownDifferencesSchema,
  /** Null: an earlier program stored this version. */
  changedAtMs: v.nullable(timeMs),
  /** Administrator; null: not known. */
  changedBy: v.nullable(v.string()),
  /** Differences that this version changed; a missing side is inherited. */
  changes: v.array(
    v.object({ field: v.string(), before: v.optional(v.unknown()), after: v.optional(v.unknown()) }),
  ),
});
/** Versions of a setting, the newest first. */
export const settingVersionListSchema = v.object({ versions: v.array(settingVersionSchema) });
export const settingRevertSchema = v.strictObject({ version: counter });
export const settingRenameSchema = v.strictObject({ name: newSettingNameSchema });
export const settingRemovedSchema = v.object({ name: name(64) });

export const settingAssignSchema = v.strictObject({
  setting: settingNameSchema,
  target: targetSchema,
  /** Place in the order, from 1; null: the last one, or the one that the target has. */
  rank: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(settingsMax))), null),
});
export const settingUnassignSchema = v.strictObject({
  setting: settingNameSchema,
  target: v.pipe(v.string(), v.maxLength(4_096)),
});
const assignmentListEntries = {
  /** In the order of precedence: the first match gives a device its own setting. */
  assignments: v.array(
    v.object({
      rank: counter,
      setting: v.string(),
      target: v.string(),
      /** Devices that the target matches. */
      matched: counter,
      /** Matched devices that get the setting from this assignment, and not from an earlier one. */
      devices: counter,
    }),
  ),
  /** Devices without an assignment, whose own setting is `default`. */
  others: counter,
  /** Time of the count; null: the devices of a large fleet are not yet counted. */
  countedAtMs: v.optional(v.nullable(timeMs), null),
};
export const settingAssignmentListSchema = v.object(assignmentListEntries);
export const settingAssignedSchema = v.object({
  ...assignmentListEntries,
  /** Devices whose own setting is another one now. */
  changed: counter,
  isSigned: v.optional(v.boolean(), true),
  /** Names in the target that nothing has. */
  warnings: v.optional(v.array(v.string()), []),
});
export type SettingView = v.InferOutput<typeof settingViewSchema>;
export type SettingCreate = v.InferInput<typeof settingCreateSchema>;
export type SettingEdit = v.InferInput<typeof settingEditSchema>;
export type SettingChanged = v.InferOutput<typeof settingChangedSchema>;
export type SettingVersion = v.InferOutput<typeof settingVersionSchema>;
export type SettingAssign = v.InferInput<typeof settingAssignSchema>;
export type SettingAssignmentList = v.InferOutput<typeof settingAssignmentListSchema>;
export type SettingAssigned = v.InferOutput<typeof settingAssignedSchema>;
