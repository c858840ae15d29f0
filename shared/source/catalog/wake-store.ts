/** Wakes in the catalog, as an interface: attempts to wake the devices of a task, and results. */
import type { WakeProblem } from "../../model/wake-on-lan.ts";

export type WakeRecord = {
  readonly taskId: number;
  readonly deviceId: string;
  /** Times that devices were asked to wake it. */
  readonly attempts: number;
  /** Why no device was asked the last time; null: some were. */
  readonly problem: WakeProblem | null;
  /** Time of the last attempt; null: none. */
  readonly askedAtMs: number | null;
  /** Devices that were asked in the last attempt, and those of them that sent packets. */
  readonly wakers: readonly string[];
  readonly sentAtMs: number | null;
  readonly sentBy: readonly string[];
  /** First check-in after the last attempt or problem; null: none. */
  readonly wokeAtMs: number | null;
};

export interface WakeStore {
  /** Returns the wakes of a task, by device. */
  ofTask(taskId: number): Promise<Map<string, WakeRecord>>;
  /** Returns those of these devices. */
  of(taskId: number, deviceIds: readonly string[]): Promise<Map<string, WakeRecord>>;
  /** Returns wakes of a task after a device, by the ids of the devices. */
  page(taskId: number, after: string | null, limit: number): Promise<WakeRecord[]>;
  /** Returns the last attempts for devices, in all tasks. */
  lastAsked(deviceIds: readonly string[]): Promise<Map<string, number>>;
  /** Counts an attempt. */
  noteAsked(
    taskId: number,
    asked: {
      readonly deviceIds: readonly string[];
      readonly wakers: readonly string[];
      readonly atMs: number;
    },
  ): Promise<void>;
  /** Notes why no device is asked. @returns whether that is new for one of the devices */
  noteProblem(taskId: number, deviceIds: readonly string[], problem: WakeProblem): Promise<boolean>;
  /** Notes that a device has sent packets in the last attempt. */
  noteSent(
    taskId: number,
    sent: { readonly deviceIds: readonly string[]; readonly by: string; readonly atMs: number },
  ): Promise<void>;
  /** Notes the check-in of a device. @returns the tasks that have waited for it */
  noteWoke(deviceId: string, atMs: number): Promise<number[]>;
}
