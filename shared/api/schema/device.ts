/**
 * Schemas of the HTTP bodies between the source and its administrators that are about devices.
 * common.ts defines units and encodings.
 */
import * as v from "valibot";
import { removalReasons } from "../../model/enrolment.ts";
import { taskStates } from "../../model/task-life.ts";
import { nextEntries, pageEntries } from "./page.ts";
import {
  deviceIdSchema,
  deviceTaskStateSchema,
  inventorySchema,
  name,
  packageIdSchema,
  progressSchema,
  subnetIdSchema,
  taskActionSchema,
  taskIdSchema,
  timeMs,
} from "./common.ts";

export const deviceSchema = v.object({
  id: deviceIdSchema,
  hostname: v.string(),
  subnetId: v.nullable(subnetIdSchema),
  /** Name of the device's own setting, by assignment. */
  setting: v.string(),
  /** Name and site that administrators gave the subnet. */
  subnetName: v.nullable(v.string()),
  site: v.nullable(v.string()),
  /** Tags and groups that administrators gave. */
  tags: v.array(v.string()),
  /** Groups that the device states itself, and that it does not have. */
  wishes: v.array(v.string()),
  enrolledAtMs: timeMs,
  lastSeenAtMs: timeMs,
  connected: v.boolean(),
  /** Name that an administrator gave to the device; null: none. */
  name: v.nullable(v.string()),
  agentVersion: v.string(),
  /**
   * `suspended`: tags do not count until an approval; `waiting`: the device gets nothing until one;
   * `removed`: the credential is barred.
   */
  state: v.picklist(["active", "suspended", "waiting", "removed"]),
  /** Time of the suspension or the removal. */
  stateSinceMs: v.nullable(timeMs),
  removedWhy: v.nullable(v.picklist(removalReasons)),
  /** Last time that a new installation on the same machine took the device over. */
  takenOverAtMs: v.nullable(timeMs),
  /** Name of the token of the last enrolment; null: not known. */
  enrolledWith: v.nullable(v.string()),
  /** Whether the device only gets images, and is removed afterwards. */
  isImaging: v.optional(v.boolean(), false),
  /** Code on the screen of a machine that enrolled without a token and waits; null: another one. */
  approvalCode: v.optional(v.nullable(v.string()), null),
  inventory: v.nullable(inventorySchema),
});
export const deviceListSchema = v.object({ devices: v.array(deviceSchema), ...nextEntries });
/** Text that finds a device: its id, its host name or the name that it was given. */
export const deviceWordsSchema = v.object({ device: name(255) });
export const deviceRenameSchema = v.strictObject({ name: v.nullable(name(128)) });
/** A task on a device, as the device reported it. */
const deviceTaskSchema = v.object({
  taskId: taskIdSchema,
  packageName: v.string(),
  packageVersion: v.string(),
  action: taskActionSchema,
  /** Command line, or name of a command of the package; null for a task that pre-caches. */
  runs: v.nullable(v.string()),
  taskState: v.picklist(taskStates),
  updatedAtMs: timeMs,
  ...v.omit(progressSchema, ["taskId"]).entries,
});
/** Upper bound on the tasks of a device in one answer. */
export const deviceTasksMax = 1_000;
export const deviceTasksQuerySchema = v.object({
  limit: v.optional(
    v.pipe(v.string(), v.regex(/^[1-9]\d{0,2}$|^1000$/, "a limit is a number from 1 to 1000")),
    String(deviceTasksMax),
  ),
});
export const deviceTasksSchema = v.object({ tasks: v.array(deviceTaskSchema) });
export const deviceRemovedSchema = v.object({ deviceId: deviceIdSchema, hostname: v.string() });
/** A device and a package: whether its cache has it, and how its last command of it ended. */
const packageDeviceSchema = v.object({
  deviceId: deviceIdSchema,
  hostname: v.string(),
  name: v.nullable(v.string()),
  connected: v.boolean(),
  lastSeenAtMs: timeMs,
  /** Whether the complete package is in the cache, by the last check-in or a report since. */
  cached: v.boolean(),
  /** State of the last task that runs a command of the package; null: none was reported. */
  run: v.nullable(deviceTaskStateSchema),
  runTaskId: v.nullable(taskIdSchema),
});
export const packageDevicesSchema = v.object({
  packageId: packageIdSchema,
  name: v.string(),
  version: v.string(),
  devices: v.array(packageDeviceSchema),
  ...nextEntries,
});
export const packageDevicesQuerySchema = v.object({
  ...pageEntries,
  lacking: v.optional(v.picklist(["true", "false"]), "false"),
});
export type DeviceTask = v.InferOutput<typeof deviceTaskSchema>;
export type DeviceRemoved = v.InferOutput<typeof deviceRemovedSchema>;
export type PackageDevices = v.InferOutput<typeof packageDevicesSchema>;
export type Device = v.InferOutput<typeof deviceSchema>;
