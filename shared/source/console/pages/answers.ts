/** Types of the answers of the API that its schemas do not name. */
import type * as v from "valibot";
import type { healthSchema, packageListSchema, taskListSchema } from "../../../api/schema/admin.ts";
import type { auditListSchema, auditRowSchema } from "../../../api/schema/audit.ts";
import type { deviceListSchema, deviceTasksSchema } from "../../../api/schema/device.ts";
import type { settingListSchema } from "../../../api/schema/settings.ts";
import type { setUpStateSchema, signInWaysSchema } from "../../../api/schema/users.ts";

export type SetUpState = v.InferOutput<typeof setUpStateSchema>;
export type SignInWays = v.InferOutput<typeof signInWaysSchema>;
export type Health = v.InferOutput<typeof healthSchema>;
export type TaskList = v.InferOutput<typeof taskListSchema>;
export type PackageList = v.InferOutput<typeof packageListSchema>;
export type DeviceList = v.InferOutput<typeof deviceListSchema>;
export type DeviceTasks = v.InferOutput<typeof deviceTasksSchema>;
export type SettingList = v.InferOutput<typeof settingListSchema>;
export type AuditList = v.InferOutput<typeof auditListSchema>;
export type AuditRow = v.InferOutput<typeof auditRowSchema>;
