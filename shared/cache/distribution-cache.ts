/**
 * The distribution cache: the complete and partial packages of a device, and their ledger.
 *
 * Decides which packages are kept: room, caps, pins, eviction and removal. package-store.ts handles
 * the bytes of one package. One process uses the folder at a time (disk/folder-lock.ts); others may
 * read the ledger only.
 */
import type { Clock } from "../model/clock.ts";
import { verifySigned, type SignedManifest } from "../model/signing.ts";
import { asCacheError, CacheError, conflict, type CacheLog } from "./cache-error.ts";
import { CacheFolder, type LoadedManifest } from "./cache-folder.ts";
import type { Files } from "./files.ts";
import type { ImageDisk } from "./image-disk.ts";
import { PlacedFiles } from "./placed-files.ts";
import type { DiskShare } from "../model/disk-share.ts";
import { keptFreeBytes, planEviction, planRoom, type Candidate } from "./capacity.ts";
import { storeLocalChunks } from "./local-chunks.ts";
import type { Ledger, PackageUse } from "./ledger.ts";
import { PackageStore } from "./package-store.ts";
import { adoptUnlisted, isSamePackageName, packageRow, reconcile, reconcileListed } from "./reconcile.ts";

export type CacheOptions = {
  /** The agent's data folder. */
  readonly dir: string;
  /** Cap on the sum of all package sizes; null: none. */
  readonly maxBytes: number | null;
  /** Time since its last use after which an unused package is evicted; null: never. */
  readonly maxAgeMs: number | null;
  readonly clock: Clock;
  readonly log: CacheLog;
};
/** Ports of the cache; `unlock` lets another process use the folder. */
type CacheParts = { readonly files: Files; readonly ledger: Ledger; readonly unlock: () => void };
type PackageCheck = {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly ok: boolean;
  readonly badChunks: number[];
};

type Limits = {
  readonly maxBytes: number | null;
  readonly maxAgeMs: number | null;
  /** Part of the disk that stays free. */
  readonly keepFree: DiskShare;
};

