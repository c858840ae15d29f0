/**
 * Keys of packages on this device: the one of the current epoch, and the one before while it is
 * valid. The ledger keeps those of the packages that the device offers, also after their tasks have
 * ended. A removal of a device at the source replaces keys at once.
 */
import * as v from "valibot";
import { packageKeysSchema, type AgentTask } from "../api/schema/agent.ts";
import type { Ledger } from "../cache/index.ts";

export type StatedKeys = v.InferOutput<typeof packageKeysSchema>;
const savedSchema = v.array(packageKeysSchema);

/** Returns the keys of a task's package, the newest first. */
export const keysOf = ({
  packageKey,
  packageKeyBefore,
}: Pick<AgentTask, "packageKey" | "packageKeyBefore">): Uint8Array[] =>
  [packageKey, packageKeyBefore].flatMap((key) => (key ? [Buffer.from(key, "base64")] : []));

export class PackageKeyring {
  readonly #ledger: Ledger;
  readonly #keys = new Map<string, StatedKeys>();
  /** False: the ledger lacks the last changes, because it could not be written. */
  #isSaved = true;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    const saved = v.safeParse(savedSchema, ledger.packageKeys());
    for (const keys of saved.success ? saved.output : []) this.#keys.set(keys.packageId, keys);
  }

  /** Returns the keys of a package, the newest first; empty if the device has none. */
  of(packageId: string): Uint8Array[] {
    const keys = this.#keys.get(packageId);
    return keys ? keysOf(keys) : [];
  }

  /**
   * Takes keys of the source, and forgets those of packages that the device does not need. `save`
   * has to follow.
   * @returns the packages whose keys differ from those before
   */
  take(stated: readonly StatedKeys[], isNeeded: (packageId: string) => boolean): string[] {
    const changed: string[] = [];
    for (const { packageId, packageKey, packageKeyBefore } of stated) {
      const known = this.#keys.get(packageId);
      if (known?.packageKey === packageKey && known.packageKeyBefore === packageKeyBefore) continue;
      this.#keys.set(packageId, { packageId, packageKey, packageKeyBefore });
      changed.push(packageId);
    }
    const forgotten = [...this.#keys.keys()].filter((packageId) => !isNeeded(packageId));
    for (const packageId of forgotten) this.#keys.delete(packageId);
    if (changed.length > 0 || forgotten.length > 0) this.#isSaved = false;
    return changed;
  }

  /**
   * Saves changes, also those that could not be saved before. The device uses the keys meanwhile.
   * @returns whether the ledger was written
   * @throws CacheError when the ledger cannot be written
   */
  save(): boolean {
    if (this.#isSaved) return false;
    this.#ledger.savePackageKeys([...this.#keys.values()]);
    this.#isSaved = true;
    return true;
  }
}
