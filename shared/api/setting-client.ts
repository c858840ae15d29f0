/** The part of the administrator's client about agent settings and their assignments. */
import { ask, type Connection } from "./request.ts";
import {
  settingAssignedSchema,
  settingAssignmentListSchema,
  settingChangedSchema,
  settingListSchema,
  settingRemovedSchema,
  settingVersionListSchema,
  settingViewSchema,
  type SettingAssign,
  type SettingAssigned,
  type SettingAssignmentList,
  type SettingChanged,
  type SettingCreate,
  type SettingEdit,
  type SettingVersion,
  type SettingView,
} from "./schema/settings.ts";

export type SettingClient = {
  settings(): Promise<SettingView[]>;
  setting(name: string): Promise<SettingView>;
  createSetting(setting: SettingCreate): Promise<SettingChanged>;
  editSetting(name: string, edit: SettingEdit): Promise<SettingChanged>;
  /** Returns the stored versions, the newest first. */
  settingVersions(name: string): Promise<SettingVersion[]>;
  revertSetting(name: string, version: number): Promise<SettingChanged>;
  renameSetting(name: string, to: string): Promise<SettingChanged>;
  removeSetting(name: string): Promise<void>;
  settingAssignments(): Promise<SettingAssignmentList>;
  assignSetting(assignment: SettingAssign): Promise<SettingAssigned>;
  unassignSetting(setting: string, target: string): Promise<SettingAssigned>;
};

const root = "/v1/settings";
const assignments = "/v1/setting-assignments";
const pathOf = (name: string): string => `${root}/${encodeURIComponent(name)}`;

export function settingClient(connection: Connection): SettingClient {
  return {
    settings: async () => (await ask(connection, "GET", root, settingListSchema)).settings,
    setting: (name) => ask(connection, "GET", pathOf(name), settingViewSchema),
    createSetting: (setting) => ask(connection, "POST", root, settingChangedSchema, { json: setting }),
    editSetting: (name, edit) => ask(connection, "PATCH", pathOf(name), settingChangedSchema, { json: edit }),
    settingVersions: async (name) =>
      (await ask(connection, "GET", `${pathOf(name)}/versions`, settingVersionListSchema)).versions,
    revertSetting: (name, version) =>
      ask(connection, "POST", `${pathOf(name)}/revert`, settingChangedSchema, { json: { version } }),
    renameSetting: (name, to) =>
      ask(connection, "POST", `${pathOf(name)}/rename`, settingChangedSchema, { json: { name: to } }),
    async removeSetting(name) {
      await ask(connection, "DELETE", pathOf(name), settingRemovedSchema);
    },
    settingAssignments: () => ask(connection, "GET", assignments, settingAssignmentListSchema),
    assignSetting: (assignment) =>
      ask(connection, "PUT", assignments, settingAssignedSchema, { json: assignment }),
    unassignSetting: (setting, target) =>
      ask(connection, "DELETE", assignments, settingAssignedSchema, { json: { setting, target } }),
  };
}
