import { afterEach, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemFiles } from "../cache/disk/system-files.ts";
import { temporaryFolder } from "../model/testing.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
});

const isPossible = process.platform === "linux" && process.getuid?.() === 0;
const name = isPossible ? "" : " (skipped: needs root on Linux to mount a tmpfs)";

const run = (...command: string[]): boolean => Bun.spawnSync(command).success;

/** A mounted folder cannot be moved or removed: EBUSY, as for a file that a scanner reads. */
function busyFolder(): { folder: string; release: () => void } {
  const { path, remove } = temporaryFolder("locked");
  const folder = join(path, "package");
  mkdirSync(folder);
  expect(run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)).toBe(true);
  const release = (): void => void run("umount", folder);
  cleanups.push(remove, release);
  return { folder, release };
}

test.skipIf(!isPossible)(`waits with a rename until another program lets go${name}`, async () => {
  const { folder, release } = busyFolder();
  const files = systemFiles(true);
  const renamed = files.rename(folder, `${folder}-done`);
  setTimeout(release, 100);
  await renamed;
  expect(await files.entryAt(folder)).toBeNull();
  expect((await files.entryAt(`${folder}-done`))?.kind).toBe("folder");
});

test.skipIf(!isPossible)(`waits with a removal until another program lets go${name}`, async () => {
  const { folder, release } = busyFolder();
  const files = systemFiles(true);
  const removed = files.remove(folder);
  setTimeout(release, 100);
  await removed;
  expect(await files.entryAt(folder)).toBeNull();
});

test.skipIf(!isPossible)(`does not wait on a system without such locks${name}`, async () => {
  const { folder, release } = busyFolder();
  const failed = systemFiles(false).rename(folder, `${folder}-done`);
  expect(((await failed.catch((error: unknown) => error)) as { code?: string }).code).toBe("EBUSY");
  release();
});
