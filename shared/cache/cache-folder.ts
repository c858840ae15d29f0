/**
 * Layout of the cache below the agent's data folder, and the signed manifests stored there.
 *
 *   cache/NAME/VERSION/…       complete packages, nothing else
 *   cache/.partial/ID/…        packages being fetched
 *   cache/.manifests/ID        msgpack [manifest, signature, publisher key]; rebuilds a lost ledger
 *   cache/.trash/…             packages being deleted; emptied at every start
 *
 * Names of packages never begin with a dot, so they cannot clash with these folders.
 */
import { decode, encode } from "@msgpack/msgpack";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { type Manifest } from "../model/manifest.ts";
import { decodeManifestInTurns, packageId } from "../model/manifest-codec.ts";
import type { SignedManifest } from "../model/signing.ts";
import { asCacheError, isMissing } from "./cache-error.ts";
import type { Files } from "./files.ts";
import { fileSizes } from "./package-files.ts";

const envelopeSchema = v.tuple([v.instance(Uint8Array), v.instance(Uint8Array), v.instance(Uint8Array)]);

export type LoadedManifest = { readonly manifest: Manifest; readonly signed: SignedManifest };

export class CacheFolder {
  readonly root: string;
  readonly #manifests: string;
  readonly #partials: string;
  readonly #trash: string;
  readonly #files: Files;
  #trashed = 0;

  /** @param dir the agent's data folder */
  constructor(files: Files, dir: string) {
    this.#files = files;
    this.root = join(dir, "cache");
    this.#manifests = join(this.root, ".manifests");
    this.#partials = join(this.root, ".partial");
    this.#trash = join(this.root, ".trash");
  }

  partialPath(id: string): string {
    return join(this.#partials, id);
  }

  finalPath(name: string, version: string): string {
    return join(this.root, name, version);
  }

  /** Creates the folders, empties the trash and removes unfinished manifests. */
  async prepare(): Promise<void> {
    try {
      for (const folder of [this.#manifests, this.#partials, this.#trash])
        await this.#files.makeFolder(folder);
      for (const name of await this.#files.listFolder(this.#trash))
        await this.#tryRemove(join(this.#trash, name));
      for (const name of await this.#files.listFolder(this.#manifests)) {
        if (name.endsWith(".new")) await this.#tryRemove(join(this.#manifests, name));
      }
    } catch (error) {
      throw asCacheError(error, "prepare", this.root);
    }
  }

  /** Leaves what is in use, for example by a virus scanner, to the next start. */
  async #tryRemove(path: string): Promise<void> {
    await this.#files.remove(path).catch(() => {});
  }

  async saveManifest(id: string, signed: SignedManifest): Promise<void> {
    const file = join(this.#manifests, id);
    try {
      await this.#files.replaceFile(file, encode([signed.manifest, signed.signature, signed.publisherKey]));
    } catch (error) {
      throw asCacheError(error, "write", file);
    }
  }

  /**
   * Returns null if the manifest is missing or damaged. Its signature was verified before it was
   * saved; the check here detects damage only.
   * @throws CacheError when it cannot be read, whether it is damaged or not
   */
  async loadManifest(id: string): Promise<LoadedManifest | null> {
    const path = join(this.#manifests, id);
    const bytes = await this.#files.readFile(path).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw asCacheError(error, "read", path);
    });
    if (bytes === null) return null;
    try {
      const parts = v.parse(envelopeSchema, decode(bytes));
      const [manifest, signature, publisherKey] = parts.map((part) => part.slice()) as typeof parts;
      if (packageId(manifest) !== id) return null;
      return {
        manifest: await decodeManifestInTurns(manifest),
        signed: { manifest, signature, publisherKey },
      };
    } catch {
      return null;
    }
  }

  forgetManifest(id: string): Promise<void> {
    return this.#files.remove(join(this.#manifests, id));
  }

  /** Whether the path exists. */
  async exists(path: string): Promise<boolean> {
    return (await this.#files.entryAt(path)) !== null;
  }

  /** Moves a folder; creates the target's parents. */
  async move(from: string, to: string): Promise<void> {
    await this.#files.makeFolder(dirname(to));
    await this.#files.rename(from, to);
  }

  /** Returns the size of each of the package's files below `root`; -1 for a missing file. */
  fileSizes(manifest: Manifest, root: string): Promise<Float64Array> {
    return fileSizes(this.#files, manifest, root);
  }

  space(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
    return this.#files.space(this.root);
  }

  async manifestIds(): Promise<string[]> {
    return (await this.#files.listFolder(this.#manifests)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  }

  partialIds(): Promise<string[]> {
    return this.#files.listFolder(this.#partials);
  }

  async #placeInTrash(): Promise<string> {
    for (;;) {
      const path = join(this.#trash, String(this.#trashed++));
      if (!(await this.exists(path))) return path;
    }
  }

  /** Moves a folder to the trash in one step, then deletes it. No error if it is missing. */
  async discard(path: string): Promise<void> {
    try {
      const inTrash = await this.#placeInTrash();
      await this.#files.rename(path, inTrash);
      await this.#tryRemove(inTrash);
      // The folder of the name is removed with its last version.
      if (dirname(path) !== this.#partials) await this.#files.removeEmptyFolder(dirname(path));
    } catch (error) {
      if (!isMissing(error)) throw asCacheError(error, "remove", path);
    }
  }
}
