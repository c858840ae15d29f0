/** Errors and events of the distribution cache: codes for programs, advice for people. */
import { AccessError } from "../platform/private-files.ts";

export type CacheErrorCode =
  | "disk-full"
  | "cache-cap"
  | "conflict" // the cache has another package of that name and version
  | "path-taken" // the package's path has contents that the ledger does not list
  | "in-use"
  | "not-found"
  | "not-verified"
  | "bad-disk" // the disk of an image does not keep what is written
  | "corrupt" // a verified chunk has changed on the disk
  | "locked" // another agent uses the folder
  | "unsafe" // other users can change the folder
  | "newer-version"
  | "no-ledger"
  | "damaged"
  | "closed"
  | "io";

export class CacheError extends Error {
  override readonly name = "CacheError";
  readonly code: CacheErrorCode;

  constructor(code: CacheErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Returns the `code` of an error of the operating system; empty if it has none. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

export const isMissing = (error: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(errorCode(error));

/**
 * Converts an error of the operating system or of SQLite. A CacheError is returned unchanged.
 * @param doing the failed action, for the message: "Cannot DOING "WHAT""
 */
export function asCacheError(error: unknown, doing: string, what: string): CacheError {
  if (error instanceof CacheError) return error;
  if (error instanceof AccessError) return new CacheError("unsafe", error.message, { cause: error });
  const code = errorCode(error);
  if (code === "ENOSPC" || code === "EDQUOT" || code === "SQLITE_FULL") {
    return new CacheError(
      "disk-full",
      `Cannot ${doing} "${what}": the disk is full; free space on it, or remove packages with "cache remove NAME VERSION"`,
      { cause: error },
    );
  }
  if (code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB") {
    return new CacheError(
      "damaged",
      `Cannot ${doing} "${what}": it is damaged; start the agent again to rebuild it`,
      {
        cause: error,
      },
    );
  }
  const message = error instanceof Error ? error.message : String(error);
  return new CacheError("io", `Cannot ${doing} "${what}": ${message}`, { cause: error });
}

/** @param other package in the cache that has the name and version of a new one */
export const conflict = (other: { readonly id: string; readonly name: string; readonly version: string }) =>
  new CacheError(
    "conflict",
    `Another package named ${other.name} ${other.version} is in the cache (id ${other.id}): a published version never changes; ` +
      `publish it under a new version, or remove the old one with "cache remove ${other.name} ${other.version}"`,
  );

export type CacheEvent = {
  readonly level: "info" | "warn" | "error";
  /** Name for programs, stable across versions. */
  readonly event:
    | "ledger-damaged"
    | "ledger-rebuilt"
    | "package-begun"
    | "package-completed"
    | "package-evicted"
    | "package-removed"
    | "package-dropped"
    | "package-withdrawn"
    | "chunks-dropped"
    | "check-failed"
    | "eviction-failed"
    | "chunk-spoiled"
    | "flush-failed";
  readonly message: string;
};
export type CacheLog = (event: CacheEvent) => void;
