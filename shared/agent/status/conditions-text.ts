/** Conditions of a device as one line of `status`. Pure. */
import { formatDuration } from "../../model/quantity.ts";
import type { AgentStatus } from "./status-server.ts";

type Stated = NonNullable<AgentStatus["conditions"]>;

const percentText = (share: number): string => `${Math.round(share)} %`;

function powerText({ onBattery, batteryPercent, savesPower }: Stated): string | null {
  if (onBattery === null) return null;
  const charge = batteryPercent === null ? "" : ` at ${percentText(batteryPercent)}`;
  return `${onBattery ? "on battery" : "on mains"}${charge}${savesPower === true ? ", saves power" : ""}`;
}

const share = (what: string, percent: number | null): string | null =>
  percent === null ? null : `${what} ${percentText(percent)}`;

/** Returns what is known; null: nothing. */
export function conditionsLine(stated: AgentStatus["conditions"]): string | null {
  if (stated === null) return null;
  const { isMetered, userIdleMs } = stated;
  const known = [
    powerText(stated),
    isMetered === true ? "metered network" : null,
    userIdleMs === null ? null : `last input ${formatDuration(Math.floor(userIdleMs / 1_000) * 1_000)} ago`,
    share("processors busy", stated.cpuPercent),
    share("disks busy", stated.ioPercent),
    share("free memory", stated.memoryFreePercent),
    share("free disk", stated.diskFreePercent),
  ].filter((part) => part !== null);
  return known.length === 0 ? null : `conditions: ${known.join(", ")}`;
}
