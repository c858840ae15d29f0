/**
 * Small file systems in files (loop devices): disks that can be filled without harm to the machine.
 */
import { mkdir, rm, truncate, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { outputOf, runToEnd } from "../rig/process.ts";

export type SmallDisk = {
  readonly folder: string;
  /** Occupies every free byte. */
  readonly fill: () => Promise<void>;
  /** Frees the bytes that `fill` occupied. */
  readonly free: () => Promise<void>;
};

/** Creates an ext4 file system in the file `image`, and mounts it at `folder`, which it creates. */
export async function mountSmallDisk(folder: string, image: string, sizeBytes: number): Promise<SmallDisk> {
  await writeFile(image, "");
  await truncate(image, sizeBytes);
  await outputOf(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image]);
  await mkdir(folder, { recursive: true });
  await outputOf(["mount", "-o", "loop", image, folder]);
  const filler = join(folder, "filler");
  return {
    folder,
    fill: async () => {
      const { status, stderr } = await runToEnd(["dd", "if=/dev/zero", `of=${filler}`, "bs=256k"]);
      if (status === 0 || !stderr.includes("No space left"))
        throw new Error(`Cannot fill ${folder}: ${stderr.trim()}`);
    },
    free: () => rm(filler, { force: true }),
  };
}

/** Unmounts every file system below the folder. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  const places = mounts.split("\n").flatMap((line) => line.split(" ")[1] ?? []);
  for (const place of places.toReversed()) {
    if (place.startsWith(`${folder}/`)) await outputOf(["umount", "--lazy", place]);
  }
}
