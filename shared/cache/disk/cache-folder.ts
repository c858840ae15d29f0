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
import { mkdir, open, readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { decodeManifest, packageId, type Manifest } from "../../model/manifest.ts";
import { verifySigned, type SignedManifest } from "../../model/signing.ts";
import { asCacheError, isMissing } from "../cache-error.ts";
import { syncFolder } from "./package-files.ts";

const envelopeSchema = v.tuple([v.instance(Uint8Array), v.instance(Uint8Array), v.instance(Uint8Array)]);

export class CacheFolder {
  readonly root: string;
  readonly #manifests: string;
  readonly #partials: string;
  readonly #trash: string;
  #trashed = 0;

  constructor(dir: string) {
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
        await mkdir(folder, { recursive: true });
      for (const name of await readdir(this.#trash)) await removeTree(join(this.#trash, name));
      for (const name of await readdir(this.#manifests)) {
        if (name.endsWith(".new")) await removeTree(join(this.#manifests, name));
      }
    } catch (error) {
      throw asCacheError(error, "prepare", this.root);
    }
  }

  async saveManifest(id: string, signed: SignedManifest): Promise<void> {
    const file = join(this.#manifests, id);
    try {
      const handle = await open(`${file}.new`, "w", 0o644);
      try {
        await handle.writeFile(encode([signed.manifest, signed.signature, signed.publisherKey]));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(`${file}.new`, file);
      await syncFolder(this.#manifests);
    } catch (error) {
      throw asCacheError(error, "write", file);
    }
  }

  /** Null when there is none that is right. It was signed when it was saved; the check here is against damage. */
  async loadManifest(id: string): Promise<{ manifest: Manifest; signed: SignedManifest } | null> {
    try {
      const parts = v.parse(envelopeSchema, decode(await readFile(join(this.#manifests, id))));
      const [manifest, signature, publisherKey] = parts.map((part) => part.slice()) as typeof parts;
      if (packageId(manifest) !== id) return null;
      return { manifest: decodeManifest(manifest), signed: { manifest, signature, publisherKey } };
    } catch {
      return null;
    }
  }

  forgetManifest(id: string): Promise<void> {
    return removeTree(join(this.#manifests, id));
  }

  async manifestIds(): Promise<string[]> {
    return (await readdir(this.#manifests)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  }

  partialIds(): Promise<string[]> {
    return readdir(this.#partials);
  }

  /** Out of the way in one step, then deleted. A missing folder is fine. */
  async discard(path: string): Promise<void> {
    const aside = join(this.#trash, `${process.pid}-${this.#trashed++}`);
    try {
      await rename(path, aside);
      await removeTree(aside);
      // The folder of the name goes with its last version.
      if (dirname(path) !== this.#partials) await rmdir(dirname(path)).catch(() => {});
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

const removeTree = (path: string): Promise<void> => rm(path, { recursive: true, force: true });
