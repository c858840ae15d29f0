/**
 * One open file of the operating system, as files.ts describes it.
 *
 * "cached" goes through the page cache. The call is synchronous while the system takes bytes without delay, because
 * waking a thread costs 15 % of a receiver's time; a disk that falls behind gets asynchronous calls.
 *
 * "direct" goes past the page cache (Linux, O_DIRECT). The copy into the page cache takes longer than decrypting and
 * digesting the same bytes, and pushes other programs' pages out of memory. Bytes that cannot go directly use the page
 * cache: ends of a file that fill no page, file systems without O_DIRECT, a disk that cannot keep up. The kernel keeps
 * both paths coherent as long as no page is written both ways at once; a page is either whole in a write or not direct.
 */
import { constants, readSync, writeSync } from "node:fs";
import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { platform } from "../../platform/index.ts";
import { errorCode, isMissing } from "../cache-error.ts";
import type { IoPath, OpenFile } from "../files.ts";

/** Offsets in file and memory, and lengths, of direct I/O; no file system or disk in use asks for more. */
export const pageBytes = 4096;

/** A write that took longer met a disk that is busy. */
const promptMs = 30;
const patientWritesMin = 64;
/** A read that took longer did not find its bytes in memory. */
const promptReadMs = 3;
const patientReadsMin = 64;
/** With more than this on its way directly for so long, the disk is slower than the LAN: the page cache takes the next writes. */
const directBacklogBytes = 2 * 1024 * 1024;
const directBacklogMs = 100;
const cachedWritesMin = 64;

/** What the files of one disk have shown of its speed. */
export class DiskPace {
  /** So many of the next writes wait for the disk instead of holding everything up; the same of reads. */
  patientWrites = 0;
  patientReads = 0;
  /** So many of the next writes go through the page cache, also those that could go directly. */
  cachedWrites = 0;
  #directBytes = 0;
  #backlogSinceMs: number | null = null;
  /** Until the file system refuses. */
  canDirect = platform.hasDirectIo;

  get directBytes(): number {
    return this.#directBytes;
  }

