/**
 * Simulated disk behind the cache's port (cache/files.ts). It outlives the processes of its
 * machine, and fails as real disks do: full, slow, flipped bits, or a power cut that loses or tears
 * unsynced writes.
 *
 * Writes and reads through the page cache take no time, as on a machine with free memory. Syncs,
 * atomic replacements and writes to a slow disk take time, so that a crash can interrupt them.
 */
import type { FileEntry, Files, FileState, OpenFile } from "../cache/files.ts";
import type { Random } from "./random.ts";

/** Error with a `code`, as the operating system reports it. */
class SystemError extends Error {
  readonly code: string;

  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

type Extent = { readonly from: number; readonly to: number };
type FileNode = {
  readonly identity: string;
  /** Number of the last operation that changed the content. */
  modified: number;
  /** View of a buffer that may be longer, so that a growing file is not copied at every write. */
  bytes: Uint8Array<ArrayBuffer>;
  mode: number;
  /** Content after a power cut; null: the file was never synced. */
  durable: Uint8Array<ArrayBuffer> | null;
  /** Extents written since the last sync. */
  dirty: Extent[];
  /** Number of the last operation that wrote or read a block of `blockBytes`, by block. */
  written: number[];
  read: number[];
};
type Rename = { readonly from: string; readonly to: string };

const blockBytes = 1_024;
const diskBytes = 1 << 30;
/** Initial buffer of a file: most files of a small world fit, and are never copied. */
const fileRoomMin = 16_384;

/** Changes that another program of the machine makes to a file. */
export type ForeignChange = "empties" | "removes" | "rewrites";

/** Clock of the waiting process, and the random source of durations. */
export type DiskTiming = { readonly sleep: (delayMs: number) => Promise<void>; readonly random: Random };

export class Disk {
  /** True: writes fail with ENOSPC. */
  isFull = false;
  hasFlippedBits = false;
  /** Duration of a write; 0: the page cache accepts it at once. */
  writeMs = 0;
  readonly #files = new Map<string, FileNode>();
  readonly #folders = new Set<string>();
  /** Renames that a power cut may undo: the folder of the target was not synced since. */
  #renames: Rename[] = [];
  #operations = 0;
  /** Writes that have begun and not ended. */
  #writesUnderWay = 0;
  /** Symbolic links by path; a power cut keeps them. */
  readonly #links = new Map<string, string>();
  /** Files that another program changed: what this process synced of them is gone. */
  readonly #changedByOther = new Set<string>();

