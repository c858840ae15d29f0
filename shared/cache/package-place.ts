/** Folder of a package: the partial path until the package is complete, then the final path. */
import { CacheError } from "./cache-error.ts";
import type { Files } from "./files.ts";
import type { Ledger, PackageState } from "./ledger.ts";
import type { PackageFiles } from "./package-files.ts";

type PlaceOptions = {
  readonly id: string;
  /** Name and version, for messages. */
  readonly title: string;
  readonly ledger: Ledger;
  readonly files: Files;
  readonly packageFiles: PackageFiles;
  /** Folder of the bytes until the package is complete. */
  readonly partialPath: string;
  /** Folder of the complete package. */
  readonly finalPath: string;
};

export class PackagePlace {
  readonly #options: PlaceOptions;
  #state: PackageState;

  constructor(options: PlaceOptions, state: PackageState) {
    this.#options = options;
    this.#state = state;
  }

  get state(): PackageState {
    return this.#state;
  }

  get finalPath(): string {
    return this.#options.finalPath;
  }

  /** Moves a partial package out of the final path, if `enter` failed to move it back. */
  async leaveFinalPath(): Promise<void> {
    const { packageFiles, partialPath, finalPath } = this.#options;
    if (this.#state === "partial" && packageFiles.root === finalPath)
      await packageFiles.relocate(partialPath, "write");
  }

  /** @throws CacheError "path-taken" when something else is at the final path */
  async assertFree(): Promise<void> {
    const { files, finalPath, title } = this.#options;
    if (!(await files.entryAt(finalPath).catch(() => null))) return;
    throw new CacheError(
      "path-taken",
      `Cannot put ${title} at "${finalPath}": that path exists and is not in the ledger; move it away`,
    );
  }

  /** Moves the package, whose every entry is right, to its final path. */
  async enterFinalPath(): Promise<void> {
    const { id, ledger, packageFiles, partialPath, finalPath } = this.#options;
    // Durable, and with it the rows of all chunks: a power cut after the move leaves a package that
    // the ledger lists as a whole, so that reconcile.ts takes the final path for the cache's.
    ledger.setStamp(id, await packageFiles.stamp());
    try {
      await packageFiles.relocate(finalPath, "read");
      ledger.setState(id, "complete");
    } catch (error) {
      // Failed, for example because the disk is full: a later completion moves the package again.
      await packageFiles.relocate(partialPath, "write");
      throw error;
    }
    this.#state = "complete";
  }

  /** Moves a complete package out of its final path, so that no program uses it. */
  async withdraw(): Promise<void> {
    const { id, ledger, packageFiles, partialPath } = this.#options;
    this.#state = "partial";
    // The move comes first: a crash in between leaves a complete package without a folder, which
    // reconcile.ts corrects.
    await packageFiles.relocate(partialPath, "write");
    ledger.setState(id, "partial");
  }
}
