/** Assignment of tasks to devices, and the form of a task that a device receives. */
import {
  isTargeted,
  type Catalog,
  type DeviceRecord,
  type SettingRecord,
  type TaskRecord,
} from "../catalog/index.ts";
import type { AssignedTask } from "../../api/schema/agent.ts";
import { ApiError } from "../api-error.ts";

/** @throws ApiError 404 for an unknown task */
export async function taskById(catalog: Catalog, id: number): Promise<TaskRecord> {
  const task = await catalog.tasks.byId(id);
  if (task === null) throw new ApiError(404, `No task ${id}`, "task list shows all");
  return task;
}

/** Returns the devices that a task targets. */
export const targetedDevices = <D extends DeviceRecord>(task: TaskRecord, devices: readonly D[]): D[] =>
  devices.filter((device) => isTargeted(task.target, device));

async function settingOf(catalog: Catalog, name: string): Promise<SettingRecord> {
  const found = (await catalog.settings.byName(name)) ?? (await catalog.settings.byName("default"));
  return found!;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/**
 * Returns the active tasks of a device that it has not completed, and the settings that they name.
 * Failed tasks are included: the agent decides whether to retry.
 *
 * @param serving tasks that the device has completed and still serves; included while they are active
 */
export async function agentTasksOf(
  catalog: Catalog,
  device: DeviceRecord,
  serving: readonly number[],
): Promise<{ tasks: AssignedTask[]; settings: SettingRecord[] }> {
  const completed = await catalog.tasks.completedBy(device.id);
  const tasks: AssignedTask[] = [];
  const settings = new Map<string, SettingRecord>();
  for (const task of await catalog.tasks.active()) {
    if ((completed.has(task.id) && !serving.includes(task.id)) || !isTargeted(task.target, device)) continue;
    const published = await catalog.packages.byId(task.packageId);
    if (published === null) continue;
    const setting = await settingOf(catalog, task.settingName);
    if (setting.name !== "default") settings.set(setting.name, setting);
    tasks.push({
      id: task.id,
      packageId: task.packageId,
      packageName: published.name,
      packageVersion: published.version,
      action: task.action,
      command: task.command,
      run: task.run,
      startAtMs: task.startAtMs,
      taskKey: base64(task.taskKey),
      packageKey: base64(published.packageKey),
      setting: { name: setting.name, version: setting.version },
    });
  }
  return { tasks, settings: [...settings.values()] };
}
