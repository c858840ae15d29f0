/**
 * Makes the ledger and the disk agree at start; for a complete package when it is opened first, so
 * that a start takes no longer with many packages.
 *
 * A crash may leave a package that is moved but not marked complete, listed but missing, or on the
 * disk but not listed. People delete files. Afterwards the ledger lists no chunk whose file is
 * missing or too short. Bytes of listed chunks are not read here (`cache verify` reads them);
 * packages without a row are, once the keys of their publishers are known.
 */
import { chunkCount, chunkLength, chunkOffset, fileSpans, type Manifest } from "../model/manifest.ts";
import { asCacheError, type CacheLog } from "./cache-error.ts";
import { verifySigned, type SignedManifest } from "../model/signing.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { isValidPackageRow, type Ledger, type PackageHead } from "./ledger.ts";
import type { PackageStore } from "./package-store.ts";

type Reconciliation = {
  readonly folder: CacheFolder;
  readonly ledger: Ledger;
  readonly log: CacheLog;
  /** Opens the store of a package; null without a row or a manifest. */
  readonly openStore: (id: string) => Promise<PackageStore | null>;
};

/**
 * Makes all packages agree but the complete ones. A package whose files cannot be read or moved
 * hinders no other.
 * @returns the ids of the partial packages that agree
 * @throws CacheError when the ledger or the cache's own folders fail
 */
export async function reconcile(context: Omit<Reconciliation, "openStore">): Promise<Set<string>> {
  const { folder, ledger } = context;
  await folder.prepare();
  dropInvalidRows(context);
  const checked = new Set<string>();
  for (const row of ledger.uses()) {
    if (row.state === "complete") continue;
    await tryPackage(context, row.id, async () => {
      await reconcileListed(context, row);
      checked.add(row.id);
    });
  }
  return checked;
}

/**
 * Restores the packages that one of the publishers signed and the ledger does not list, because it
 * was lost. Removes what is left of other unlisted ones. Before the device knows its publishers,
 * nothing can be judged, and nothing may be removed.
 * @throws CacheError when the cache's own folders fail
 */
export async function adoptUnlisted(
  context: Reconciliation,
  publisherKeys: readonly Uint8Array[],
): Promise<void> {
  const { folder, ledger } = context;
  for (const id of await folder.manifestIds())
    if (ledger.package(id) === null)
      await tryPackage(context, id, () => adoptOne(context, id, publisherKeys));
  for (const id of await folder.partialIds())
    if (ledger.package(id) === null)
      await tryPackage(context, id, () => folder.discard(folder.partialPath(id)));
}

async function tryPackage(
  { log }: Pick<Reconciliation, "log">,
  id: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log({ level: "error", event: "check-failed", message: `Package ${id} was not checked: ${reason}` });
  }
}

/** Removes rows that cannot belong to a cache. Files are not touched: the row may name any path. */
function dropInvalidRows({ ledger, log }: Pick<Reconciliation, "ledger" | "log">): void {
  for (const row of ledger.uses()) {
    if (isValidPackageRow(row)) continue;
    log({
      level: "warn",
      event: "package-dropped",
      message: `The ledger lists a package with an invalid id, name or version (${JSON.stringify(row.name)} ${JSON.stringify(row.version)}): its row is removed`,
    });
    ledger.removePackage(row.id);
  }
}

/**
 * Compares one listed package with its files.
 * @throws CacheError when the disk or the ledger fails
 */
