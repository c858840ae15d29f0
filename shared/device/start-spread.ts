/**
 * Spread of the start of a task that a whole fleet starts at one time. Without it, every device
 * would request manifest and lease in the same millisecond.
 */
import { createHash } from "node:crypto";
import type { AgentTask } from "../api/schema/agent.ts";
import { utcOfWallTime, type TimeZone } from "../model/time-zone.ts";
import type { DevicePorts } from "./ports.ts";
import { taskTimeMs } from "./source-time.ts";

/** Share of the time from the arrival of the task to its start time. */
const share = 0.05;
/**
 * Upper bounds between the devices of a subnet: a time, and a share of `startJitter`. They share
 * the rest of the delay, so that they elect one representative together.
 */
const deviceMsMax = 2_000;
const deviceShare = 0.1;

/** Returns a number from 0 up to, not including, 1, which depends on the words only. */
const drawn = (...words: readonly (string | number)[]): number =>
  createHash("sha256").update(words.join(" ")).digest().readUInt32BE() / 2 ** 32;

/**
 * Returns the time in milliseconds by which the device starts a task later than its start time.
 * @param aheadMs time from the arrival of the task to its start time
 * @param jitterMs setting `startJitter`, the upper bound on the result
 */
export function startSpreadMs(
  aheadMs: number,
  jitterMs: number,
  { taskId, device, subnetId }: { taskId: number; device: string; subnetId: string | null },
): number {
  const boundMs = Math.min(jitterMs, aheadMs * share);
  const deviceBoundMs = Math.min(deviceMsMax, boundMs * deviceShare);
  const ofSubnet = (boundMs - deviceBoundMs) * drawn("subnet", taskId, subnetId ?? device);
  const ofDevice = deviceBoundMs * drawn("device", taskId, device);
  return Math.round(ofSubnet + ofDevice);
}

type StartPorts = Pick<DevicePorts, "clock" | "device" | "place" | "timeZone">;
type Start = Pick<AgentTask, "id" | "startAtMs" | "startIsLocal" | "setting">;

/** Returns the start time of a task on a device of this zone. */
export const startOf = (
  { startAtMs, startIsLocal }: Pick<AgentTask, "startAtMs" | "startIsLocal">,
  zone: TimeZone,
): number => (startIsLocal ? utcOfWallTime(startAtMs, zone) : startAtMs);

/** Start time of one task on this device, with its spread. */
export class SpreadStart {
  readonly #ports: StartPorts;
  /** 0: the task arrived after its start time. */
  dueAtMs = 0;
  /** Start time and `startJitter` of which `dueAtMs` was drawn. */
  #drawnOf = { startAtMs: 0, jitterMs: 0 };

  constructor(ports: StartPorts) {
    this.#ports = ports;
  }

  /** Returns the time until the task starts, at most 0 if it may start now. */
  delayMs(task: Start): number {
    const { clock, device, place, timeZone } = this.#ports;
    const nowMs = taskTimeMs(clock, place.answered);
    const startAtMs = startOf(task, timeZone);
    const jitterMs = task.setting.values.startJitterMs;
    const aheadMs = startAtMs - nowMs;
    const isDrawn = startAtMs === this.#drawnOf.startAtMs && jitterMs === this.#drawnOf.jitterMs;
    if (!isDrawn) this.dueAtMs = 0;
    this.#drawnOf = { startAtMs, jitterMs };
    if (aheadMs > 0 && this.dueAtMs === 0) {
      const { subnetId } = place;
      this.dueAtMs = startAtMs + startSpreadMs(aheadMs, jitterMs, { taskId: task.id, device, subnetId });
    }
    return this.dueAtMs - nowMs;
  }
}