  /** Returns the port for one process. Waits of a process that ended never settle. */
  filesFor({ sleep, random }: DiskTiming): Files {
    const syncTime = (): Promise<void> => sleep(random.between(1, 20));
    // Writes of the former process never end.
    this.#writesUnderWay = 0;
    return {
      open: async (path, access, mode) => this.#open(path, access, mode, sleep, syncTime),
      readFile: async (path) => this.#nodeAt(path).bytes.slice(),
      replaceFile: async (path, bytes) => {
        this.#assertRoom(path);
        await syncTime();
        this.#assertRoom(path);
        this.#makeParents(path);
        this.#files.set(path, { ...this.#newNode(), bytes: bytes.slice(), durable: bytes.slice() });
      },
      entryAt: async (path) => this.#entryAt(path),
      linkAt: async (path) => this.#links.get(path) ?? null,
      makeLink: async (target, path) => {
        this.#makeParents(path);
        this.#links.set(path, target);
      },
      listFolder: async (path) => this.#list(path),
      makeFolder: async (path) => this.#makeFolder(path),
      rename: async (from, to) => {
        this.#move(from, to);
        this.#renames.push({ from, to });
      },
      syncFolder: async (path) => {
        await syncTime();
        this.#renames = this.#renames.filter(({ to }) => parentOf(to) !== path);
      },
      remove: async (path) => this.#remove(path),
      removeEmptyFolder: async (path) => {
        if (this.#list(path).length === 0) this.#folders.delete(path);
      },
      syncDisk: async (_path, files) => {
        if (files < 2) return false;
        const synced = [...this.#files.values()].map(startSync);
        await syncTime();
        for (const end of synced) end();
        return true;
      },
      space: async () => ({ totalBytes: diskBytes, freeBytes: this.isFull ? 0 : diskBytes / 2 }),
    };
  }

  // ---- queries of the checkers ------------------------------------------------------------------

  /** Returns bytes of a file; null when the file ends before. */
  bytesAt(path: string, offset: number, length: number): Uint8Array | null {
    const node = this.#files.get(path);
    return node && node.bytes.length >= offset + length ? node.bytes.subarray(offset, offset + length) : null;
  }

  /** Returns whether these bytes would survive a power cut. */
  isDurable(path: string, offset: number, length: number): boolean {
    if (this.#changedByOther.has(path)) return true;
    const node = this.#files.get(path);
    if (!node?.durable || node.durable.length < offset + length) return false;
    return !node.dirty.some(({ from, to }) => from < offset + length && offset < to);
  }

  /** Returns whether every byte was read after its last write. */
  wasReadBack(path: string, offset: number, length: number): boolean {
    const node = this.#files.get(path);
    if (!node) return false;
    for (let block = Math.floor(offset / blockBytes); block * blockBytes < offset + length; block++)
      if ((node.read[block] ?? -1) < (node.written[block] ?? 0)) return false;
    return true;
  }

  /** Returns the permission bits; null when the file does not exist. */
  modeOf(path: string): number | null {
    return this.#files.get(path)?.mode ?? null;
  }

  // ---- faults -----------------------------------------------------------------------------------

  /** Loses, tears or keeps each unsynced extent, and may undo unsynced renames and new files. */
  cutPower(random: Random): void {
    for (const { from, to } of this.#renames.splice(0).toReversed())
      if (random.chance(0.5) && this.#exists(to) && !this.#exists(from)) this.#move(to, from);
    for (const [path, node] of this.#files) {
      if (node.dirty.length === 0) continue;
      if (node.durable === null && random.chance(0.3)) {
        this.#files.delete(path);
        continue;
      }
      const durable = new Uint8Array(node.bytes.length);
      durable.set((node.durable ?? new Uint8Array(0)).subarray(0, durable.length));
      for (const { from, to } of node.dirty) {
        const outcome = random.next();
        const end = outcome < 0.4 ? from : outcome < 0.7 ? random.whole(from, to) : to;
        durable.set(node.bytes.subarray(from, end), from);
      }
      Object.assign(node, { bytes: durable.slice(), durable, dirty: [] });
    }
  }

  /** Flips one bit of a file, in its durable content too. */
  flipBit(path: string, offset: number, bit: number): void {
    const node = this.#files.get(path);
    if (!node || offset >= node.bytes.length) return;
    this.hasFlippedBits = true;
    node.bytes[offset]! ^= 1 << bit;
    if (node.durable && offset < node.durable.length) node.durable[offset] = node.bytes[offset]!;
  }

  /** @returns false during a write of the agent: it does not notice such a change */
  changeByOther(path: string, change: ForeignChange): boolean {
    const node = this.#files.get(path);
    if (!node || this.#writesUnderWay > 0) return false;
    this.#changedByOther.add(path);
    this.#mark(node.written, 0, node.bytes.length);
    if (change === "removes") this.#files.delete(path);
    else if (change === "empties") this.#resize(node, 0);
    else if (node.bytes.length > 0) this.#write(node, new Uint8Array(node.bytes.length).fill(0x55), 0);
    return true;
  }

  // ---- file system ------------------------------------------------------------------------------

  #open(
    path: string,
    access: "read" | "write",
    modeAtCreation: number,
    sleep: DiskTiming["sleep"],
    syncTime: () => Promise<void>,
  ): OpenFile {
    let node = this.#files.get(path);
    if (!node) {
      if (access === "read") throw new SystemError("ENOENT", path);
      this.#makeParents(path);
      this.#files.set(path, (node = { ...this.#newNode(), mode: modeAtCreation }));
    }
    const file = node;
    return {
      write: async (bytes, at, length, position) => {
        // The operating system copies the bytes at the time of the call.
        const taken = bytes.slice(at, at + length);
        this.#writesUnderWay++;
        try {
          if (this.writeMs > 0) await sleep(this.writeMs);
          this.#assertRoom(path);
          this.#write(file, taken, position);
        } finally {
          this.#writesUnderWay--;
        }
      },
      read: async (into, position) => {
        const found = file.bytes.subarray(position, position + into.length);
        into.set(found);
        this.#mark(file.read, position, found.length);
        return found.length;
      },
      sync: async () => {
        const end = startSync(file);
        await syncTime();
        end();
      },
      state: () => (this.#isNamed(file) ? stateOf(file) : null),
      setMode: async (mode) => void (file.mode = mode),
      close: async () => {},
    };
  }

  #write(file: FileNode, bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (position > file.bytes.length) this.#resize(file, position);
    if (end > file.bytes.length) file.bytes = withBytes(file.bytes, bytes, position);
    else file.bytes.set(bytes, position);
    file.dirty.push({ from: position, to: end });
    this.#mark(file.written, position, bytes.length);
    file.modified = this.#operations;
  }

  #resize(file: FileNode, sizeBytes: number): void {
    const before = file.bytes.length;
    file.modified = ++this.#operations;
    if (sizeBytes > before) {
      // The kept buffer may hold truncated bytes, and a file that grows again reads as zeros there.
      file.bytes = withBytes(file.bytes, new Uint8Array(sizeBytes - before), before);
      file.dirty.push({ from: before, to: sizeBytes });
    } else if (sizeBytes < before) {
      file.bytes = file.bytes.subarray(0, sizeBytes);
      file.durable &&= file.durable.subarray(0, sizeBytes);
      file.dirty = file.dirty
        .filter(({ from }) => from < sizeBytes)
        .map(({ from, to }) => ({ from, to: Math.min(to, sizeBytes) }));
    }
  }

  #mark(blocks: number[], position: number, length: number): void {
    const operation = ++this.#operations;
    for (let block = Math.floor(position / blockBytes); block * blockBytes < position + length; block++)
      blocks[block] = operation;
  }

  #nodeAt(path: string): FileNode {
    const node = this.#files.get(path);
    if (!node) throw new SystemError("ENOENT", path);
    return node;
  }

  #assertRoom(path: string): void {
    if (this.isFull) throw new SystemError("ENOSPC", path);
  }

  #entryAt(path: string): FileEntry | null {
    const node = this.#files.get(path);
    if (node) return { kind: "file", ...stateOf(node) };
    const state = { identity: path, sizeBytes: 0, modifiedNs: 0n, changedNs: 0n, mode: 0o755 };
    if (this.#links.has(path)) return { kind: "other", ...state };
    return this.#folders.has(path) ? { kind: "folder", ...state } : null;
  }

  #isNamed(node: FileNode): boolean {
    for (const each of this.#files.values()) if (each === node) return true;
    return false;
  }

  #newNode(): FileNode {
    const operation = ++this.#operations;
    return {
      identity: String(operation),
      modified: operation,
      bytes: new Uint8Array(0),
      mode: 0o644,
      durable: null,
      dirty: [],
      written: [],
      read: [],
    };
  }

