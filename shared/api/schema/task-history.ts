/**
 * Schemas of the course of a task: its counters over time. common.ts defines units and encodings.
 */
import * as v from "valibot";
import { bytesCount, taskIdSchema, timeMs } from "./common.ts";

const coursePointSchema = v.object({
  atMs: timeMs,
  /** Package bytes that crossed the WAN for the task, since its creation. */
  wanBytes: bytesCount,
  /** Bytes that the devices of the task sent to each other, since its creation. */
  lanBytes: bytesCount,
  /** Devices that reported the state "complete". */
  complete: v.pipe(v.number(), v.integer(), v.minValue(0)),
});
export const taskHistorySchema = v.object({
  taskId: taskIdSchema,
  /** Least distance of two points, in milliseconds; it doubles as the course becomes longer. */
  stepMs: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** In the order of their times, the current counters last; empty before the first report. */
  points: v.array(coursePointSchema),
});
export type CoursePoint = v.InferOutput<typeof coursePointSchema>;
export type TaskHistory = v.InferOutput<typeof taskHistorySchema>;