export async function reconcileListed(
  context: Omit<Reconciliation, "openStore">,
  row: PackageHead,
): Promise<void> {
  const { folder, ledger, log } = context;
  const chunks = ledger.chunks(row.id).map(({ chunk }) => chunk);
  const partialPath = folder.partialPath(row.id);
  const finalPath = folder.finalPath(row.name, row.version);
  // Only a package with every chunk is moved to the final path. Other contents of that
  // path are not the cache's, and must stay.
  const wasMoved = row.state === "complete" || chunks.length === row.chunkCount;
  const loaded = await folder.loadManifest(row.id);
  if (!loaded) {
    log({
      level: "warn",
      event: "package-dropped",
      message: `${row.name} ${row.version} has no readable manifest and is removed from the cache; it is fetched again when a task needs it`,
    });
    ledger.removePackage(row.id);
    await folder.forgetManifest(row.id);
    await folder.discard(partialPath);
    if (wasMoved) await folder.discard(finalPath);
    return;
  }
  const isFinal = wasMoved && (await folder.exists(finalPath)) && !(await folder.exists(partialPath));
  const { manifest } = loaded;
  const sizes = await folder.fileSizes(manifest, isFinal ? finalPath : partialPath);
  const missing = chunks.filter((chunk) => isMissing(chunk, manifest, sizes));
  if (missing.length > 0) {
    ledger.deleteChunks(row.id, missing);
    log({
      level: "warn",
      event: "chunks-dropped",
      message: `${row.name} ${row.version}: ${missing.length} chunks are listed but their files are missing or short; they are fetched again`,
    });
  }
  const isWhole =
    isFinal &&
    chunks.length - missing.length === row.chunkCount &&
    manifest.files.every((file, index) => sizes[index] === file.sizeBytes);
  // A crash between the move and the mark. Every chunk was read back before the move.
  if (isWhole && row.state === "partial") ledger.setState(row.id, "complete");
  if (isWhole) return;
  if (row.state === "complete") ledger.setState(row.id, "partial");
  if (isFinal) await moveBack(folder, finalPath, partialPath);
}

async function moveBack(folder: CacheFolder, finalPath: string, partialPath: string): Promise<void> {
  try {
    await folder.move(finalPath, partialPath);
  } catch (error) {
    throw asCacheError(error, "move back", finalPath);
  }
}

/** @param sizes of the package's files; -1 for a missing one */
function isMissing(chunk: number, manifest: Manifest, sizes: Float64Array): boolean {
  const length = chunkLength(manifest, chunk);
  if (length === 0) return true;
  return fileSpans(manifest, chunkOffset(manifest, chunk), length).some(
    (span) => sizes[span.file]! < span.fileOffset + span.length,
  );
}

/**
 * Restores a package after the ledger was lost: reads its files and lists the chunks that verify.
 */
async function adoptOne(
  context: Reconciliation,
  id: string,
  publisherKeys: readonly Uint8Array[],
): Promise<void> {
  const { folder, ledger, log } = context;
  const loaded = await folder.loadManifest(id);
  const partialPath = folder.partialPath(id);
  const finalPath = loaded && folder.finalPath(loaded.manifest.name, loaded.manifest.version);
  const isFinal =
    finalPath !== null && (await folder.exists(finalPath)) && !(await folder.exists(partialPath));
  const taken =
    loaded !== null && ledger.packageNamed(loaded.manifest.name, loaded.manifest.version) !== null;
  if (
    !loaded ||
    taken ||
    !(await isSignedBy(publisherKeys, loaded.signed)) ||
    !(isFinal || (await folder.exists(partialPath)))
  ) {
    await folder.forgetManifest(id);
    return;
  }
  const { manifest } = loaded;
  ledger.addPackage(packageRow(id, manifest));
  if (isFinal) await moveBack(folder, finalPath, partialPath);
  const store = await context.openStore(id);
  if (!store) return;
  try {
    await store.adopt();
    if (store.verified.isFull) await store.complete();
    log({
      level: "info",
      event: "ledger-rebuilt",
      message: `${manifest.name} ${manifest.version}: ${store.verified.count} of ${store.verified.size} chunks on disk verified and are listed again`,
    });
  } finally {
    await store.close();
  }
}

async function isSignedBy(publisherKeys: readonly Uint8Array[], signed: SignedManifest): Promise<boolean> {
  try {
    await verifySigned(signed, publisherKeys);
    return true;
  } catch {
    return false;
  }
}

export const packageRow = (id: string, manifest: Manifest) => ({
  id,
  name: manifest.name,
  version: manifest.version,
  sizeBytes: manifest.sizeBytes,
  chunkSizeBytes: manifest.chunkSizeBytes,
  chunkCount: chunkCount(manifest),
});

type Named = { readonly name: string; readonly version: string };
/** Ignores case, as the ledger and some file systems do. */
export const isSamePackageName = (a: Named, b: Named): boolean =>
  a.name.toLowerCase() === b.name.toLowerCase() && a.version.toLowerCase() === b.version.toLowerCase();
