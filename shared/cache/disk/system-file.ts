/**
 * Implements an open file of the cache (files.ts) with the operating system.
 *
 * Cached calls are synchronous while the disk is fast (call-pace.ts), because waking a thread costs
 * 15 % of a receiver's time. Direct calls use O_DIRECT (Linux), and fall back to the page cache.
 */
import fs, { closeSync, constants, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { platform } from "../../platform/index.ts";
import { errorCode, isMissing } from "../cache-error.ts";
import type { FileState, IoPath, OpenFile } from "../files.ts";
import { CallPace } from "./call-pace.ts";

const [open, close, read, write] = [
  promisify(fs.open),
  promisify(fs.close),
  promisify(fs.read),
  promisify(fs.write),
];
const [fsync, fdatasync, fchmod] = [promisify(fs.fsync), promisify(fs.fdatasync), promisify(fs.fchmod)];

/** Alignment of direct I/O in file and memory; no file system or disk in use requires more. */
export const pageBytes = 4096;

/** A synchronous read that takes longer did not find its bytes in memory. */
const slowReadMs = 3;
/** Number of reads that are asynchronous after a slow one. */
const asyncReadsCount = 64;
/**
 * With more bytes than this in flight to the disk for `directBacklogMs`, the disk is slower than
 * the LAN. The next `cachedWritesCount` writes then use the page cache.
 */
const directBacklogBytes = 2 * 1024 * 1024;
const directBacklogMs = 100;
const cachedWritesCount = 64;
/** Smaller writes and reads take longer with a second file handle than through the page cache. */
const directMinBytes = 65_536;
/** Gaps below this offset are not worth a call: the system may fill them with zeros. */
const sparseFromBytes = 1024 * 1024;
/** Unit of `blocks` in a file's state. */
const blockBytes = 512;

/** Speed of a disk as its files observed it: whether calls are asynchronous, and writes direct. */
export class DiskPace {
  /** Pace of all calls but reads. */
  readonly calls = new CallPace();
  /** Number of the next reads that are asynchronous. */
  asyncReads = 0;
  /** Number of the next writes that use the page cache although they could be direct. */
  cachedWrites = 0;
  #directBytes = 0;
  #backlogSinceMs: number | null = null;
  /** False once the file system has refused direct I/O. */
  supportsDirect = platform.hasDirectIo;

  /** Direct bytes in flight. */
  get directBytes(): number {
    return this.#directBytes;
  }

  /** Whether the next write may be direct. Counts that write. */
  takesDirect(nowMs: number): boolean {
    if (!this.supportsDirect) return false;
    if (this.cachedWrites > 0) {
      this.cachedWrites--;
      return false;
    }
    if (this.#backlogSinceMs === null || nowMs < this.#backlogSinceMs + directBacklogMs) return true;
    this.#backlogSinceMs = nowMs;
    this.cachedWrites = cachedWritesCount;
    return false;
  }

  /** @param bytes direct bytes that are now in flight; negative when they have arrived */
  addDirectBytes(bytes: number, nowMs: number): void {
    this.#directBytes += bytes;
    if (this.#directBytes <= directBacklogBytes) this.#backlogSinceMs = null;
    else this.#backlogSinceMs ??= nowMs;
  }
}

/** Returns how many bytes can be direct: whole pages, if file and memory begin at a page. */
function directLength(bytes: Uint8Array, at: number, length: number, position: number): number {
  const isAligned = position % pageBytes === 0 && (bytes.byteOffset + at) % pageBytes === 0;
  return isAligned && length >= directMinBytes ? length - (length % pageBytes) : 0;
}

export class SystemFile implements OpenFile {
  /** Descriptor; -1 once the file is closed, because the system gives the number to another. */
  #file: number;
  readonly #path: string;
  readonly #access: "read" | "write";
  readonly #pace: DiskPace;
  #direct: Promise<number | null> | null = null;
  /** Whether gaps of the file take no space; null before the first write that may leave one. */
  #isSparse: boolean | null = null;

  private constructor(file: number, path: string, access: "read" | "write", pace: DiskPace) {
    this.#file = file;
    this.#path = path;
    this.#access = access;
    this.#pace = pace;
  }

  /** Opens a file for the port `Files`; files of one disk share `pace`. */
  static async open(
    path: string,
    access: "read" | "write",
    mode: number,
    pace: DiskPace,
  ): Promise<SystemFile> {
    return new SystemFile(await openInPlace(path, access, mode, pace.calls), path, access, pace);
  }

  async write(bytes: Uint8Array, at: number, length: number, position: number, path: IoPath): Promise<void> {
    if (position >= sparseFromBytes && !(this.#isSparse ??= platform.setSparse(this.#path)))
      // The file system fills the gap before the write: a thread waits for it.
      this.#pace.calls.nextIsSlow();
    let done = 0;
    if (path === "direct") done = await this.#writeDirect(bytes, at, length, position);
    while (done < length) done += await this.#writeCached(bytes, at + done, length - done, position + done);
  }

  /**
   * Writes whole pages past the page cache and returns the number of bytes written. The copy into
   * the page cache takes longer than decrypting and digesting the same bytes, and evicts pages of
   * other programs. Other bytes are left to the page cache: parts of pages, all bytes on a file
   * system without O_DIRECT, and writes to a disk that cannot keep up.
   *
   * The kernel keeps both paths coherent as long as no page is written by both at once. A page is
   * therefore either whole in a write, or not written directly.
   */
  async #writeDirect(bytes: Uint8Array, at: number, length: number, position: number): Promise<number> {
    const whole = directLength(bytes, at, length, position);
    const pace = this.#pace;
    if (whole === 0 || !pace.takesDirect(performance.now())) return 0;
    pace.addDirectBytes(whole, performance.now());
    try {
      return await this.#tryDirect(
        async (file) => (await write(file, bytes, at, whole, position)).bytesWritten,
      );
    } finally {
      pace.addDirectBytes(-whole, performance.now());
    }
  }

  #writeCached(bytes: Uint8Array, at: number, length: number, position: number): Promise<number> {
    return this.#pace.calls.call(
      () => writeSync(this.#file, bytes, at, length, position),
      async () => (await write(this.#file, bytes, at, length, position)).bytesWritten,
    );
  }

  async read(into: Uint8Array, position: number, path: IoPath): Promise<number> {
    let done = 0;
    const whole = path === "direct" ? directLength(into, 0, into.length, position) : 0;
    if (whole > 0) {
      done = await this.#tryDirect(async (file) => (await read(file, into, 0, whole, position)).bytesRead);
    }
    while (done < into.length) {
      const bytesRead = await this.#readCached(into, done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  /**
   * Reads synchronously while reads are fast: recently used bytes are in memory, and a copy takes
   * less time than waking a thread.
   */
  async #readCached(into: Uint8Array, at: number, position: number): Promise<number> {
    const pace = this.#pace;
    const length = into.length - at;
    if (pace.asyncReads > 0) {
      pace.asyncReads--;
      return (await read(this.#file, into, at, length, position)).bytesRead;
    }
    const startedMs = performance.now();
    const bytesRead = readSync(this.#file, into, at, length, position);
    if (performance.now() - startedMs > slowReadMs) pace.asyncReads = asyncReadsCount;
    return bytesRead;
  }

  /**
   * Returns the number of bytes moved. Returns 0 and disables direct I/O if the file system or the
   * memory does not support it.
   */
  async #tryDirect(action: (file: number) => Promise<number>): Promise<number> {
    if (!this.#pace.supportsDirect) return 0;
    try {
      const file = await (this.#direct ??= this.#openDirect());
      return file === null ? 0 : await action(file);
    } catch (error) {
      if (errorCode(error) !== "EINVAL") throw error;
      this.#pace.supportsDirect = false;
      return 0;
    }
  }

  async #openDirect(): Promise<number | null> {
    const access = this.#access === "read" ? constants.O_RDONLY : constants.O_RDWR;
    const file = await open(this.#path, access | constants.O_DIRECT | constants.O_NOFOLLOW).catch(() => null);
    if (file === null) this.#pace.supportsDirect = false;
    return file;
  }

  async sync(what: "data" | "all"): Promise<void> {
    if (what === "data") return fdatasync(this.#file);
    // Windows mounts no sparse disk image.
    const { size, blocks } = fstatSync(this.#file);
    if (size > sparseFromBytes) await platform.clearSparse(this.#path, blocks * blockBytes < size);
    return fsync(this.#file);
  }

  state(): FileState | null {
    const found = fstatSync(this.#file, { bigint: true });
    return found.nlink === 0n ? null : stateOf(found);
  }

  setMode(mode: number): Promise<void> {
    return fchmod(this.#file, mode);
  }

  async close(): Promise<void> {
    const [file, direct] = [this.#file, await this.#direct];
    [this.#file, this.#direct] = [-1, null];
    if (direct !== null) await close(direct);
    await this.#pace.calls.call(
      () => closeSync(file),
      () => close(file),
    );
  }
}

export const stateOf = ({ dev, ino, size, mtimeNs, ctimeNs, mode }: fs.BigIntStats): FileState => ({
  identity: `${dev}:${ino}`,
  sizeBytes: Number(size),
  modifiedNs: mtimeNs,
  changedNs: ctimeNs,
  mode: Number(mode) & 0o777,
});

async function openInPlace(
  path: string,
  access: "read" | "write",
  mode: number,
  calls: CallPace,
): Promise<number> {
  const noFollow = constants.O_NOFOLLOW ?? 0;
  const flags = (access === "read" ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT) | noFollow;
  const opened = (): Promise<number> =>
    calls.call(
      () => openSync(path, flags, mode),
      () => open(path, flags, mode),
    );
  try {
    return await opened();
  } catch (error) {
    if (access === "read" || !isMissing(error)) throw error;
    await mkdir(dirname(path), { recursive: true });
    return opened();
  }
}