export class DistributionCache {
  readonly ledger: Ledger;
  readonly #options: CacheOptions;
  readonly #files: PlacedFiles;
  readonly #folder: CacheFolder;
  readonly #unlock: () => void;
  readonly #stores = new Map<string, PackageStore>();
  /** Stores that `begin` returned, and for whose packages room is reserved. */
  readonly #begun = new Map<string, PackageStore>();
  /** Packages whose rows and files were made to agree since the start. */
  #checked = new Set<string>();
  #limits: Limits;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: CacheOptions, { files, ledger, unlock }: CacheParts) {
    this.ledger = ledger;
    this.#options = options;
    this.#files = new PlacedFiles(files);
    this.#folder = new CacheFolder(this.#files, options.dir);
    this.#unlock = unlock;
    this.#limits = { maxBytes: options.maxBytes, maxAgeMs: options.maxAgeMs, keepFree: { bytes: 0 } };
  }

  /** Makes ledger and disk agree; call before any other method. */
  async reconcile(): Promise<void> {
    this.#checked = await reconcile({ ledger: this.ledger, folder: this.#folder, log: this.#options.log });
  }

  /**
   * Lists the packages on the disk that the ledger lacks, and that one of these publishers signed:
   * the ledger was lost, or an image was made with a filled cache. Later calls of `begin` wait.
   */
  adoptFound(publisherKeys: readonly Uint8Array[]): Promise<void> {
    const { log } = this.#options;
    const context = { ledger: this.ledger, folder: this.#folder, log };
    return this.#serially(() =>
      adoptUnlisted({ ...context, openStore: (id) => this.#openStore(id) }, publisherKeys),
    );
  }

  /** Folder that holds the complete packages. */
  get root(): string {
    return this.#folder.root;
  }

  /** Bytes that the ledger lists. */
  get storedBytes(): number {
    return this.#stored(this.ledger.uses()).reduce((sum, { bytesVerified }) => sum + bytesVerified, 0);
  }

  /**
   * Returns the store of a package in the cache, partial or complete; null if there is none.
   * Reserves nothing: without a reader (`addReader`) the package may be evicted and its store
   * closed.
   */
  find(id: string): Promise<PackageStore | null> {
    return this.#serially(() => this.#openStore(id));
  }

  /**
   * Returns the store of a package, and adds the package if it is new. Reserves room for the
   * missing bytes until the last task unpins it or the store is closed, and evicts unused packages
   * for it. Pins the package for `task` in the same step.
   * @param disk gets the package's only file, and belongs to the package from then on; the package
   *   was not begun before (`clearFor`)
   * @throws ManifestError when the manifest is not valid or its publisher is unknown
   * @throws CacheError "disk-full", "cache-cap", "conflict" or "not-found"
   */
  begin(
    signed: SignedManifest,
    pinnedKeys: readonly Uint8Array[],
    task?: { readonly id: number; readonly packageId: string },
    disk: ImageDisk | null = null,
  ): Promise<PackageStore> {
    return this.#serially(async () => {
      const { manifest, id } = await verifySigned(signed, pinnedKeys);
      if (task && task.packageId !== id)
        throw new Error(`The source sent the manifest of package ${id} for ${task.packageId}: it is refused`);
      const opened = await this.#openStore(id);
      const row = this.ledger.package(id);
      if (!row) {
        const other = this.ledger.packageNamed(manifest.name, manifest.version);
        if (other) throw conflict(other);
      }
      if (disk !== null) this.#files.place(id, manifest, this.#folder, disk);
      if (row?.state !== "complete" && !this.#isBegun(id) && this.#files.diskOf(id) === null) {
        const stored = opened?.bytesVerified ?? 0;
        await this.#makeRoom(`${manifest.name} ${manifest.version}`, id, manifest.sizeBytes, stored);
      }
      if (!row) {
        await this.#folder.saveManifest(id, signed);
        this.ledger.addPackage(packageRow(id, manifest));
        const message = `${manifest.name} ${manifest.version} (${manifest.sizeBytes} bytes) was added to the cache`;
        this.#options.log({ level: "info", event: "package-begun", message });
      }
      if (task) this.ledger.pin(id, task.id);
      this.ledger.touch(id);
      const store = await this.#openStore(id, row ? null : { manifest, signed });
      if (!store)
        throw new CacheError(
          "not-found",
          `The manifest of ${manifest.name} ${manifest.version} is missing or damaged: start the agent again to fetch it again`,
        );
      this.#begun.set(id, store);
      return store;
    });
  }

  /** Returns the disk that has the package's only file; null if its files are in the folder. */
  diskOf(id: string): ImageDisk | null {
    return this.#files.diskOf(id);
  }

  /**
   * Drops what keeps an image from a disk: the package, where it is stored otherwise, and packages
   * on the same disk. The bytes of a disk stay.
   * @throws CacheError "in-use" while another task uses one of them
   */
  clearFor(id: string, diskPath: string, taskId: number): Promise<void> {
    return this.#serially(async () => {
      const ids = new Set([id, ...this.#files.idsOn(diskPath)]);
      for (const row of this.ledger.uses().filter((each) => ids.has(each.id))) {
        const others = row.pinnedBy.filter((pin) => pin !== taskId);
        if (others.length > 0)
          throw new CacheError(
            "in-use",
            `Task ${others.join(", ")} uses ${row.name} ${row.version}: it has to end before the disk "${diskPath}" is written`,
          );
        await this.#drop(row);
      }
      for (const each of ids) await this.#files.forget(each);
    });
  }

  /** Leaves out packages on disks of their own, which take no room. */
  #stored(rows: readonly PackageUse[]): PackageUse[] {
    return rows.filter(({ id }) => this.#files.diskOf(id) === null);
  }

  /**
   * Stores the chunks of a package that need no network: zeros, and what other cached versions of
   * it have.
   * @throws CacheError as `PackageStore.writeChunk` does
   */
  async storeLocalChunks(store: PackageStore, signal: AbortSignal): Promise<void> {
    const releases: (() => void)[] = [];
    try {
      const others: PackageStore[] = [];
      for (const { id } of this.ledger.versionsOf(store.manifest.name)) {
        // A version that cannot be opened hinders no other: its chunks are fetched.
        const other = id === store.id ? null : await this.find(id).catch(() => null);
        if (!other?.isOpen) continue;
        releases.push(other.addReader());
        others.push(other);
      }
      await storeLocalChunks({ store, others, signal });
    } finally {
      for (const release of releases) release();
    }
  }

  /** Keeps a package from eviction and removal until `unpin`, also after a restart. */
  pin(id: string, taskId: number): void {
    this.ledger.pin(id, taskId);
    this.ledger.touch(id);
  }

  /** Lets other programs use the disk of an image, too, once no task pins it. */
  unpin(id: string, taskId: number): void {
    this.ledger.unpin(id, taskId);
    this.ledger.touch(id);
    if (this.ledger.uses().some((row) => row.id === id && row.pinnedBy.length > 0)) return;
    // A task that was cancelled or failed leaves a partial package, which no task fetches.
    this.#begun.delete(id);
    this.#files.diskOf(id)?.release();
  }

  /**
   * Removes a package from the ledger and the disk.
   * @throws CacheError "not-found", "in-use" or "io"
   */
  remove(name: string, version: string): Promise<void> {
    return this.#serially(async () => {
      const row = this.ledger.uses().find((each) => isSamePackageName(each, { name, version }));
      if (!row) {
        throw new CacheError("not-found", `There is no ${name} ${version} in the cache: see "cache list"`);
      }
      const reason = this.#reasonInUse(row);
      if (reason) throw new CacheError("in-use", `${name} ${version} cannot be removed: ${reason}`);
      await this.#drop(row);
      this.#options.log({
        level: "info",
        event: "package-removed",
        message: `${name} ${version} was removed`,
      });
    });
  }

  /**
   * Reads every verified chunk of the matching packages; drops the bad ones, to be fetched again.
   */
  async verify(name?: string, version?: string): Promise<PackageCheck[]> {
    const checks: PackageCheck[] = [];
    const matches = (row: PackageUse): boolean =>
      isSamePackageName(row, { name: name ?? row.name, version: version ?? row.version });
    for (const row of this.ledger.uses().filter(matches)) {
      const store = await this.find(row.id);
      if (!store) continue;
      const release = store.addReader();
      try {
        const badChunks = await store.check();
        checks.push({
          id: row.id,
          name: row.name,
          version: row.version,
          ok: badChunks.length === 0,
          badChunks,
        });
      } finally {
        release();
      }
    }
    return checks;
  }

  /**
   * Evicts unused packages that are too old, exceed the cap, or leave too little of the disk free;
   * returns them. The device's own clock does not decide on ages, because it may be wrong by years.
   * @param nowMs time of the source
   */
  evict(nowMs: number): Promise<{ id: string; name: string; version: string }[]> {
    return this.#serially(async () => {
      this.#beginAges(nowMs);
      const rows = this.#stored(this.ledger.uses());
      const { keepFree, ...limits } = this.#limits;
      const evicted = planEviction({
        candidates: this.#candidates(rows),
        usedBytes: rows.reduce((sum, row) => sum + row.sizeBytes, 0),
        ...limits,
        lackingBytes: await this.#lackingBytes(keepFree),
        nowMs,
      });
      const gone: { id: string; name: string; version: string }[] = [];
      for (const id of evicted) {
        const row = rows.find((each) => each.id === id)!;
        if (await this.#evictOne(row)) gone.push({ id, name: row.name, version: row.version });
      }
      return gone;
    });
  }

  /** Returns the bytes that have to become free; 0 if the disk cannot tell its free space. */
  async #lackingBytes(keepFree: DiskShare): Promise<number> {
    const disk = await this.#folder.space().catch(() => null);
    return disk === null ? 0 : keptFreeBytes(disk.totalBytes, keepFree) - disk.freeBytes;
  }

  /** A full disk delays ages, but not the eviction that would free it. */
  #beginAges(nowMs: number): void {
    try {
      this.ledger.beginAges(nowMs);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.log({ level: "error", event: "flush-failed", message });
    }
  }

  /** Takes effect at the next `begin` or `evict`. */
  setLimits(limits: Limits): void {
    this.#limits = limits;
  }

  async close(): Promise<void> {
    await this.#serially(async () => {
      try {
        const closed = await Promise.allSettled([...this.#stores.values()].map((store) => store.close()));
        await this.#files.close();
        for (const result of closed) if (result.status === "rejected") throw result.reason;
      } finally {
        this.#stores.clear();
        this.ledger.close();
        this.#unlock();
      }
    });
  }

  /** Runs changes of the set of packages one after the other. */
  #serially<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(action);
    this.#lastChange = result.catch(() => {});
    return result;
  }

  #isBegun(id: string): boolean {
    return this.#begun.get(id)?.isOpen === true;
  }

  /** @param saved manifest that was just saved; null: it is read from the disk */
  async #openStore(id: string, saved: LoadedManifest | null = null): Promise<PackageStore | null> {
    const open = this.#stores.get(id);
    if (open?.isOpen) return open;
    const listed = this.ledger.package(id);
    if (listed && !this.#checked.has(id)) {
      await reconcileListed({ folder: this.#folder, ledger: this.ledger, log: this.#options.log }, listed);
      this.#checked.add(id);
    }
    const row = this.ledger.package(id);
    const loaded = row && (saved ?? (await this.#folder.loadManifest(id)));
    if (!row || !loaded) return null;
    const store = new PackageStore({
      ...loaded,
      id,
      ledger: this.ledger,
      state: row.state,
      partialPath: this.#folder.partialPath(id),
      finalPath: this.#folder.finalPath(row.name, row.version),
      files: this.#files,
      clock: this.#options.clock,
      log: this.#options.log,
    });
    this.#stores.set(id, store);
    return store;
  }

  /** @param stuck ids of packages whose eviction failed */
  async #makeRoom(
    title: string,
    id: string,
    sizeBytes: number,
    storedBytes: number,
    stuck: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    const rows = this.#stored(this.ledger.uses()).filter((row) => row.id !== id);
    const disk = await this.#folder.space().catch((error: unknown) => {
      throw asCacheError(error, "ask the free space of", this.#folder.root);
    });
    const promised = rows
      .filter((row) => row.state === "partial" && this.#isBegun(row.id))
      .reduce((sum, row) => sum + row.sizeBytes - (this.#stores.get(row.id)?.bytesVerified ?? 0), 0);
    const plan = planRoom({
      title,
      sizeBytes,
      missingBytes: sizeBytes - storedBytes,
      usedBytes: rows.reduce((sum, row) => sum + row.sizeBytes, 0),
      maxBytes: this.#limits.maxBytes,
      freeBytes: disk.freeBytes - promised - keptFreeBytes(disk.totalBytes, this.#limits.keepFree),
      candidates: this.#candidates(rows.filter((row) => !stuck.has(row.id))),
    });
    if (!plan.ok) throw new CacheError(plan.code, plan.message);
    for (const each of plan.evict)
      if (!(await this.#evictOne(rows.find((row) => row.id === each)!)))
        return this.#makeRoom(title, id, sizeBytes, storedBytes, new Set([...stuck, each]));
  }

  #candidates(rows: readonly PackageUse[]): Candidate[] {
    return rows
      .filter((row) => this.#reasonInUse(row) === null)
      .map((row) => ({
        id: row.id,
        state: row.state,
        sizeBytes: row.sizeBytes,
        storedBytes: row.bytesVerified,
        lastUsedAtMs: row.lastUsedAtMs,
        unusedSinceMs: row.unusedSinceMs,
      }));
  }

  /** Returns why the package cannot be removed, for a person; null if it is unused. */
  #reasonInUse(row: PackageUse): string | null {
    const store = this.#stores.get(row.id);
    if (row.pinnedBy.length > 0) return `task ${row.pinnedBy.join(", ")} uses it; cancel the task first`;
    if (store?.isOpen && store.readers > 0) return "it is being read; try again later";
    if (row.state === "partial" && this.#isBegun(row.id)) return "it is being fetched; cancel its task first";
    return null;
  }

  /** Returns false if the package cannot be removed, for example because a program uses it. */
  async #evictOne(row: PackageUse): Promise<boolean> {
    const what = `${row.name} ${row.version} (${row.sizeBytes} bytes)`;
    const { log } = this.#options;
    try {
      await this.#drop(row);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log({ level: "error", event: "eviction-failed", message: `${what} was not evicted: ${reason}` });
      return false;
    }
    const why = "was evicted from the cache, to make room or because of its age";
    log({ level: "info", event: "package-evicted", message: `${what} ${why}` });
    return true;
  }

  async #drop(row: PackageUse): Promise<void> {
    await this.#stores.get(row.id)?.close();
    this.#stores.delete(row.id);
    this.#begun.delete(row.id);
    this.#checked.delete(row.id);
    // The final path goes first, so that it never holds a partly deleted package.
    if (row.state === "complete") await this.#folder.discard(this.#folder.finalPath(row.name, row.version));
    await this.#folder.discard(this.#folder.partialPath(row.id));
    await this.#folder.forgetManifest(row.id);
    this.ledger.removePackage(row.id);
    await this.#files.forget(row.id);
  }
}
