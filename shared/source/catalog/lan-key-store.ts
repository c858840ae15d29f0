/**
 * Keys with which devices talk on the LAN, as the catalog keeps them: one per package and epoch,
 * and one per open task. A key that no device needs any more is erased.
 */
export type PackageKeys = {
  readonly packageId: string;
  /** Key of the current epoch, 16 bytes. */
  readonly key: Uint8Array;
  /** Key of the epoch before, while its overlap lasts; null: it is not valid any more. */
  readonly keyBefore: Uint8Array | null;
};

export interface LanKeyStore {
  /** Returns the keys of packages, and notes that the device gets them. */
  grant(deviceId: string, packageIds: readonly string[]): Promise<PackageKeys[]>;
  /** Returns the keys of those of the packages that the device was granted before. */
  granted(deviceId: string, packageIds: readonly string[]): Promise<PackageKeys[]>;
  /**
   * Begins the next epoch of every package whose epoch is over, and erases keys whose overlap is
   * over. @returns the packages whose epoch began
   */
  beginEpochs(atMs: number): Promise<string[]>;
  /** Returns the packages whose keys these devices have. */
  packagesOf(deviceIds: readonly string[]): Promise<string[]>;
  /**
   * Replaces the keys of packages that removed devices have, and of the open tasks with these. The
   * keys before are not valid any more.
   */
  renew(packageIds: readonly string[], atMs: number): Promise<void>;
  /** Forgets what removed devices were granted, once the keys are others. */
  forget(deviceIds: readonly string[]): Promise<void>;
  /** Returns those of the devices that have the key of one of the packages. */
  holdersAmong(deviceIds: readonly string[], packageIds: readonly string[]): Promise<string[]>;
}
