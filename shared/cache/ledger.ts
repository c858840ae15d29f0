/**
 * The ledger as the cache and the device use it: which chunk of which package is verified and where it came from, what
 * each task's state is, and who this device is. disk/ledger-sqlite.ts implements it in SQLite, the simulator in memory.
 *
 * The ledger knows nothing about bytes: package-store.ts puts them on the disk first and lists them here afterwards.
 */
import * as v from "valibot";
import { packageNameProblem, versionProblem } from "../model/package-path.ts";

export const chunkOrigins = ["wan", "multicast", "peers", "cache"] as const;
export type ChunkOrigin = (typeof chunkOrigins)[number];
export type OriginBytes = Record<ChunkOrigin, number>;
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
  /** More than 1: a chunk crossed the network although it was verified. */
  readonly receiptsMax: number;
  readonly pinnedBy: readonly number[];
};
export type NewPackage = Pick<
  LedgerPackage,
  "id" | "name" | "version" | "sizeBytes" | "chunkSizeBytes" | "chunkCount"
>;
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
  /** Raw 32-byte Ed25519 keys, base64. */
  publisherKeys: v.array(v.string()),
  tlsPin: v.optional(v.string()),
});
export type Identity = v.InferOutput<typeof identitySchema>;

/** What may be read beside a running agent too. */
export type LedgerReader = {
  packages(): LedgerPackage[];
  /** Every task with a saved state; one whose JSON cannot be read comes with null. */
  tasks(): TaskRow[];
  /** Null before enrolment. */
  identity(): Identity | null;
  close(): void;
};

/** Every method that writes throws CacheError. */
export type Ledger = LedgerReader & {
  saveIdentity(identity: Identity): void;
  /** Durable when it returns, also through a power cut. */
  saveTask(taskId: number, state: unknown): void;
  deleteTask(taskId: number): void;
  addPackage(row: NewPackage): void;
  removePackage(id: string): void;
  /** Durable when it returns, and with it everything written before. */
  setState(id: string, state: PackageState): void;
  touch(id: string): void;
  pin(id: string, taskId: number): void;
  unpin(id: string, taskId: number): void;
  /** The chunks of a package with where they came from. */
  chunks(id: string): ChunkRow[];
  /** Lists chunks whose bytes are on the disk, in one transaction. */
  addChunks(id: string, rows: readonly ChunkRow[]): void;
  deleteChunks(id: string, chunks: Iterable<number>): void;
};

/**
 * Whether a row can belong to a cache. Its name and version become folders: a damaged or forged row must not lead out
 * of the cache.
 */
export function isPossiblePackage({ id, name, version }: LedgerPackage): boolean {
  return /^[0-9a-f]{64}$/.test(id) && packageNameProblem(name) === null && versionProblem(version) === null;
}
