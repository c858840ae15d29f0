/** Rows of the table of settings (setting.ts) about Wake-on-LAN. */
import * as v from "valibot";
import { formatDuration, parseDurationMs } from "./quantity.ts";
import { durationMs, HOUR, SECOND, setting } from "./setting-row.ts";
import { parseWakeMode, wakeModes } from "./wake-on-lan.ts";

/** Upper bound on `wakeLead`: the source looks at tasks from then on. */
export const wakeLeadMaxMs = HOUR;

export const wakeSettingKeys = {
  wakeOnLan: setting({
    field: "wakeOnLan",
    schema: v.picklist(wakeModes),
    default: "allow",
    mayBeMissing: true,
    parse: parseWakeMode,
    format: String,
    about: "whether the device is woken for tasks that say so, and wakes others: allow or never",
  }),
  wakeLead: setting({
    field: "wakeLeadMs",
    schema: durationMs(0, wakeLeadMaxMs),
    default: 300 * SECOND,
    mayBeMissing: true,
    parse: parseDurationMs,
    format: formatDuration,
    about: "time before a scheduled start at which a device that is not awake is woken",
  }),
} as const;
