/** Schemas of the wakes of a task. common.ts defines units and encodings. */
import * as v from "valibot";
import { reasonsSchema } from "../../model/reason.ts";
import { counter, deviceIdSchema, subnetIdSchema, timeMs } from "./common.ts";

/** Attempts for a device that was not awake, and their result. */
const taskWakeSchema = v.object({
  deviceId: deviceIdSchema,
  hostname: v.string(),
  /** Display name that an administrator gave; null: none. */
  name: v.nullable(v.string()),
  subnetId: v.nullable(subnetIdSchema),
  attempts: counter,
  /** Time of the last attempt, and the devices that were asked; null: none. */
  askedAtMs: v.nullable(timeMs),
  wakers: v.array(
    v.object({
      deviceId: deviceIdSchema,
      hostname: v.string(),
      /** Whether the device reported that it has sent packets. */
      sent: v.boolean(),
    }),
  ),
  sentAtMs: v.nullable(timeMs),
  /** First check-in after that; null: none. */
  wokeAtMs: v.nullable(timeMs),
  reasons: reasonsSchema,
});
export const taskWakeListSchema = v.object({
  wakes: v.array(taskWakeSchema),
  /** For the next page (`after`); null: this is the last one. */
  next: v.nullable(v.string()),
});
export type TaskWake = v.InferOutput<typeof taskWakeSchema>;
export type TaskWakeList = v.InferOutput<typeof taskWakeListSchema>;
