/**
 * Spread of the start of a task that a whole fleet starts at one time. Without it, every device
 * would request manifest and lease in the same millisecond.
 */
import { createHash } from "node:crypto";
import type { AgentTask } from "../api/schema/agent.ts";
import type { DevicePorts } from "./ports.ts";
import { taskTimeMs } from "./source-time.ts";

/** Share of the time from the arrival of the task to its start time. */
const share = 0.05;
/**
 * Upper bound between subnets. The devices of a subnet share most of the delay, so that they elect
 * one representative together.
 */
const subnetMsMax = 60_000;
/** Upper bound between the devices of a subnet. */
const deviceMsMax = 2_000;

/** Returns a number from 0 up to, not including, 1, which depends on the words only. */
const drawn = (...words: readonly (string | number)[]): number =>
  createHash("sha256").update(words.join(" ")).digest().readUInt32BE() / 2 ** 32;

/**
 * Returns the time in milliseconds by which the device starts a task later than its start time.
 * @param aheadMs time from the arrival of the task to its start time
 */
export function startSpreadMs(
  aheadMs: number,
  { taskId, device, subnetId }: { taskId: number; device: string; subnetId: string | null },
): number {
  const ofSubnet = Math.min(subnetMsMax, aheadMs * share) * drawn("subnet", taskId, subnetId ?? device);
  const ofDevice = Math.min(deviceMsMax, aheadMs * share) * drawn("device", taskId, device);
  return Math.round(ofSubnet + ofDevice);
}

type StartPorts = Pick<DevicePorts, "clock" | "device" | "place">;

/** Start time of one task on this device, with its spread. */
export class SpreadStart {
  readonly #ports: StartPorts;
  /** 0: the task arrived after its start time. */
  dueAtMs = 0;
  /** Start time of which `dueAtMs` was drawn. */
  #startAtMs = 0;

  constructor(ports: StartPorts) {
    this.#ports = ports;
  }

  /** Returns the time until the task starts, at most 0 if it may start now. */
  delayMs({ id: taskId, startAtMs }: Pick<AgentTask, "id" | "startAtMs">): number {
    const { clock, device, place } = this.#ports;
    const nowMs = taskTimeMs(clock, place.answered);
    const aheadMs = startAtMs - nowMs;
    if (startAtMs !== this.#startAtMs) this.dueAtMs = 0;
    this.#startAtMs = startAtMs;
    if (aheadMs > 0 && this.dueAtMs === 0)
      this.dueAtMs = startAtMs + startSpreadMs(aheadMs, { taskId, device, subnetId: place.subnetId });
    return this.dueAtMs - nowMs;
  }
}
