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
  /**
   * Replaces the keys that removed devices have: of their packages, and of the open tasks with
   * these. The keys before are not valid any more.
   * @returns the other devices that have these keys
   */
  renewWithout(deviceIds: readonly string[], atMs: number): Promise<string[]>;
}
