/**
 * The file system as the cache uses it: the port below package-store.ts. The agent passes the operating system's files
 * (disk/system-files.ts), the simulator a disk that fills up, loses power and tears writes.
 *
 * Paths are absolute. Functions throw errors with a `code` as Node.js does: ENOENT for a missing entry, ENOSPC for a
 * full disk; cache-error.ts turns them into sentences.
 */

/** "direct" goes past the page cache where the system can; "cached" goes through it. */
export type IoPath = "cached" | "direct";

export type OpenFile = {
  /** Writes `length` bytes from `at` of `bytes` to `position` of the file. `bytes` must not change until then. */
  write(bytes: Uint8Array, at: number, length: number, position: number, path: IoPath): Promise<void>;
  /** Fills `into` from `position` on. Returns the number of bytes that the file has there. */
  read(into: Uint8Array, position: number, path: IoPath): Promise<number>;
  /** Everything written before survives a power cut afterwards; with "all" also size and mode. */
  sync(what: "data" | "all"): Promise<void>;
  sizeBytes(): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  /** @param mode permission bits, for example 0o755 */
  setMode(mode: number): Promise<void>;
  close(): Promise<void>;
};

export type FileEntry = { readonly kind: "file" | "folder" | "other"; readonly sizeBytes: number };

export type Files = {
  /** With "write" the file and its folders are made when they are missing. Symbolic links are not followed. */
  open(path: string, access: "read" | "write"): Promise<OpenFile>;
  readFile(path: string): Promise<Uint8Array>;
  /** Durable when it resolves. A crash leaves the old content or the new one. */
  replaceFile(path: string, bytes: Uint8Array): Promise<void>;
  /** @returns null when there is nothing */
  entryAt(path: string): Promise<FileEntry | null>;
  /** Names in a folder. */
  listFolder(path: string): Promise<string[]>;
  /** With its parents; quiet when it exists. */
  makeFolder(path: string): Promise<void>;
  /** Atomic; survives a power cut after `syncFolder` of the target's folder. */
  rename(from: string, to: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  /** A file, or a folder with all below it; quiet when there is nothing. */
  remove(path: string): Promise<void>;
  /** Quiet when it is missing or not empty. */
  removeEmptyFolder(path: string): Promise<void>;
  /** Bytes of the disk that holds `path`, and those that this process may still use. */
  space(path: string): Promise<{ readonly totalBytes: number; readonly freeBytes: number }>;
};
