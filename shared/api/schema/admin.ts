/**
 * Schemas of the HTTP bodies between the source and its administrators. common.ts defines units and
 * encodings.
 */
import * as v from "valibot";
import { packedManifestBytesMax } from "../packed-manifest.ts";
import { imageOrderSchema } from "../../model/image-order.ts";
import { operatingSystems } from "../../model/package-command.ts";
import { packageUrlLengthMax, packageUrlsMax, urlLayouts } from "../../model/package-url.ts";
import { endReasons, shownTaskStates } from "../../model/task-life.ts";
import { targetSchema } from "./labels.ts";
import { nextEntries, pageEntries } from "./page.ts";
import {
  base64,
  bytesCount,
  counter,
  deliveryWays,
  deviceIdSchema,
  deviceTaskStateSchema,
  name,
  packageIdSchema,
  packageUrlSchema,
  programNamesSchema,
  progressSchema,
  subnetIdSchema,
  taskActionSchema,
  taskIdSchema,
  text,
  timeMs,
} from "./common.ts";

export const publishRequestSchema = v.object({
  /** The packed manifest (packed-manifest.ts). */
  packed: base64(packedManifestBytesMax),
  /** Web sites that have the bytes, added to those of the package; without any, the source does. */
  urls: v.optional(v.pipe(v.array(packageUrlSchema), v.maxLength(packageUrlsMax)), []),
});
export const publishResponseSchema = v.object({ packageId: packageIdSchema, contentNeeded: v.boolean() });
const packageSchema = v.object({
  id: packageIdSchema,
  name: name(128),
  version: name(64),
  sizeBytes: bytesCount,
  fileCount: counter,
  chunkSizeBytes: bytesCount,
  /** Named commands, with their lines. */
  commands: v.array(
    v.object({
      name: v.string(),
      lines: v.array(
        v.object({
          os: v.picklist(operatingSystems),
          shell: v.picklist(["sh", "cmd", "powershell"]),
          line: v.string(),
        }),
      ),
    }),
  ),
  /** Web sites that have the bytes, without secrets. Without any, the source itself serves them. */
  urls: v.array(v.object({ url: v.string(), layout: v.picklist(urlLayouts) })),
  /** "uploading" until a web site or the source has all bytes, then "ready". */
  state: v.picklist(["uploading", "ready"]),
  publishedAtMs: timeMs,
});
/** A URL to add; one to remove may be written without its query, as lists show it. */
export const packageUrlChangeSchema = v.object({ url: name(packageUrlLengthMax) });
export const packageUrlListSchema = v.object({
  urls: v.array(v.object({ url: v.string(), layout: v.picklist(urlLayouts) })),
  /** Whether the source has a copy, which devices use last. */
  atSource: v.boolean(),
});
/** Latest start of a task, from now: ten years. */
export const startDelayMaxMs = 10 * 365 * 86_400_000;
export const taskCreateSchema = v.strictObject({
  /** A package id, "NAME@VERSION", or "NAME" for its highest version. */
  package: name(256),
  action: taskActionSchema,
  /** Command line for the system's shell. */
  command: v.optional(v.nullable(text(8_192)), null),
  /** Name of a command of the package. A task that runs has either `run` or `command`. */
  run: v.optional(v.nullable(name(32)), null),
  /** Overrides the devices' own settings; null: each device's own one counts. */
  setting: v.nullable(name(64)),
  target: targetSchema,
  startAtMs: v.nullable(timeMs),
  /** Whether `startAtMs` is a time of each device's own clock, written as if it were UTC. */
  startIsLocal: v.optional(v.boolean(), false),
  /** From this time on the command waits for no window, program or user. */
  deadlineAtMs: v.optional(v.nullable(timeMs), null),
  /** The command does not begin while one of these programs runs. */
  notWhile: v.optional(programNamesSchema, []),
  /** No device begins the task from this time on; null: 90 days after its start. */
  expiresAtMs: v.optional(v.nullable(timeMs), null),
  /** Whether the command may run after that of a higher version of the package. */
  allowDowngrade: v.optional(v.boolean(), false),
  /** Task whose command has to succeed on a device before that of this one runs. */
  after: v.optional(v.nullable(taskIdSchema), null),
  /** Disk of a task that writes an image, and how the machine ends; null: another action. */
  image: v.optional(v.nullable(imageOrderSchema), null),
  /** Whether devices that are not awake are woken before the start; operators do not sign it. */
  wakes: v.optional(v.boolean(), false),
});
/** Changes of a task; what is left out stays. */
export const taskEditSchema = v.strictObject({
  target: v.optional(targetSchema),
  startAtMs: v.optional(timeMs),
  /** Belongs to `startAtMs`, and is false unless given with it. */
  startIsLocal: v.optional(v.boolean()),
  deadlineAtMs: v.optional(v.nullable(timeMs)),
  notWhile: v.optional(programNamesSchema),
  expiresAtMs: v.optional(timeMs),
  /** Null: each device's own one counts. */
  setting: v.optional(v.nullable(name(64))),
  wakes: v.optional(v.boolean()),
});
export const taskChangedSchema = v.object({
  taskId: taskIdSchema,
  /** Counts the changes of an administrator, from 1. */
  version: counter,
  state: v.picklist(shownTaskStates),
  /** Devices that the target matches. */
  devices: counter,
  /** Whether an order states the task; without one no device begins, or changes, it. */
  isSigned: v.optional(v.boolean(), true),
  /** Names in the target that are not known, one sentence each. */
  warnings: v.array(v.string()),
});
export const taskRetriedSchema = v.object({
  taskId: taskIdSchema,
  /** Devices that failed, and now begin the next attempt. */
  retried: v.array(deviceIdSchema),
  isSigned: v.optional(v.boolean(), true),
});
export const packageRemovedSchema = v.object({
  packageId: packageIdSchema,
  name: name(128),
  version: name(64),
});
const taskSummarySchema = v.object({
  id: taskIdSchema,
  packageId: packageIdSchema,
  packageName: name(128),
  packageVersion: name(64),
  packageBytes: bytesCount,
  action: taskActionSchema,
  command: v.nullable(v.string()),
  run: v.nullable(v.string()),
  /** Null: each device's own one counts. */
  setting: v.nullable(v.string()),
  target: v.string(),
  version: counter,
  allowDowngrade: v.boolean(),
  after: v.nullable(taskIdSchema),
  image: v.optional(v.nullable(imageOrderSchema), null),
  /** `done`: complete on every device; `ended`: for another reason, in `endedWhy`. */
  state: v.picklist(shownTaskStates),
  endedWhy: v.nullable(v.picklist(endReasons)),
  /** Time of the end or the cancellation; null before. */
  endedAtMs: v.nullable(timeMs),
  createdAtMs: timeMs,
  startAtMs: timeMs,
  startIsLocal: v.boolean(),
  deadlineAtMs: v.nullable(timeMs),
  notWhile: v.array(v.string()),
  expiresAtMs: timeMs,
  /** Whether devices that are not awake are woken before the start. */
  wakes: v.optional(v.boolean(), false),
  devices: v.object({
    total: counter,
    complete: counter,
    /** Complete with the next start of the machine. */
    rebootPending: counter,
    failed: counter,
    /** A task of a higher version runs instead. */
    superseded: counter,
    /** Not begun before the task expired. */
    expired: counter,
    /** Unfinished, and not connected to the source. */
    offline: counter,
    /** Targeted, not in `total`: not seen since before the task's creation. */
    absent: counter,
  }),
  /** None of the absent devices was seen since this time; null without them. */
  absentSinceMs: v.nullable(timeMs),
  /** Time of the last count of all devices; null: those that have not reported are left out. */
  countedAtMs: v.optional(v.nullable(timeMs), null),
  /** False: the task is open, and no device obeys it before operators have signed it. */
  isSigned: v.optional(v.boolean(), true),
});
/** Progress of one device in a task, as last reported to the source. */
const taskDeviceSchema = v.object({
  deviceId: deviceIdSchema,
  hostname: v.string(),
  /** Display name that an administrator gave; null: none. */
  name: v.nullable(v.string()),
  subnetId: v.nullable(subnetIdSchema),
  updatedAtMs: timeMs,
  connected: v.boolean(),
  lastSeenAtMs: timeMs,
  ...v.omit(progressSchema, ["taskId", "epoch", "createdAtMs"]).entries,
});
const taskSubnetSchema = v.object({
  subnetId: v.nullable(subnetIdSchema),
  cidr: v.string(),
  /** Name and site that administrators gave the subnet. */
  name: v.nullable(v.string()),
  site: v.nullable(v.string()),
  representative: v.nullable(v.object({ deviceId: deviceIdSchema, hostname: v.string(), term: counter })),
  /** State of the representative; without one, the most frequent state of unfinished devices. */
  state: deviceTaskStateSchema,
  devices: counter,
  complete: counter,
  rebootPending: counter,
  failed: counter,
  superseded: counter,
  expired: counter,
  /** Unfinished, and not connected to the source. */
  offline: counter,
  bytesVerified: bytesCount,
  bytesTotal: bytesCount,
  /** Sum of the rates that the subnet's unfinished devices reported. */
  rateBps: bytesCount,
  /** Package bytes that devices of the subnet fetched over the WAN for this task. */
  wanBytes: bytesCount,
  lanBytes: bytesCount,
});
/** Upper bound on the absent devices that a task lists; `devices.absent` counts all. */
export const absentListMax = 1_000;
export const taskDetailSchema = v.object({
  ...taskSummarySchema.entries,
  subnets: v.array(taskSubnetSchema),
  deviceList: v.array(taskDeviceSchema),
  /** Cursors of the lists of subnets and devices; null: the answer has all. */
  nextSubnets: v.optional(v.nullable(v.string()), null),
  nextDevices: v.optional(v.nullable(v.string()), null),
  absentList: v.pipe(
    v.array(v.object({ deviceId: deviceIdSchema, hostname: v.string(), lastSeenAtMs: timeMs })),
    v.maxLength(absentListMax),
  ),
});
const subnetSchema = v.object({
  id: subnetIdSchema,
  cidr: v.string(),
  /** Name and site that administrators gave; null: none. */
  name: v.nullable(v.string()),
  site: v.nullable(v.string()),
  /** Property that distinguishes this subnet from others of its CIDR: gateway or public address. */
  gateway: v.string(),
  /** Gateways of subnets that were merged into this one; devices of both sides confirmed it. */
  mergedGateways: v.array(v.string()),
  devices: counter,
  connected: counter,
  /** Last delivery modes of the devices, most devices first, with the codes of their causes. */
  ways: v.array(
    v.object({ way: v.picklist(deliveryWays), devices: counter, causes: v.record(v.string(), counter) }),
  ),
});
export const packageListSchema = v.object({ packages: v.array(packageSchema), ...nextEntries });
/** Filter of the list of packages. */
export const packageListQuerySchema = v.object({ ...pageEntries, search: v.optional(name(128)) });
export const taskListSchema = v.object({ tasks: v.array(taskSummarySchema), ...nextEntries });
export const taskSubnetListSchema = v.object({ subnets: v.array(taskSubnetSchema), ...nextEntries });
export const taskDeviceListSchema = v.object({ devices: v.array(taskDeviceSchema), ...nextEntries });
/** Filters and order of the list of tasks. `open`: active or paused. */
export const taskListQuerySchema = v.object({
  ...pageEntries,
  state: v.optional(v.picklist(["open", "over"])),
  /** Text within the name of the package or the target. */
  search: v.optional(name(128)),
  sort: v.optional(v.picklist(["id", "-id"]), "id"),
});
/** Filters of the devices of a task. */
export const taskDeviceListQuerySchema = v.object({
  ...pageEntries,
  devices: v.optional(v.picklist(["all", "failed", "unfinished"]), "all"),
  state: v.optional(deviceTaskStateSchema),
  subnet: v.optional(subnetIdSchema),
});
export const subnetListSchema = v.object({ subnets: v.array(subnetSchema), ...nextEntries });
/**
 * Devices that a task's detail lists. "failed" keeps the answer small while a large task is
 * watched; "unfinished" adds those that are not over. "none" leaves out subnets and devices.
 */