  /** Whether a write may go directly now. */
  takesDirect(nowMs: number): boolean {
    if (!this.canDirect) return false;
    if (this.cachedWrites > 0) {
      this.cachedWrites--;
      return false;
    }
    if (this.#backlogSinceMs === null || nowMs < this.#backlogSinceMs + directBacklogMs) return true;
    this.#backlogSinceMs = nowMs;
    this.cachedWrites = cachedWritesMin;
    return false;
  }

  /** @param bytes on their way directly, negative when they arrived */
  goDirectly(bytes: number, nowMs: number): void {
    this.#directBytes += bytes;
    if (this.#directBytes <= directBacklogBytes) this.#backlogSinceMs = null;
    else this.#backlogSinceMs ??= nowMs;
  }
}

/** Bytes from `position` of a file and `at` of `bytes` that can go directly: whole pages, from a page's start. */
function directLength(bytes: Uint8Array, at: number, length: number, position: number): number {
  const isAligned = position % pageBytes === 0 && (bytes.byteOffset + at) % pageBytes === 0;
  return isAligned ? length - (length % pageBytes) : 0;
}

export class SystemFile implements OpenFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #access: "read" | "write";
  readonly #pace: DiskPace;
  #direct: Promise<FileHandle | null> | null = null;

  private constructor(handle: FileHandle, path: string, access: "read" | "write", pace: DiskPace) {
    this.#handle = handle;
    this.#path = path;
    this.#access = access;
    this.#pace = pace;
  }

  /** Makes the file and its folders where they are missing, when it is to be written. */
  static async open(path: string, access: "read" | "write", pace: DiskPace): Promise<SystemFile> {
    return new SystemFile(await openInPlace(path, access), path, access, pace);
  }

  /** Writes all of `length` bytes from `at` of `bytes`; they must not change meanwhile. */
  async write(bytes: Uint8Array, at: number, length: number, position: number, path: IoPath): Promise<void> {
    let done = 0;
    if (path === "direct") done = await this.#writeDirect(bytes, at, length, position);
    while (done < length) done += await this.#writeCached(bytes, at + done, length - done, position + done);
  }

  async #writeDirect(bytes: Uint8Array, at: number, length: number, position: number): Promise<number> {
    const whole = directLength(bytes, at, length, position);
    const pace = this.#pace;
    if (whole === 0 || !pace.takesDirect(performance.now())) return 0;
    pace.goDirectly(whole, performance.now());
    try {
      return await this.#directly(
        async (file) => (await file.write(bytes, at, whole, position)).bytesWritten,
      );
    } finally {
      pace.goDirectly(-whole, performance.now());
    }
  }

  async #writeCached(bytes: Uint8Array, at: number, length: number, position: number): Promise<number> {
    const pace = this.#pace;
    if (pace.patientWrites > 0) {
      pace.patientWrites--;
      return (await this.#handle.write(bytes, at, length, position)).bytesWritten;
    }
    const begunMs = performance.now();
    const written = writeSync(this.#handle.fd, bytes, at, length, position);
    if (performance.now() - begunMs > promptMs) pace.patientWrites = patientWritesMin;
    return written;
  }

  /** Fills `into` from `position` on; returns how many bytes there were. */
  async read(into: Uint8Array, position: number, path: IoPath): Promise<number> {
    let done = 0;
    const whole = path === "direct" ? directLength(into, 0, into.length, position) : 0;
    if (whole > 0) {
      done = await this.#directly(async (file) => (await file.read(into, 0, whole, position)).bytesRead);
    }
    while (done < into.length) {
      const bytesRead = await this.#readCached(into, done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  /** What was written or read a moment ago is in memory: fetching it takes less than waking a thread for it. */
  async #readCached(into: Uint8Array, at: number, position: number): Promise<number> {
    const pace = this.#pace;
    const length = into.length - at;
    if (pace.patientReads > 0) {
      pace.patientReads--;
      return (await this.#handle.read(into, at, length, position)).bytesRead;
    }
    const begunMs = performance.now();
    const read = readSync(this.#handle.fd, into, at, length, position);
    if (performance.now() - begunMs > promptReadMs) pace.patientReads = patientReadsMin;
    return read;
  }

  /** The bytes that went directly; 0, from then on, when the file system or the memory is not made for it. */
  async #directly(action: (file: FileHandle) => Promise<number>): Promise<number> {
    if (!this.#pace.canDirect) return 0;
    try {
      const file = await (this.#direct ??= this.#openDirect());
      return file ? await action(file) : 0;
    } catch (error) {
      if (errorCode(error) !== "EINVAL") throw error;
      this.#pace.canDirect = false;
      return 0;
    }
  }

  async #openDirect(): Promise<FileHandle | null> {
    const access = this.#access === "read" ? constants.O_RDONLY : constants.O_RDWR;
    const file = await open(this.#path, access | constants.O_DIRECT | constants.O_NOFOLLOW).catch(() => null);
    if (!file) this.#pace.canDirect = false;
    return file;
  }

  sync(what: "data" | "all"): Promise<void> {
    return what === "data" ? this.#handle.datasync() : this.#handle.sync();
  }

  async sizeBytes(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes);
  }

  setMode(mode: number): Promise<void> {
    return this.#handle.chmod(mode);
  }

  async close(): Promise<void> {
    await (await this.#direct)?.close();
    await this.#handle.close();
  }
}

async function openInPlace(path: string, access: "read" | "write"): Promise<FileHandle> {
  const noFollow = constants.O_NOFOLLOW ?? 0;
  if (access === "read") return open(path, constants.O_RDONLY | noFollow);
  const flags = constants.O_RDWR | constants.O_CREAT | noFollow;
  try {
    return await open(path, flags, 0o644);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(dirname(path), { recursive: true });
    return open(path, flags, 0o644);
  }
}
