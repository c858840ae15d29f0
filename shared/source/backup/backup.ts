/**
 * Backup of a running source: the bytes of an archive (archive.ts), made while devices report.
 *
 * The source makes the copy of its catalog itself, because it locks the file. The copy is one
 * moment of the catalog, and requests wait while SQLite writes it.
 */
import { createReadStream } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PackageRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";
import { contentName, dataFiles, snapshotPrefix } from "../data-files.ts";
import { ApiError } from "../api-error.ts";
import { version } from "../../version.ts";
import { writeArchive, type ArchiveEntry, type BackupFacts } from "./archive.ts";

type BackupContext = Pick<
  SourceContext,
  "catalog" | "content" | "dataFolder" | "wan" | "nowMs" | "randomBytes"
>;

/** Returns the bytes of a backup. @param withPackages whether it has the bytes of packages too */
export async function* backup(context: BackupContext, withPackages: boolean): AsyncGenerator<Uint8Array> {
  const { catalog, dataFolder, wan, randomBytes } = context;
  const snapshot = join(dataFolder, `${snapshotPrefix}${Buffer.from(randomBytes(8)).toString("hex")}.db`);
  try {
    await wan.flush();
    await catalog.snapshot(snapshot);
    const copies = await copiesOf(dataFolder);
    const held = await packagesHeld(context);
    const facts = await factsOf(context, held, withPackages);
    yield* writeArchive(facts, entriesOf(context, { snapshot, copies, packages: withPackages ? held : [] }));
  } finally {
    await rm(snapshot, { force: true });
  }
}

/** Removes copies of the catalog that a source left when it was killed. */
export async function removeSnapshots(dataFolder: string): Promise<void> {
  for (const name of await readdir(dataFolder))
    if (name.startsWith(snapshotPrefix) && name.endsWith(".db"))
      await rm(join(dataFolder, name), { force: true }).catch(() => {});
}

async function packagesHeld({ catalog, content }: BackupContext): Promise<PackageRecord[]> {
  const held: PackageRecord[] = [];
  for (const one of await catalog.packages.list())
    if (one.state === "ready" && (await content.has(one.id, one.sizeBytes))) held.push(one);
  return held;
}

const named = (packages: readonly PackageRecord[]): BackupFacts["packages"] =>
  packages.map((one) => ({ id: one.id, name: one.name, version: one.version, sizeBytes: one.sizeBytes }));

async function factsOf(
  { catalog, nowMs }: BackupContext,
  held: readonly PackageRecord[],
  withPackages: boolean,
): Promise<BackupFacts> {
  return {
    createdAtMs: nowMs(),
    version,
    deployment: catalog.deployment,
    devices: await catalog.devices.count(),
    tasks: (await catalog.tasks.list()).length,
    packages: named(withPackages ? held : []),
    packagesLeftOut: named(withPackages ? [] : held.filter(({ urls }) => urls.length === 0)),
  };
}

/**
 * Returns the files that a backup has as they are.
 * @throws ApiError 409 for a file that is missing
 */
async function copiesOf(dataFolder: string): Promise<Map<string, Uint8Array>> {
  const copies = new Map<string, Uint8Array>();
  for (const { name, backup: kind } of Object.values(dataFiles)) {
    if (kind !== "copy") continue;
    try {
      copies.set(name, await readFile(join(dataFolder, name)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new ApiError(
        409,
        `The data folder has no "${name}", which belongs into a backup`,
        "put it back; of a token, start the source again, which makes another one and ends the old one",
      );
    }
  }
  return copies;
}

type Parts = {
  /** Copy of the catalog. */
  readonly snapshot: string;
  readonly copies: ReadonlyMap<string, Uint8Array>;
  readonly packages: readonly PackageRecord[];
};

async function* entriesOf(
  { content }: BackupContext,
  { snapshot, copies, packages }: Parts,
): AsyncGenerator<ArchiveEntry> {
  const { size } = await stat(snapshot);
  yield { name: dataFiles.catalog.name, sizeBytes: size, bytes: createReadStream(snapshot) };
  for (const [name, bytes] of copies) yield { name, sizeBytes: bytes.length, bytes: [bytes] };
  for (const { id, sizeBytes } of packages)
    yield { name: contentName(id), sizeBytes, bytes: content.read(id, 0, sizeBytes, () => {}) };
}
