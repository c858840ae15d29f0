/** Words of what a guard keeps a device from: rows of reason-table.ts. */
import * as v from "valibot";
import type { GuardName } from "./guard.ts";
import { row } from "./reason-row.ts";

/** Condition that each guard has found, with the setting that turns it off. */
const guardWords: Readonly<Record<GuardName, string>> = {
  battery: "on battery (guardBattery)",
  metered: "the network is metered (guardMetered)",
  user: "a user is active (guardUser)",
  cpu: "the processors are busy (guardCpu)",
  io: "the disks are busy (guardIo)",
  disk: "little free space on the disk (guardDisk)",
  memory: "little free memory (guardMemory)",
  wireless: "on Wi-Fi (guardWireless)",
};

/**
 * Returns the words of guards. A later version may have others, whose names are shown.
 * @param names with commas
 */
export const guardsText = (names: string, wordsOf: Readonly<Record<GuardName, string>>): string =>
  names
    .split(",")
    .map((name) => (Object.hasOwn(wordsOf, name) ? wordsOf[name as GuardName] : name))
    .join(", ");

const guards = v.string();
const why = (names: string): string => guardsText(names, guardWords);

export const guardReasons = {
  "guard-not-representative": row(
    { guards },
    ({ guards: names }) => `is not elected as representative: ${why(names)}`,
  ),
  "guard-pause-wan": row({ guards }, ({ guards: names }) => `takes nothing over the WAN: ${why(names)}`),
  "guard-pause": row({ guards }, ({ guards: names }) => `paused on this device: ${why(names)}`),
} as const;
