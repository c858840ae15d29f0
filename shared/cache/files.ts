/**
 * The file system that the cache uses: the port below package-store.ts. The agent passes the
 * operating system's files (disk/system-files.ts). The simulator passes a disk that fills up, loses
 * power and tears writes.
 *
 * Paths are absolute. Functions reject with an error whose `code` is that of Node.js, such as
 * ENOENT for a missing entry and ENOSPC for a full disk. cache-error.ts converts these errors into
 * messages for people.
 */

/** "direct" bypasses the page cache where the system supports that; "cached" uses it. */
export type IoPath = "cached" | "direct";

/** State of a file by which a change by another program shows. */
export type FileState = {
  /** Equal as long as it is the same file, whatever its name is. */
  readonly identity: string;
  readonly sizeBytes: number;
  /** Time of the last change of the content, nanoseconds since 1970. */
  readonly modifiedNs: bigint;
  /** Time of the last change of content, name or mode, nanoseconds since 1970. */
  readonly changedNs: bigint;
  /** Permission bits that the file system keeps. */
  readonly mode: number;
};

export type OpenFile = {
  /**
   * Writes `length` bytes of `bytes`, from index `at` on, to `position` of the file. `bytes` must
   * not change until the promise settles.
   */
  write(bytes: Uint8Array, at: number, length: number, position: number, path: IoPath): Promise<void>;
  /**
   * Fills `into` with the file's bytes from `position` on. Returns the number of bytes read; fewer
   * than `into` has if the file ends earlier.
   */
  read(into: Uint8Array, position: number, path: IoPath): Promise<number>;
  /**
   * Makes a range zero without writing it. Returns false if that is not possible; part of the range
   * may then be zero. Missing for files that do not offer it.
   */
  zero?(position: number, length: number): Promise<boolean>;
  /** Makes all earlier writes durable against a power cut; "all" includes size and mode. */
  sync(what: "data" | "all"): Promise<void>;
  /** Returns the present state; null when no name leads to the file any more. */
  state(): FileState | null;
  /** @param mode permission bits, for example 0o755 */
  setMode(mode: number): Promise<void>;
  close(): Promise<void>;
};

/** "other": a symbolic link, a pipe, a device. */
export type FileEntry = FileState & { readonly kind: "file" | "folder" | "other" };

export type Files = {
  /**
   * Does not follow symbolic links. "write" creates the file and its folders if needed.
   * @param mode permission bits of a file that is created; the system may clear some of them
   */
  open(path: string, access: "read" | "write", mode: number): Promise<OpenFile>;
  readFile(path: string): Promise<Uint8Array>;
  /** Atomic: a crash leaves the old content or the new one. Durable once it resolves. */
  replaceFile(path: string, bytes: Uint8Array): Promise<void>;
  /** @returns null if the path does not exist */
  entryAt(path: string): Promise<FileEntry | null>;
  /** Returns the target of a symbolic link; null if the path is not a link. */
  linkAt(path: string): Promise<string | null>;
  /** Creates a symbolic link and its folders. */
  makeLink(target: string, path: string): Promise<void>;
  /** Returns the names of the folder's entries. */
  listFolder(path: string): Promise<string[]>;
  /**
   * Makes all earlier changes on the disk of `path` durable at once. Returns false if that is not
   * possible, or if syncing this number of files one by one is cheaper.
   */
  syncDisk(path: string, files: number): Promise<boolean>;
  /** Creates a folder and its parents; no error if it exists. */
  makeFolder(path: string): Promise<void>;
  /** Atomic; durable after `syncFolder` of the target's folder. */
  rename(from: string, to: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  /** Removes a file, or a folder with its contents; no error if the path does not exist. */
  remove(path: string): Promise<void>;
  /** Removes a folder if it is empty; no error if it is not, or does not exist. */
  removeEmptyFolder(path: string): Promise<void>;
  /** Returns the size of the disk that holds `path`, and the bytes this process may still use. */
  space(path: string): Promise<{ readonly totalBytes: number; readonly freeBytes: number }>;
};
