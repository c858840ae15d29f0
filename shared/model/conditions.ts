/**
 * Conditions of a device at one time: power, network, users, pressure and space. The platform reads
 * them (shared/platform), and guards restrict the device by them. Null: the system does
 * not tell. What is not known restricts nothing.
 */

/** Power source of a machine. */
export type Power = {
  readonly onBattery: boolean | null;
  /** Charge of the batteries; null also without a battery. */
  readonly batteryPercent: number | null;
  /** Whether the user or the system has turned a saver mode on. */
  readonly savesPower: boolean | null;
};

/** Conditions that the operating system tells. Shares are in percent, from 0 to 100. */
export type SystemConditions = Power & {
  /** Whether the network of the active interface is metered. */
  readonly isMetered: boolean | null;
  /** Time since the last input of a local user; infinity: nobody is at the machine. */
  readonly userIdleMs: number | null;
  /** Share of time in which work waits for a processor, or in which all processors are busy. */
  readonly cpuPercent: number | null;
  /** Share of time in which all work waits for a disk. */
  readonly ioPercent: number | null;
  readonly memoryFreePercent: number | null;
};

export type Conditions = SystemConditions & {
  /** Free space on the disk of the data folder. */
  readonly diskFreePercent: number | null;
  /** Whether the active interface is a radio. */
  readonly isWireless: boolean;
};

export const unknownPower: Power = { onBattery: null, batteryPercent: null, savesPower: null };

/** Conditions of which nothing is known. */
export const unknownConditions: Conditions = {
  ...unknownPower,
  isMetered: null,
  userIdleMs: null,
  cpuPercent: null,
  ioPercent: null,
  memoryFreePercent: null,
  diskFreePercent: null,
  isWireless: false,
};

/** Returns a share in percent, within its bounds; null for a whole that is not known. */
export const percentOf = (part: number, whole: number): number | null =>
  whole > 0 ? Math.min(100, Math.max(0, (100 * part) / whole)) : null;