  #exists(path: string): boolean {
    return this.#entryAt(path) !== null;
  }

  #list(path: string): string[] {
    const names = new Set<string>();
    for (const each of [...this.#files.keys(), ...this.#folders])
      if (each.startsWith(`${path}/`)) names.add(each.slice(path.length + 1).split("/")[0]!);
    return [...names];
  }

  #makeFolder(path: string): void {
    for (let folder = path; folder !== "/" && !this.#folders.has(folder); folder = parentOf(folder))
      this.#folders.add(folder);
  }

  #makeParents(path: string): void {
    this.#makeFolder(parentOf(path));
  }

  #move(from: string, to: string): void {
    if (!this.#exists(from)) throw new SystemError("ENOENT", from);
    const moved = (path: string): string | null =>
      path === from ? to : path.startsWith(`${from}/`) ? to + path.slice(from.length) : null;
    for (const [path, node] of this.#files) {
      const next = moved(path);
      if (next === null) continue;
      this.#files.delete(path);
      this.#files.set(next, node);
    }
    for (const [path, target] of this.#links) {
      const next = moved(path);
      if (next === null) continue;
      this.#links.delete(path);
      this.#links.set(next, target);
    }
    for (const path of this.#folders) {
      const next = moved(path);
      if (next === null) continue;
      this.#folders.delete(path);
      this.#folders.add(next);
    }
    this.#makeParents(to);
  }

  #remove(path: string): void {
    const isBelow = (each: string): boolean => each === path || each.startsWith(`${path}/`);
    for (const each of this.#files.keys()) if (isBelow(each)) this.#files.delete(each);
    for (const each of this.#links.keys()) if (isBelow(each)) this.#links.delete(each);
    for (const each of this.#folders) if (isBelow(each)) this.#folders.delete(each);
  }
}

/** Returns a function that ends the sync; bytes written in between are not part of it. */
function startSync(file: FileNode): () => void {
  const synced = file.dirty.map((extent) => ({ extent, bytes: contentOf(file, extent) }));
  return () => {
    for (const { extent, bytes } of synced) file.durable = withBytes(file.durable, bytes, extent.from);
    file.durable ??= new Uint8Array(0);
    const extents = new Set(synced.map(({ extent }) => extent));
    file.dirty = file.dirty.filter((extent) => !extents.has(extent));
  };
}

const contentOf = ({ bytes }: FileNode, { from, to }: Extent): Uint8Array => bytes.slice(from, to);

/** Returns `into` with the bytes written at `position`, or a longer copy of it. */
function withBytes(
  into: Uint8Array<ArrayBuffer> | null,
  bytes: Uint8Array,
  position: number,
): Uint8Array<ArrayBuffer> {
  const size = Math.max(into?.length ?? 0, position + bytes.length);
  const room =
    into && size <= into.buffer.byteLength ? into.buffer : new ArrayBuffer(Math.max(fileRoomMin, 2 * size));
  const written = new Uint8Array(room, 0, size);
  if (into && room !== into.buffer) written.set(into);
  written.set(bytes, position);
  return written;
}

const stateOf = ({ identity, bytes, modified, mode }: FileNode): FileState => ({
  identity,
  sizeBytes: bytes.length,
  modifiedNs: BigInt(modified),
  changedNs: BigInt(modified),
  mode,
});

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")));