export const taskDetailQuerySchema = v.object({
  devices: v.optional(v.picklist(["all", "failed", "unfinished", "none"]), "all"),
});
/** Whether a backup has the bytes of packages that the source holds. */
export const backupQuerySchema = v.object({ packages: v.optional(v.picklist(["yes", "no"]), "no") });
/** Milliseconds since 1970 in a query. */
const timeQuery = v.pipe(v.string(), v.regex(/^\d{1,15}$/, "a time is milliseconds since 1970"));
export const wanGroupings = ["site", "subnet", "package", "month"] as const;
export const wanReportQuerySchema = v.object({
  by: v.optional(v.picklist(wanGroupings), "site"),
  since: v.optional(timeQuery),
  /** Exclusive. */
  until: v.optional(timeQuery),
  /** Time zone of the months, such as Europe/Berlin. */
  zone: v.optional(name(64), "UTC"),
});
const wanBytesEntries = {
  sourceBytes: bytesCount,
  /** Fetched from other web sites than the source. */
  webBytes: bytesCount,
  crossedBytes: bytesCount,
  /** Bytes that would have crossed if each device had downloaded its packages for itself. */
  directBytes: bytesCount,
};
export const wanReportSchema = v.object({
  by: v.picklist(wanGroupings),
  rows: v.array(v.object({ id: v.string(), name: v.string(), ...wanBytesEntries })),
  total: v.object(wanBytesEntries),
});
/** Numbers of the whole source. */
export const overviewSchema = v.object({
  devices: counter,
  connected: counter,
  /** Devices that wait for an approval, and those whose tags do not count until one. */
  waiting: counter,
  suspended: counter,
  subnets: counter,
  sites: counter,
  packages: counter,
  openTasks: counter,
  pausedTasks: counter,
  /** Devices that failed in open tasks, counted in each of them. */
  failed: counter,
  /** Sums since the catalog was created. */
  wan: v.object(wanBytesEntries),
});
/** The answer to a request that returns no data. */
export const doneSchema = v.object({ ok: v.literal(true) });
export const healthSchema = v.object({ ok: v.literal(true), version: v.string(), deployment: counter });
export type PublishResponse = v.InferOutput<typeof publishResponseSchema>;
export type PackageUrlList = v.InferOutput<typeof packageUrlListSchema>;
export type PublishedPackage = v.InferOutput<typeof packageSchema>;
export type TaskCreate = v.InferInput<typeof taskCreateSchema>;
export type TaskEdit = v.InferInput<typeof taskEditSchema>;
export type TaskChanged = v.InferOutput<typeof taskChangedSchema>;
export type TaskRetried = v.InferOutput<typeof taskRetriedSchema>;
export type PackageRemoved = v.InferOutput<typeof packageRemovedSchema>;
export type TaskSummary = v.InferOutput<typeof taskSummarySchema>;
export type TaskDevice = v.InferOutput<typeof taskDeviceSchema>;
export type TaskSubnet = v.InferOutput<typeof taskSubnetSchema>;
export type TaskDetail = v.InferOutput<typeof taskDetailSchema>;
export type WanReport = v.InferOutput<typeof wanReportSchema>;
export type WanReportQuery = v.InferOutput<typeof wanReportQuerySchema>;
export type Subnet = v.InferOutput<typeof subnetSchema>;
