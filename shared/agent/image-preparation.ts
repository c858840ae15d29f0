/**
 * The preparation of a data folder for an image: no copy of the folder has an identity, and each
 * enrols as a device of its own. The file `image.json` notes that the folder was prepared.
 *
 *     (no file) → begun → done
 *
 * The file is written before anything is removed. After a power cut in between, the next start of
 * the agent finishes the preparation before it uses an identity.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { eraseDevice, lockFolder, type CacheLog } from "../cache/index.ts";
import { platform } from "../platform/index.ts";
import type { MachineId } from "../platform/machine-uuid.ts";
import { syncFolder, writePrivateFile } from "../platform/private-files.ts";
import { removeTree } from "../platform/remove-tree.ts";
import { readStateFile } from "./state-file.ts";

const stateFile = "image.json";

const preparationSchema = v.object({
  /** A later version adds fields, or takes another number. */
  format: v.literal(1),
  state: v.picklist(["begun", "done"]),
  /** Digest of the id that the system had; null: it told none. */
  system: v.nullable(v.string()),
});
type Preparation = v.InferOutput<typeof preparationSchema>;

/** Files and folders of one device. */
const deviceEntries: readonly RegExp[] = [
  // Damaged ledgers, and the copy of an upgrade.
  /^ledger\.db\.(damaged|before-upgrade)/,
  /^machine\.id(\.new)?$/,
  /^(upgrade|agent)\.json(\.new)?$/,
  /^agent\.sock$/,
  /^tasks$/,
];
const logFolder = /^log$/;

/** Entries that stay in a prepared folder, and that every copy may have. */
const keptEntries: readonly RegExp[] = [
  /^cache$/,
  /^ledger\.db(-wal|-shm)?$/,
  /^(lock|supervisor)\./,
  /^image\.json$/,
];
/** `service install` puts the token there. */
const tokenFile = "enroll.token";

const digestOf = (system: string): string =>
  createHash("sha256").update(`flockcast image ${system}`).digest("hex");

/** Returns null for a folder that was never prepared. A file that cannot be read counts as such. */
const readPreparation = (dataFolder: string): Preparation | null =>
  readStateFile(join(dataFolder, stateFile), preparationSchema);

const writePreparation = (dataFolder: string, preparation: Preparation): Promise<void> =>
  writePrivateFile(join(dataFolder, stateFile), `${JSON.stringify(preparation)}\n`);

/** Whether the system still has the id that it had in the image, and so may any other copy. */
export function hasIdOfImage(dataFolder: string, system: string): boolean {
  return readPreparation(dataFolder)?.system === digestOf(system);
}

/**
 * Prepares a folder. From a prepared one, it removes what an agent has written since then.
 * @returns the names of the files and folders that were removed
 * @throws CacheError "locked" while an agent runs on the folder
 */
export async function prepareImage(
  dataFolder: string,
  log: CacheLog,
  machine: Promise<MachineId> = platform.machineId(),
): Promise<readonly string[]> {
  const { system } = await machine;
  const begun: Preparation = { format: 1, state: "begun", system: system === "" ? null : digestOf(system) };
  return carryOut(dataFolder, begun, [...deviceEntries, logFolder], log);
}

/**
 * Finishes a preparation that was interrupted. The caller has not opened the cache yet. The log
 * stays, because the caller may be writing it.
 * @returns whether there was one
 * @throws CacheError as `prepareImage`
 */
export async function finishPreparation(dataFolder: string, log: CacheLog): Promise<boolean> {
  const begun = readPreparation(dataFolder);
  if (begun?.state !== "begun") return false;
  await carryOut(dataFolder, begun, deviceEntries, log);
  return true;
}

/** Locks out agent and supervisor meanwhile. */
async function carryOut(
  dataFolder: string,
  preparation: Preparation,
  entries: readonly RegExp[],
  log: CacheLog,
): Promise<readonly string[]> {
  const locks = [lockFolder(dataFolder)];
  try {
    locks.push(lockFolder(dataFolder, "supervisor"));
    await writePreparation(dataFolder, preparation);
    eraseDevice(dataFolder, log);
    const names = readdirSync(dataFolder).filter((name) => entries.some((entry) => entry.test(name)));
    for (const name of names) await removeTree(join(dataFolder, name));
    syncFolder(dataFolder);
    await writePreparation(dataFolder, { ...preparation, state: "done" });
    return names.toSorted();
  } finally {
    for (const lock of locks) lock.release();
  }
}

/** Returns the path of the enrolment token in the folder; null: none. */
export function tokenIn(dataFolder: string): string | null {
  const path = join(dataFolder, tokenFile);
  return existsSync(path) ? path : null;
}

/** Returns the names of entries that are not of the agent: a person has put them there. */
export const foreignEntries = (dataFolder: string): readonly string[] =>
  readdirSync(dataFolder)
    .filter((name) => name !== tokenFile && !keptEntries.some((entry) => entry.test(name)))
    .toSorted();
