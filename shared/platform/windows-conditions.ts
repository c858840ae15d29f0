/** Parses what windows-api-conditions.ts tells of the conditions of a machine. Pure. */
import { percentOf, unknownPower, type Power } from "../model/conditions.ts";
import { idleMsOfSession } from "./windows-sessions.ts";

/** SYSTEM_POWER_STATUS: offsets, and values that mean something. */
const powerStatus = { line: 0, flags: 1, percent: 2, saver: 3 } as const;
const lineOffline = 0;
const noBattery = 128;
/** Line, flags or charge that Windows does not know. */
const unknown = 255;

/** @param status SYSTEM_POWER_STATUS; null if the call failed */
export function powerOf(status: DataView | null): Power {
  if (status === null) return unknownPower;
  const [line, flags, percent, saver] = [
    status.getUint8(powerStatus.line),
    status.getUint8(powerStatus.flags),
    status.getUint8(powerStatus.percent),
    status.getUint8(powerStatus.saver),
  ];
  const hasBattery = flags === unknown || (flags & noBattery) === 0;
  return {
    onBattery: line === unknown ? null : line === lineOffline,
    batteryPercent: hasBattery && percent !== unknown ? Math.min(100, percent) : null,
    savesPower: saver === 1,
  };
}

/** NLM_CONNECTION_COST: the low bits tell the kind of cost. */
const unrestricted = 1;
const fixedOrVariable = 2 | 4;
/** Over the data limit, congested, roaming: from this bit on. */
const restrictedFrom = 0x1_0000;

/** @param cost NLM_CONNECTION_COST; null if the call failed */
export function isMeteredCost(cost: number | null): boolean | null {
  if (cost === null || cost === 0) return null;
  if ((cost & fixedOrVariable) !== 0 || cost >= restrictedFrom) return true;
  return (cost & unrestricted) !== 0 ? false : null;
}

/** Times of all processors since the start, in units of 100 ns. `kernel` includes `idle`. */
export type ProcessorTimes = { readonly idle: bigint; readonly kernel: bigint; readonly user: bigint };

/** Returns the busy share between two readings; null without an earlier one. */
export function busyPercent(before: ProcessorTimes | null, after: ProcessorTimes | null): number | null {
  if (before === null || after === null) return null;
  const all = Number(after.kernel - before.kernel + (after.user - before.user));
  return percentOf(all - Number(after.idle - before.idle), all);
}

/** MEMORYSTATUSEX: its size, and offsets. */
export const memoryStatus = { bytes: 64, total: 8, available: 16 } as const;

/** @param status MEMORYSTATUSEX; null if the call failed */
export const memoryFreeOf = (status: DataView | null): number | null =>
  status &&
  percentOf(
    Number(status.getBigUint64(memoryStatus.available, true)),
    Number(status.getBigUint64(memoryStatus.total, true)),
  );

/** WTSINFOEXW of 64-bit Windows: offsets of level 1. */
export const lockInformation = { level: 0, flags: 16 } as const;
/** WTS_SESSIONSTATE_LOCK. The value of a session whose state is not known is 0xFFFFFFFF. */
const locked = 0;

/** @param information WTSINFOEXW; null if the call failed */
export const isLocked = (information: DataView | null): boolean =>
  information !== null &&
  information.byteLength >= lockInformation.flags + 4 &&
  information.getUint32(lockInformation.level, true) === 1 &&
  information.getUint32(lockInformation.flags, true) === locked;

/** WTSINFOW and WTSINFOEXW of one session. */
export type SessionState = { readonly information: DataView; readonly lock: DataView | null };

/**
 * Returns the shortest time without input of the sessions that are not locked; infinity: nobody is
 * at the machine.
 */
export function userIdleMsOf(sessions: readonly SessionState[]): number {
  const idle = sessions
    .filter(({ lock }) => !isLocked(lock))
    .map(({ information }) => idleMsOfSession(information))
    .filter((ms) => ms !== null);
  return Math.min(Number.POSITIVE_INFINITY, ...idle);
}
