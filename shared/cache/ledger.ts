/**
 * The ledger as the cache and the device use it: a port. It lists the verified chunks of each
 * package with their origin, the state of each task, and the identity of the device.
 * disk/ledger-sqlite.ts implements it in SQLite, the simulator in memory.
 *
 * The ledger has no access to the bytes: package-store.ts writes them to the disk first and lists
 * the chunks afterwards.
 */
import * as v from "valibot";
import { barCodes } from "../model/enrolment.ts";
import { packageNameProblem, versionProblem } from "../model/package-path.ts";

const chunkOrigins = ["wan", "multicast", "peers", "cache"] as const;
export type ChunkOrigin = (typeof chunkOrigins)[number];
export type OriginBytes = Record<ChunkOrigin, number>;
export const noBytes: Readonly<OriginBytes> = { wan: 0, multicast: 0, peers: 0, cache: 0 };
export type PackageState = "partial" | "complete";

export type LedgerPackage = {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly sizeBytes: number;
  readonly chunkSizeBytes: number;
  readonly chunkCount: number;
  readonly state: PackageState;
  readonly lastUsedAtMs: number;
  readonly chunksVerified: number;
  readonly bytesVerified: number;
  readonly originBytes: OriginBytes;
  /**
   * Largest number of times that one chunk was listed; above 1, a verified chunk was received
   * again.
   */
  readonly receiptsMax: number;
  /** Ids of the tasks that pin the package. */
  readonly pinnedBy: readonly number[];
};
export type NewPackage = Pick<
  LedgerPackage,
  "id" | "name" | "version" | "sizeBytes" | "chunkSizeBytes" | "chunkCount"
>;
/** Columns of a package, without sums over its chunks. */
export type PackageHead = NewPackage &
  Pick<LedgerPackage, "state" | "lastUsedAtMs"> & {
    /**
     * Time of the source from which the age of an unused package counts; null: the package was used
     * after the last answer of the source.
     */
    readonly unusedSinceMs: number | null;
    /** Stamp of the entries (PackageEntries.stamp) when the package was last found right. */
    readonly stamp: string | null;
  };
/** Columns and sums that decide on eviction. */
export type PackageUse = PackageHead & Pick<LedgerPackage, "bytesVerified" | "pinnedBy">;
export type ChunkRow = {
  readonly chunk: number;
  readonly bytes: number;
  readonly origin: ChunkOrigin;
  readonly verifiedAtMs: number;
};
export type TaskRow = { readonly taskId: number; readonly state: unknown; readonly updatedAtMs: number };

export const identitySchema = v.object({
  sourceUrl: v.string(),
  deviceId: v.string(),
  credential: v.string(),
  deployment: v.number(),
  /** SHA-256 of the roots that the enrolment token named, hex; null: it named none. */
  trustRoot: v.optional(v.nullable(v.string()), null),
  /** Set when the credential is not used any more; `forgotten`: at the command of a person. */
  barred: v.optional(v.object({ code: v.picklist([...barCodes, "forgotten"]), atMs: v.number() })),
  /** Set for a machine that enrolled without a token, so that its code has to be approved. */
  isPending: v.optional(v.boolean()),
  /** SHA-256 of the source's identity key, hex. */
  sourceIdentity: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** Key (SHA-256, hex) of the certificate that the source vouched for last. */
  tlsSpki: v.optional(v.nullable(v.string()), null),
  /** Address to which the source has announced to move. */
  announcedUrl: v.optional(v.nullable(v.string()), null),
  /** Earlier addresses, the newest first. */
  formerUrls: v.optional(v.array(v.string()), []),
});
export type Identity = v.InferOutput<typeof identitySchema>;

/** Read access to the ledger, also from another process while an agent runs. */
export type LedgerReader = {
  /** Returns all packages with sums over their chunks: slow with many large packages. */
  packages(): LedgerPackage[];
  /** Returns all packages, in the order of `packages`; sums only over chunks of partial ones. */
  uses(): PackageUse[];
  package(id: string): PackageHead | null;
  /** Ignores case, as some file systems do. */
  packageNamed(name: string, version: string): PackageHead | null;
  /** Returns every cached version of a package; ignores case. */
  versionsOf(name: string): PackageHead[];
  /** Returns every saved task; its state is null if the JSON cannot be read. */
  tasks(): TaskRow[];
  /** Returns null before enrolment. */
  identity(): Identity | null;
  /** Returns the device's own setting as it was saved; null: none, or its JSON cannot be read. */
  ownSetting(): unknown;
  /** Returns the signed statements as they were saved; null: none, or their JSON cannot be read. */
  trust(): unknown;
  /** Returns the keys of packages as they were saved; null: none, or their JSON cannot be read. */
  packageKeys(): unknown;
  close(): void;
};

/** Access of the one agent of the data folder. Every method that writes throws CacheError. */
export type Ledger = LedgerReader & {
  saveIdentity(identity: Identity): void;
  saveOwnSetting(setting: unknown): void;
  /** Durable against a power cut when it returns: an order must not count twice. */
  saveTrust(record: unknown): void;
  savePackageKeys(keys: unknown): void;
  /**
   * Removes what was overwritten from the write-ahead log; does not wait for a reader of it.
   * @returns whether the log is clear
   */
  clearLog(): boolean;
  /** Durable against a power cut when it returns. */
  saveTask(taskId: number, state: unknown): void;
  /** Saves tasks in one transaction, as `saveTask` does. */
  saveTasks(tasks: readonly { readonly taskId: number; readonly state: unknown }[]): void;
  deleteTask(taskId: number): void;
  addPackage(row: NewPackage): void;
  removePackage(id: string): void;
  /** Durable against a power cut when it returns, and with it all earlier writes. */
  setState(id: string, state: PackageState): void;
  /** Durable against a power cut when it returns, and with it all earlier writes. */
  setStamp(id: string, stamp: string | null): void;
  touch(id: string): void;
  /**
   * Lets the age of packages that were used since the last call begin at `nowMs`, and of those
   * whose age began later.
   * @param nowMs time of the source
   */
  beginAges(nowMs: number): void;
  pin(id: string, taskId: number): void;
  unpin(id: string, taskId: number): void;
  /** Returns the listed chunks of a package, with their origin. */
  chunks(id: string): ChunkRow[];
  /** Lists chunks whose bytes are on the disk, in one transaction. */
  addChunks(id: string, rows: readonly ChunkRow[]): void;
  deleteChunks(id: string, chunks: Iterable<number>): void;
};

/**
 * Whether a row can belong to a cache. Name and version become folders, so a damaged or forged row
 * must not lead out of the cache.
 */
export function isValidPackageRow({ id, name, version }: PackageHead): boolean {
  return /^[0-9a-f]{64}$/.test(id) && packageNameProblem(name) === null && versionProblem(version) === null;
}
