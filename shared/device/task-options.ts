/** Parts of a device that each of its tasks uses. */
import type { Reason } from "../model/reason.ts";
import type { CommandTurns } from "./command-turns.ts";
import type { Offers } from "./offers.ts";
import type { DevicePorts } from "./ports.ts";
import type { TaskRow } from "./task-record.ts";

export type TaskOptions = {
  readonly ports: DevicePorts;
  readonly offers: Offers;
  readonly row: TaskRow;
  readonly turns: CommandTurns;
  /** Returns false once another task has taken the id. */
  readonly isListed: () => boolean;
  /** Returns why the command must not run: a higher version, or a newer order. Null: it may. */
  readonly downgradeReason: () => Reason | null;
  /** Returns the position of the next command that succeeds on this device, from 1. */
  readonly nextRunOrder: () => number;
  /** Called when there is something new to report. */
  readonly onChange: () => void;
  /** Returns the other task of this device whose session fetches the package; null: none. */
  readonly fetchedBy: (packageId: string) => number | null;
  /** Called when the package is complete; other tasks of this device may wait for it. */
  readonly onPackageComplete: (packageId: string) => void;
};
