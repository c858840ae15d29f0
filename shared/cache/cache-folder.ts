/**
 * Where things lie below the agent's data folder, and the signed manifests kept beside the bytes.
 *
 *   cache/NAME/VERSION/…       complete packages, nothing else
 *   cache/.partial/ID/…        packages under way
 *   cache/.manifests/ID        msgpack [manifest, signature, publisher key]: what a lost ledger is rebuilt from
 *   cache/.trash/…             on its way out; emptied at every start
 *
 * Names and versions never begin with a dot, so that none can be taken for one of these folders.
 */
import { decode, encode } from "@msgpack/msgpack";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { decodeManifest, packageId, type Manifest } from "../model/manifest.ts";
import { verifySigned, type SignedManifest } from "../model/signing.ts";
import { asCacheError, isMissing } from "./cache-error.ts";
import type { Files } from "./files.ts";
import { fileSizes } from "./package-files.ts";

const envelopeSchema = v.tuple([v.instance(Uint8Array), v.instance(Uint8Array), v.instance(Uint8Array)]);

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

  /** Makes the folders and empties the trash. */
  async prepare(): Promise<void> {
    try {
      for (const folder of [this.#manifests, this.#partials, this.#trash])
        await this.#files.makeFolder(folder);
      for (const name of await this.#files.listFolder(this.#trash))
        await this.#files.remove(join(this.#trash, name));
      for (const name of await this.#files.listFolder(this.#manifests)) {
        if (name.endsWith(".new")) await this.#files.remove(join(this.#manifests, name));
      }
    } catch (error) {
      throw asCacheError(error, "prepare", this.root);
    }
  }

  async saveManifest(id: string, signed: SignedManifest): Promise<void> {
    const file = join(this.#manifests, id);
    try {
      await this.#files.replaceFile(file, encode([signed.manifest, signed.signature, signed.publisherKey]));
    } catch (error) {
      throw asCacheError(error, "write", file);
    }
  }

  /** Null when there is none that is right. It was signed when it was saved; the check here is against damage. */
  async loadManifest(id: string): Promise<{ manifest: Manifest; signed: SignedManifest } | null> {
    try {
      const parts = v.parse(envelopeSchema, decode(await this.#files.readFile(join(this.#manifests, id))));
      const [manifest, signature, publisherKey] = parts.map((part) => part.slice()) as typeof parts;
      if (packageId(manifest) !== id) return null;
      return { manifest: decodeManifest(manifest), signed: { manifest, signature, publisherKey } };
    } catch {
      return null;
    }
  }

  forgetManifest(id: string): Promise<void> {
    return this.#files.remove(join(this.#manifests, id));
  }

  /** Whether there is a file or a folder. */
  async exists(path: string): Promise<boolean> {
    return (await this.#files.entryAt(path)) !== null;
  }

  /** Moves a folder, and makes the target's parents. */
  async move(from: string, to: string): Promise<void> {
    await this.#files.makeFolder(dirname(to));
    await this.#files.rename(from, to);
  }

  /** Size of each of the package's files below `root`; -1 where there is none. */
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

  /** Out of the way in one step, then deleted. A missing folder is fine. */
  async discard(path: string): Promise<void> {
    const aside = join(this.#trash, String(this.#trashed++));
    try {
      await this.#files.rename(path, aside);
      await this.#files.remove(aside);
      // The folder of the name goes with its last version.
      if (dirname(path) !== this.#partials) await this.#files.removeEmptyFolder(dirname(path));
    } catch (error) {
      if (!isMissing(error)) throw asCacheError(error, "remove", path);
    }
  }
}

/** Whether the envelope's own key made its signature, whoever that is. */
export function isSelfConsistent(signed: SignedManifest): boolean {
  try {
    verifySigned(signed, [signed.publisherKey]);
    return true;
  } catch {
    return false;
  }
}
