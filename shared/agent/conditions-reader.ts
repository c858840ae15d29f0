/**
 * Reads the conditions of this device in the background: those that the system tells, the free
 * space of the data folder's disk, and the class. Elections, guards and `status` use the last
 * reading, so that nobody waits for a query.
 */
import { statfs } from "node:fs/promises";
import { percentOf, type Conditions } from "../model/conditions.ts";
import type { Medium } from "../model/interface.ts";
import { platform, type DeviceClass } from "../platform/index.ts";

/** Upper bound on the wait of a start for a system that answers late. */
const firstReadingMsMax = 2_000;

type Measured = {
  readonly deviceClass: DeviceClass;
  readonly conditions: Omit<Conditions, "isWireless">;
  /** Free bytes on the disk of the data folder. */
  readonly freeBytes: number;
};

/** The active interface; null if there is none. */
type ActiveInterface = { readonly name: string; readonly medium: Medium } | null;

type Watch = {
  readonly active: () => ActiveInterface;
  /** Time between two readings. */
  readonly intervalMs: () => number;
  readonly onRead: () => void;
};

export class ConditionsReader {
  readonly #dataFolder: string;
  #latest: Measured;
  #watch: Watch | null = null;
  #timer: Timer | null = null;
  /** The reading that is under way; a second one would only repeat it. */
  #reading: Promise<void> | null = null;

  private constructor(dataFolder: string, measured: Measured) {
    this.#dataFolder = dataFolder;
    this.#latest = measured;
  }

  /** @throws Error when the file system of `dataFolder` cannot be queried */
  static async open(dataFolder: string): Promise<ConditionsReader> {
    return new ConditionsReader(dataFolder, await measure(dataFolder, null));
  }

  /** The last reading. */
  get latest(): Measured {
    return this.#latest;
  }

  get conditions(): Conditions {
    const isWireless = this.#watch?.active()?.medium === "wireless";
    return { ...this.#latest.conditions, isWireless };
  }

  /** Reads again and again until `close`. Resolves after the first reading, or 2 s later. */
  async start(watch: Watch): Promise<void> {
    this.#watch = watch;
    await Promise.race([this.read(), Bun.sleep(firstReadingMsMax)]);
  }

  /** Reads now, for example because the interface changed. No effect before `start`. */
  async read(): Promise<void> {
    if (this.#watch === null) return;
    this.#reading ??= this.#read(this.#watch);
    await this.#reading;
  }

  async #read(watch: Watch): Promise<void> {
    this.#stopTimer();
    try {
      this.#latest = await measure(this.#dataFolder, watch.active()?.name ?? null);
    } catch {
      // If the disk cannot be queried, the old reading stays until the next one.
    }
    this.#reading = null;
    if (this.#watch === null) return;
    this.#timer = setTimeout(() => void this.read(), watch.intervalMs());
    watch.onRead();
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  close(): void {
    this.#watch = null;
    this.#stopTimer();
  }
}

async function measure(dataFolder: string, interfaceName: string | null): Promise<Measured> {
  const [deviceClass, conditions, { bavail, blocks, bsize }] = await Promise.all([
    platform.deviceClass(),
    platform.conditions(interfaceName),
    statfs(dataFolder),
  ]);
  const diskFreePercent = percentOf(bavail, blocks);
  return { deviceClass, conditions: { ...conditions, diskFreePercent }, freeBytes: bavail * bsize };
}
