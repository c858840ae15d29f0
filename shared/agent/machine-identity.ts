/**
 * Identity of the machine as the source gets it: a digest of the machine's ids and the data folder,
 * salted with the number of the deployment. Two folders on one machine are two devices. The ids
 * themselves stay on the machine.
 *
 * Copies of an image may all have the image's id, so an id that the system had in its image tells
 * no machine (image-preparation.ts).
 *
 * The salt is public and needs no trust, because the ids are random: nobody finds them by trying.
 * The salt only makes the digests of two deployments different.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { writePrivateFile } from "../platform/private-files.ts";
import type { MachineId } from "../platform/machine-uuid.ts";
import { platform } from "../platform/index.ts";
import { hasIdOfImage } from "./image-preparation.ts";

/** Id of a machine that tells none; it survives the removal of `ledger.db`. */
const idFile = "machine.id";

/** Returns the digest, 64 hex digits. */
export async function machineDigest(
  dataFolder: string,
  deployment: number,
  machine: Promise<MachineId> = platform.machineId(),
): Promise<string> {
  const { system, firmware } = await machine;
  const isTold = system !== "" && !hasIdOfImage(dataFolder, system);
  // The firmware's id alone may be that of the host of several containers.
  const id = isTold ? `machine ${system} ${firmware}` : `random ${await storedId(dataFolder)}`;
  const text = ["flockcast", String(deployment), id, await realpath(dataFolder)].join("\n");
  return createHash("sha256").update(text).digest("hex");
}

/** Returns the id of the data folder, and creates it if there is none. */
async function storedId(dataFolder: string): Promise<string> {
  const path = join(dataFolder, idFile);
  const found = (await readFile(path, "utf8").catch(() => "")).trim();
  if (/^[\da-f]{32}$/.test(found)) return found;
  const id = randomBytes(16).toString("hex");
  await writePrivateFile(path, `${id}\n`);
  return id;
}
