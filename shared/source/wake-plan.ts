/**
 * Decisions of Wake-on-LAN at the source: which devices are woken now, and in which order awake
 * devices are asked. Pure.
 */
import type { DeviceFacts } from "./catalog/device-record.ts";
import type { TaskRecord, WakeRecord } from "./catalog/index.ts";
import { firstStartMs, lastStartMs, type TaskStart } from "../model/task-life.ts";
import {
  canonicalMac,
  wakeAgainMs,
  wakeAttemptsMax,
  wakeUntilMs,
  type WakeMode,
} from "../model/wake-on-lan.ts";
import { wakeLeadMaxMs } from "../model/wake-settings.ts";
import type { Inventory } from "../api/schema/common.ts";

/** A targeted device that is not awake. */
export type Sleeper = {
  readonly id: string;
  readonly subnetId: string | null;
  readonly setting: { readonly wakeOnLan: WakeMode; readonly wakeLeadMs: number };
};

/** Whether devices of a task may have to be woken at a time, somewhere in the world. */
export const isWakeTime = (
  task: Pick<TaskRecord, "wakes" | "state" | "expiresAtMs"> & TaskStart,
  nowMs: number,
): boolean =>
  task.wakes &&
  task.state === "active" &&
  firstStartMs(task) - wakeLeadMaxMs <= nowMs &&
  nowMs <= lastStartMs(task) + wakeUntilMs &&
  nowMs < task.expiresAtMs;

/** Whether an attempt may be made for a device, by the attempts before it. */
export function mayTry(
  known: Pick<WakeRecord, "attempts"> | undefined,
  lastAskedAtMs: number | undefined,
  nowMs: number,
): boolean {
  if ((known?.attempts ?? 0) >= wakeAttemptsMax) return false;
  // A last attempt that is ahead was made before the source's clock was set back.
  return lastAskedAtMs === undefined || Math.abs(nowMs - lastAskedAtMs) >= wakeAgainMs;
}

/** Time in which a machine that was woken starts and checks in. */
export const wakeUpMs = 180_000;

/** Whether a device that is not awake may still be woken for a task. */
export function isBeingWoken(
  task: Parameters<typeof isWakeTime>[0],
  known: WakeRecord | undefined,
  nowMs: number,
): boolean {
  if (!isWakeTime(task, nowMs)) return false;
  if (known === undefined) return true;
  if (known.wokeAtMs !== null || (known.problem !== null && known.problem !== "no-waker")) return false;
  return known.attempts < wakeAttemptsMax || nowMs - (known.askedAtMs ?? 0) < wakeUpMs;
}

type Clocked = Pick<Inventory, "utcOffsetMinutes"> | undefined;
/** Whether a device begins a task soon or has begun; UTC counts without a known time zone. */
export function isDue(
  { startAtMs, startIsLocal }: TaskStart,
  { setting }: Pick<Sleeper, "setting">,
  inventory: Clocked,
  nowMs: number,
): boolean {
  const offsetMs = startIsLocal ? (inventory?.utcOffsetMinutes ?? 0) * 60_000 : 0;
  const startMs = startAtMs - offsetMs;
  return nowMs >= startMs - setting.wakeLeadMs && nowMs <= startMs + wakeUntilMs;
}

/** Returns the MAC address of the interface in use; null: none that can be woken. */
export function wakeAddress(inventory: Pick<Inventory, "interfaces"> | undefined): string | null {
  const active = inventory?.interfaces.find((one) => one.active);
  return active === undefined ? null : canonicalMac(active.mac);
}

/** A connected device of the subnet. */
export type Candidate = {
  readonly id: string;
  readonly facts: DeviceFacts;
  /** Whether it has not answered the last request. */
  readonly isSilent: boolean;
  /** Whether it was asked in the last attempt, without success. */
  readonly wasAsked: boolean;
};

/** Returns candidates in the order in which they are asked. */
export function ranked<C extends Candidate>(candidates: readonly C[]): C[] {
  const cost = ({ isSilent, wasAsked, facts }: Candidate): number =>
    (isSilent ? 8 : 0) +
    (wasAsked ? 4 : 0) +
    (facts.medium === "wireless" ? 2 : 0) +
    (facts.onBattery === true ? 1 : 0);
  return candidates.toSorted((a, b) => cost(a) - cost(b) || (a.id < b.id ? -1 : 1));
}
