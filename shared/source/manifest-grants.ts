/**
 * Decides which devices get a manifest from the source, so that it crosses the WAN once per subnet.
 * The first device of a subnet gets it; the source names it, and the later ones, to those that ask
 * after it. A device that could not reach them gets it too, one at a time.
 *
 * Kept in memory: after a restart of the source a manifest may cross the WAN once more.
 */
export type ManifestHolder = {
  readonly deviceId: string;
  readonly address: string;
  readonly lanPort: number;
};
type ManifestRequest = ManifestHolder & {
  /** Times that the device has asked before. */
  readonly attempt: number;
};
type ManifestAnswer =
  { readonly result: "granted" } | { readonly result: "elsewhere"; readonly holders: ManifestHolder[] };
/** Times by the source's clock: the last transfer begins, and is expected to end. */
type Grants = { readonly holders: ManifestHolder[]; busyFromMs: number; busyUntilMs: number };

/** Attempts after which a device gets the manifest from the source. */
const attemptsMax = 3;
/** Holders named to a device; it asks them at once. */
const namedMax = 3;
/** Holders remembered for a package on a subnet; the oldest is dropped. */
const holdersOfOneMax = 64;
/**
 * Holders remembered for all packages on all subnets, some 200 bytes each; those of the oldest
 * package on a subnet are dropped.
 */
const allHoldersMax = 250_000;
/** Time of a transfer: at least a second, and 250 kbit/s. */
const transferMsMin = 1_000;
const bytesPerMs = 31;

export class ManifestGrants {
  readonly #random: () => number;
  /** By package and subnet, the least recently created first. */
  readonly #grants = new Map<string, Grants>();
  readonly #holdersMax: number;
  #holders = 0;

  /** @param random uniform from 0 up to, not including, 1 */
  constructor(random: () => number, holdersMax = allHoldersMax) {
    this.#random = random;
    this.#holdersMax = holdersMax;
  }

  /** @param bytes size of the answer with the manifest */
  ask(
    packageId: string,
    subnetId: string,
    { attempt, ...holder }: ManifestRequest,
    bytes: number,
    nowMs: number,
  ): ManifestAnswer {
    const key = `${packageId} ${subnetId}`;
    const known = this.#grants.get(key);
    const others = known?.holders.filter(({ deviceId }) => deviceId !== holder.deviceId) ?? [];
    // After the clock was set back, nothing is known of the transfer.
    const isFree = known === undefined || nowMs >= known.busyUntilMs || nowMs < known.busyFromMs;
    if (others.length === 0 || (attempt >= attemptsMax && isFree)) {
      const grants = known ?? { holders: [], busyFromMs: 0, busyUntilMs: 0 };
      grants.busyFromMs = nowMs;
      grants.busyUntilMs = nowMs + Math.max(transferMsMin, bytes / bytesPerMs);
      this.#add(key, grants, holder);
      return { result: "granted" };
    }
    // The newest holders of earlier attempts may not have it yet: any of them may be asked.
    const named = Array.from({ length: namedMax }, () => others[Math.floor(this.#random() * others.length)]!);
    if (attempt === 0) this.#add(key, known!, holder);
    return { result: "elsewhere", holders: [...new Set(named)] };
  }

  #add(key: string, grants: Grants, holder: ManifestHolder): void {
    const before = grants.holders.length;
    const at = grants.holders.findIndex(({ deviceId }) => deviceId === holder.deviceId);
    if (at >= 0) grants.holders.splice(at, 1);
    grants.holders.push(holder);
    if (grants.holders.length > holdersOfOneMax) grants.holders.shift();
    this.#grants.set(key, grants);
    this.#holders += grants.holders.length - before;
    for (const [oldest, { holders }] of this.#grants) {
      if (this.#holders <= this.#holdersMax) break;
      this.#grants.delete(oldest);
      this.#holders -= holders.length;
    }
  }
}
