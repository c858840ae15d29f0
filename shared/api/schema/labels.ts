/**
 * Schemas of the HTTP bodies about targets: tags, groups, sites, names of subnets, and the preview
 * of a task. common.ts defines units and encodings.
 */
import * as v from "valibot";
import { labelNameSchema } from "../../model/label-name.ts";
import { parseTarget, TargetError, targetLengthMax } from "../../model/target/index.ts";
import { nextEntries, pageEntries } from "./page.ts";
import {
  bytesCount,
  counter,
  deviceIdSchema,
  name,
  packageIdSchema,
  subnetIdSchema,
  taskIdSchema,
  timeMs,
} from "./common.ts";

/** Expression or short form (model/target); the message names the column of an error. */
export const targetSchema = v.pipe(
  v.string(),
  v.maxLength(targetLengthMax, `a target has at most ${targetLengthMax} characters`),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      parseTarget(dataset.value);
    } catch (error) {
      if (!(error instanceof TargetError)) throw error;
      addIssue({ message: error.message });
    }
  }),
);
/** Upper bound on the tags of one device, and on those of one request. */
export const tagsMax = 64;
const tagListSchema = v.pipe(v.array(labelNameSchema), v.maxLength(tagsMax, `at most ${tagsMax} tags`));
export const taggingSchema = v.strictObject({
  /** Target that names the devices. */
  devices: targetSchema,
  add: v.optional(tagListSchema, []),
  remove: v.optional(tagListSchema, []),
  /** Whether every tag has to be known; otherwise a new one is made. */
  known: v.optional(v.boolean(), false),
});
/** Devices that the answer to a change of tags lists. */
export const taggedDevicesMax = 1_000;
export const taggedSchema = v.object({
  /** Devices that the target matches, and those whose tags are others now. */
  matched: counter,
  changed: counter,
  /** The first of the devices, by their enrolment. */
  devices: v.array(
    v.object({
      deviceId: deviceIdSchema,
      hostname: v.string(),
      tags: v.array(v.string()),
      changed: v.boolean(),
    }),
  ),
  devicesLeft: counter,
});
const groupSchema = v.object({
  name: v.string(),
  /** `group`: declared, also without devices; `tag`: while a device has it. */
  kind: v.picklist(["group", "tag"]),
  devices: counter,
  /** Devices that state this group themselves, and do not have the tag. */
  wishes: counter,
});
export const groupListSchema = v.object({ groups: v.array(groupSchema), ...nextEntries });
const siteSchema = v.object({
  name: v.string(),
  createdAtMs: timeMs,
  subnets: counter,
  devices: counter,
  connected: counter,
});
export const siteListSchema = v.object({ sites: v.array(siteSchema), ...nextEntries });
export const labelPathSchema = v.object({ name: labelNameSchema });
export const siteRenameSchema = v.object({ name: labelNameSchema });
/** Null removes the name, or takes the subnet from its site; what is left out stays. */
export const subnetLabelSchema = v.strictObject({
  name: v.optional(v.nullable(labelNameSchema)),
  site: v.optional(v.nullable(labelNameSchema)),
});

/** Upper bound on the devices that a preview lists. */
export const previewDevicesMax = 1_000;
const previewSubnetSchema = v.object({
  /** Null: devices that have not checked in yet. */
  subnetId: v.nullable(subnetIdSchema),
  name: v.nullable(v.string()),
  site: v.nullable(v.string()),
  cidr: v.string(),
  devices: counter,
  connected: counter,
  /** Targeted devices that hold the package already. */
  holding: counter,
  /** Devices of the subnet that hold the package and are connected, targeted or not. */
  holders: counter,
  /** Package bytes that cross the WAN to this subnet, and at most those of the manifest. */
  packageWanBytes: bytesCount,
  manifestWanBytes: bytesCount,
});
export const taskPreviewSchema = v.object({
  /** Null: of a task to be created. */
  taskId: v.nullable(taskIdSchema),
  packageId: packageIdSchema,
  packageName: name(128),
  packageVersion: name(64),
  packageBytes: bytesCount,
  target: v.string(),
  devices: counter,
  /** Devices that an edit adds, and those that drop the task. */
  added: counter,
  dropped: counter,
  subnets: v.array(previewSubnetSchema),
  /** The first devices; `devicesLeft` are more. */
  deviceList: v.array(
    v.object({
      deviceId: deviceIdSchema,
      hostname: v.string(),
      subnetId: v.nullable(subnetIdSchema),
      connected: v.boolean(),
      holds: v.boolean(),
    }),
  ),
  devicesLeft: counter,
  packageWanBytes: bytesCount,
  manifestWanBytes: bytesCount,
  warnings: v.array(v.string()),
});
export const targetCheckSchema = v.strictObject({ target: targetSchema });
export const targetCountSchema = v.object({
  target: v.string(),
  devices: counter,
  connected: counter,
  subnets: counter,
  /** Names in the target that are not known, one sentence each. */
  warnings: v.array(v.string()),
});
/** Orders of the list of devices; "-" before one reverses it. */
export const deviceSorts = ["enrolledAtMs", "hostname", "lastSeenAtMs"] as const;
/** Filters and order of the list of devices. */
export const deviceListQuerySchema = v.object({
  ...pageEntries,
  filter: v.optional(targetSchema, "all"),
  /** Text within host name or given name, or a whole id. */
  search: v.optional(name(128)),
  state: v.optional(v.picklist(["active", "suspended", "waiting"])),
  connected: v.optional(v.picklist(["true", "false"])),
  subnet: v.optional(subnetIdSchema),
  sort: v.optional(
    v.picklist([...deviceSorts, "-enrolledAtMs", "-hostname", "-lastSeenAtMs"]),
    "enrolledAtMs",
  ),
});
export type DeviceListQuery = v.InferInput<typeof deviceListQuerySchema>;
export type Tagging = v.InferInput<typeof taggingSchema>;
export type Tagged = v.InferOutput<typeof taggedSchema>;
export type Group = v.InferOutput<typeof groupSchema>;
export type Site = v.InferOutput<typeof siteSchema>;
export type SubnetLabel = v.InferInput<typeof subnetLabelSchema>;
export type TaskPreview = v.InferOutput<typeof taskPreviewSchema>;
