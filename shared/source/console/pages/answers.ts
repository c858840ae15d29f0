/** Types of the answers of the API that its schemas do not name. */
import type * as v from "valibot";
import type {
  healthSchema,
  overviewSchema,
  packageListSchema,
  subnetListSchema,
  taskDeviceListSchema,
  taskListSchema,
  taskSubnetListSchema,
} from "../../../api/schema/admin.ts";
import type { publicationListSchema } from "../../../api/schema/publishing.ts";
import type { auditListSchema, auditRowSchema } from "../../../api/schema/audit.ts";
import type { deviceListSchema, deviceTasksSchema } from "../../../api/schema/device.ts";
import type { siteListSchema, targetCountSchema } from "../../../api/schema/labels.ts";
import type { settingListSchema, settingVersionListSchema } from "../../../api/schema/settings.ts";
import type { tokenListSchema } from "../../../api/schema/tokens.ts";
import type {
  setUpStateSchema,
  signInWaysSchema,
  singleSignOnStateSchema,
  userListSchema,
} from "../../../api/schema/users.ts";

export type SetUpState = v.InferOutput<typeof setUpStateSchema>;
export type SignInWays = v.InferOutput<typeof signInWaysSchema>;
export type Overview = v.InferOutput<typeof overviewSchema>;
export type TargetCount = v.InferOutput<typeof targetCountSchema>;
export type Health = v.InferOutput<typeof healthSchema>;
export type TaskList = v.InferOutput<typeof taskListSchema>;
export type PublicationList = v.InferOutput<typeof publicationListSchema>;
export type TaskDeviceList = v.InferOutput<typeof taskDeviceListSchema>;
export type TaskSubnetList = v.InferOutput<typeof taskSubnetListSchema>;
export type PackageList = v.InferOutput<typeof packageListSchema>;
export type DeviceList = v.InferOutput<typeof deviceListSchema>;
export type DeviceTasks = v.InferOutput<typeof deviceTasksSchema>;
export type SettingList = v.InferOutput<typeof settingListSchema>;
export type AuditList = v.InferOutput<typeof auditListSchema>;
export type AuditRow = v.InferOutput<typeof auditRowSchema>;
export type SettingVersionList = v.InferOutput<typeof settingVersionListSchema>;
export type SubnetList = v.InferOutput<typeof subnetListSchema>;
export type SiteList = v.InferOutput<typeof siteListSchema>;
export type TokenList = v.InferOutput<typeof tokenListSchema>;
export type UserList = v.InferOutput<typeof userListSchema>;
export type SingleSignOnState = v.InferOutput<typeof singleSignOnStateSchema>;
