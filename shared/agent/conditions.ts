/**
 * Conditions of this device that take a query of the system: class, power source, free disk space.
 * They are measured at the start, and again in the background, so that an election never waits.
 */
import { statfs } from "node:fs/promises";
import { platform, type DeviceClass } from "../platform/index.ts";

const measureEveryMs = 60_000;

type Measured = {
  readonly deviceClass: DeviceClass;
  readonly onBattery: boolean;
  /** Free bytes on the disk of the data folder. */
  readonly freeBytes: number;
};

export class Conditions {
  readonly #dataFolder: string;
  #latest: Measured;
  #measuredAtMs = performance.now();

  private constructor(dataFolder: string, measured: Measured) {
    this.#dataFolder = dataFolder;
    this.#latest = measured;
  }

  /** @throws Error when the file system of `dataFolder` cannot be queried */
  static async measure(dataFolder: string): Promise<Conditions> {
    return new Conditions(dataFolder, await measure(dataFolder));
  }

  /** Returns the last measurement. One older than a minute starts the next. */
  get latest(): Measured {
    const nowMs = performance.now();
    if (nowMs - this.#measuredAtMs > measureEveryMs) {
      this.#measuredAtMs = nowMs;
      // If the disk cannot be queried, the old measurement stays for another minute.
      void measure(this.#dataFolder).then(
        (measured) => (this.#latest = measured),
        () => {},
      );
    }
    return this.#latest;
  }
}

async function measure(dataFolder: string): Promise<Measured> {
  const [deviceClass, onBattery, { bavail, bsize }] = await Promise.all([
    platform.deviceClass(),
    platform.onBattery(),
    statfs(dataFolder),
  ]);
  return { deviceClass, onBattery, freeBytes: bavail * bsize };
}
