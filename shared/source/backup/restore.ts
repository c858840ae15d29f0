/**
 * Restores a backup into a data folder. The whole archive is checked before anything is written;
 * the files are then written next to their place, opened as a catalog, and moved.
 *
 * Orders are left out: devices may have newer ones. The source signs the records again when it
 * starts, or an operator does.
 *
 * Opening the catalog begins another epoch (sqlite-catalog.ts): the ids of tasks that were created
 * after the backup are given again, and devices tell the new tasks from the lost ones.
 */
import { Database, SQLiteError } from "bun:sqlite";
import { createReadStream } from "node:fs";
import { chmod, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { openSqliteCatalog } from "../catalog/index.ts";
import { dataFiles } from "../data-files.ts";
import { retryLocked } from "../../platform/locked-files.ts";
import { ensurePrivateFolder } from "../../platform/private-files.ts";
import { ArchiveError, readArchive, type ArchiveContents, type EntrySink } from "./archive.ts";

type RestoreOptions = {
  readonly file: string;
  readonly dataFolder: string;
  /** Whether a folder with files is replaced, and kept next to its place. */
  readonly replaces: boolean;
  /** Whether the open tasks are paused, so that an administrator sees them first. */
  readonly pausesTasks: boolean;
  readonly nowMs: number;
};
export type Restored = ArchiveContents & {
  /** Where the replaced folder is; null without one. */
  readonly keptFolder: string | null;
  /** Ids of the tasks that devices get again. */
  readonly openTasks: readonly number[];
};

type Place = "missing" | "empty" | "filled";

/** @throws Error that names file or folder, and what to do; nothing has changed then */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { file, replaces } = options;
  const dataFolder = resolve(options.dataFolder);
  await checkedArchive(file);
  const place = await placeOf(dataFolder);
  if (place === "filled") {
    if (!replaces)
      throw new Error(
        `"${dataFolder}" is not empty: name another folder, or use --replace, which keeps the old one next to it`,
      );
    assertUnused(dataFolder);
  }
  // Below an empty folder, which may be the root of a file system of its own.
  const staging = place === "empty" ? join(dataFolder, ".restoring") : `${dataFolder}.restoring`;
  await rm(staging, { recursive: true, force: true });
  await ensurePrivateFolder(staging, "folder of the restored files");
  try {
    const contents = await checkedArchive(file, (name) => sinkIn(staging, name));
    const openTasks = await settle(staging, contents, options);
    const keptFolder = await moveIntoPlace(staging, dataFolder, place, options.nowMs);
    return { ...contents, keptFolder, openTasks };
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    throw error;
  }
}

async function checkedArchive(
  file: string,
  sinkOf: (name: string) => Promise<EntrySink | null> = async () => null,
): Promise<ArchiveContents> {
  try {
    return await readArchive(createReadStream(file), ({ name }) => sinkOf(name));
  } catch (error) {
    if (error instanceof ArchiveError)
      throw new Error(`"${file}" ${error.message}; nothing was changed`, { cause: error });
    if ((error as NodeJS.ErrnoException).path !== file) throw error;
    throw new Error(`Cannot read the backup "${file}": ${(error as Error).message}`, { cause: error });
  }
}

async function placeOf(folder: string): Promise<Place> {
  const found = await stat(folder).catch(() => null);
  if (found === null) return "missing";
  if (!found.isDirectory()) throw new Error(`"${folder}" is not a folder: name another one`);
  return (await readdir(folder)).length === 0 ? "empty" : "filled";
}

/** A running source holds the lock of its catalog. */
function assertUnused(folder: string): void {
  let database: Database | null = null;
  try {
    database = new Database(join(folder, dataFiles.catalog.name), { readonly: true });
    database.query("SELECT count(*) FROM sqlite_schema").get();
  } catch (error) {
    // Without a readable catalog no source runs.
    if (!(error instanceof SQLiteError) || !error.code?.startsWith("SQLITE_BUSY")) return;
    throw new Error(`A source runs on "${folder}": stop it first`, { cause: error });
  } finally {
    database?.close();
  }
}

async function sinkIn(folder: string, name: string): Promise<EntrySink> {
  const path = join(folder, ...name.split("/"));
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const handle = await open(path, "wx", 0o600);
  return {
    write: async (bytes) => {
      for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
    },
    end: async () => {
      await handle.sync();
      await handle.close();
    },
  };
}

/** Opens the restored catalog, which checks and upgrades it. @returns the open tasks */
async function settle(
  staging: string,
  { facts }: ArchiveContents,
  { file, pausesTasks }: RestoreOptions,
): Promise<number[]> {
  const path = join(staging, dataFiles.catalog.name);
  const catalog = await openSqliteCatalog(path, Number.POSITIVE_INFINITY).catch((error: Error) => {
    throw new Error(`The catalog in "${file}" cannot be used: ${error.message}`, { cause: error });
  });
  try {
    if (catalog.deployment !== facts.deployment)
      throw new Error(`"${file}" has the catalog of another source than it states; nothing was changed`);
    const { createdAtMs, version } = facts;
    await catalog.audit.note({ method: "source.restore", object: "backup", after: { createdAtMs, version } });
    const active = (await catalog.tasks.open()).filter(({ state }) => state === "active");
    // Devices may have newer orders and refuse these: the records are signed again.
    await catalog.trust.removeOrders();
    if (pausesTasks) for (const { id } of active) await catalog.tasks.change(id, () => ({ state: "paused" }));
    // A session may have been ended since the backup, by a person or an administrator.
    await catalog.sessions.removeEnded(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    return active.map(({ id }) => id);
  } finally {
    catalog.close();
  }
}

const catalogRank = (name: string): number => Number(name === dataFiles.catalog.name);

async function moveIntoPlace(
  staging: string,
  dataFolder: string,
  place: Place,
  nowMs: number,
): Promise<string | null> {
  if (place === "empty") {
    // The catalog comes last: a source does not start on tokens alone and take them for its own.
    const names = await readdir(staging);
    for (const name of names.toSorted((a, b) => catalogRank(a) - catalogRank(b)))
      await retryLocked(() => rename(join(staging, name), join(dataFolder, name)));
    await rm(staging, { recursive: true, force: true });
    await chmod(dataFolder, 0o700);
    return null;
  }
  if (place === "missing") {
    await retryLocked(() => rename(staging, dataFolder));
    return null;
  }
  const kept = `${dataFolder}.replaced-${new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  await retryLocked(() => rename(dataFolder, kept));
  try {
    await retryLocked(() => rename(staging, dataFolder));
  } catch (error) {
    await retryLocked(() => rename(kept, dataFolder));
    throw error;
  }
  return kept;
}
