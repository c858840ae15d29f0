/**
 * The start of an image: selects and claims the disk, decides whether it may be written, keeps the
 * chunks that are on it already, and puts the package's only file there. Nothing is written before
 * every condition holds.
 */
import { createHash } from "node:crypto";
import { CacheError, type DiskContent, type ImageDisk, type PackageStore } from "../cache/index.ts";
import type { AgentTask } from "../api/schema/agent.ts";
import {
  conditionsText,
  diskChoiceText,
  diskText,
  fulfils,
  matchingDisks,
  type DiskChoice,
  type DiskFacts,
  type ImageOrder,
} from "../model/image-order.ts";
import { chunkDigest, chunkLength, type Manifest } from "../model/manifest.ts";
import { reason, type Reason } from "../model/reason.ts";
import { verifySigned, type SignedManifest } from "../model/signing.ts";
import { fetchManifest } from "./manifest-fetcher.ts";
import { beginPackage, type PackageStart } from "./package-start.ts";
import type { DevicePorts } from "./ports.ts";
import { RefusalError } from "./reason-error.ts";

type ImageStart = PackageStart & {
  /** Called with what is being done. */
  readonly note: (note: Reason) => void;
};

const refuse = (why: Reason): never => {
  throw new RefusalError(why);
};

/**
 * Begins the package of a task: on a disk, if the task writes an image.
 * @throws RefusalError, CacheError, ManifestError or SourceError; the signal's reason
 */
export async function beginWork(given: Omit<ImageStart, "found">): Promise<PackageStore> {
  const { ports, task } = given;
  const { onlyTask } = ports.disks;
  if (onlyTask !== null && task.id !== onlyTask) refuse(reason("other-task-only", { taskId: onlyTask }));
  const found = await ports.cache.find(task.packageId);
  const start = { ...given, found };
  if (task.action === "image") return beginImage(start);
  // An image that was cancelled stays in part on its disk, which is not written any more.
  const disk = found?.state === "partial" ? ports.cache.diskOf(task.packageId) : null;
  if (disk?.isClaimed === false) await ports.cache.clearFor(task.packageId, disk.path, task.id);
  return beginPackage(start);
}

/** Lets other programs use the disk of an image. @returns its path; null: the task writes none */
export function releaseDisk({ cache }: DevicePorts, { action, packageId }: AgentTask): string | null {
  const disk = action === "image" ? cache.diskOf(packageId) : null;
  disk?.release();
  return disk?.path ?? null;
}

/** @param disk path of a disk with a complete image; null: the task wrote none */
export const writtenTo = (disk: string | null): Reason | null =>
  disk === null ? null : reason("image-written", { disk });

/**
 * @throws RefusalError when the disk is not to be written
 * @throws CacheError, ManifestError or SourceError; the signal's reason when it is aborted
 */
async function beginImage(start: ImageStart): Promise<PackageStore> {
  const { ports, task, found, signal } = start;
  const { disks, publisherKeys } = ports;
  const { image } = task;
  if (!disks.isImaging || image === null) return refuse(reason("not-imaging"));
  const signed = found?.signed ?? (await fetchManifest(ports, task, signal));
  const { manifest } = await verifySigned(signed, publisherKeys(task.packageName));
  const entryCount = manifest.files.length + manifest.links.length;
  if (entryCount !== 1 || manifest.files.length !== 1)
    return refuse(reason("not-one-file", { fileCount: entryCount }));
  return inTurn(ports, () => beginOnDisk(start, image, signed, manifest));
}

/** Start of the last image of a cache: one at a time claims a disk and compares it. */
const starts = new WeakMap<DevicePorts["cache"], Promise<unknown>>();

function inTurn<T>({ cache }: DevicePorts, begin: () => Promise<T>): Promise<T> {
  const turn = (starts.get(cache) ?? Promise.resolve()).then(begin);
  starts.set(
    cache,
    turn.catch(() => {}),
  );
  return turn;
}

async function beginOnDisk(
  start: ImageStart,
  image: ImageOrder,
  signed: SignedManifest,
  manifest: Manifest,
): Promise<PackageStore> {
  const { ports, task, signal } = start;
  const { cache, disks } = ports;
  signal.throwIfAborted();
  const disk = selectDisk(image, disks.onlyDisk, await disks.list(), manifest.sizeBytes);
  const found = await cache.find(task.packageId);
  const present = cache.diskOf(task.packageId);
  // A further attempt of this process: the disk is still claimed for the package.
  if (found !== null && present?.isClaimed === true && present.path === disk.path) return found;
  await cache.clearFor(task.packageId, disk.path, task.id);
  const claimed = await claim(ports, disk, manifest.sizeBytes);
  try {
    return await putOnDisk(start, image, disk, { signed, manifest, claimed });
  } catch (error) {
    await claimed.close();
    throw error;
  }
}

/** @param only conditions of the machine in addition to those of the order */
function selectDisk(
  image: ImageOrder,
  only: DiskChoice | null,
  disks: readonly DiskFacts[],
  imageBytes: number,
): DiskFacts {
  const ordered = diskChoiceText(image.disk);
  const wanted =
    only === null ? ordered : `${ordered}, and by the argument of this machine ${conditionsText(only)}`;
  const matching = matchingDisks(image.disk, disks).filter((one) => only === null || fulfils(only, one));
  const [disk] = matching;
  if (disk === undefined) return refuse(reason("no-disk", { wanted, found: disks.map(diskText).join(", ") }));
  if (matching.length > 1)
    return refuse(reason("several-disks", { wanted, found: matching.map(diskText).join(", ") }));
  if (disk.uses.length > 0)
    return refuse(reason("disk-in-use", { disk: diskText(disk), uses: disk.uses.join(", ") }));
  if (disk.sizeBytes < imageBytes)
    return refuse(reason("disk-too-small", { disk: diskText(disk), neededBytes: imageBytes }));
  return disk;
}

async function claim({ disks }: DevicePorts, disk: DiskFacts, imageBytes: number): Promise<ImageDisk> {
  try {
    return await disks.open(disk, imageBytes);
  } catch (error) {
    if (!(error instanceof CacheError) || error.code !== "in-use") throw error;
    return refuse(reason("disk-in-use", { disk: diskText(disk), uses: "" }));
  }
}

type Parts = { readonly signed: SignedManifest; readonly manifest: Manifest; readonly claimed: ImageDisk };

async function putOnDisk(
  { ports, task, signal, note }: ImageStart,
  image: ImageOrder,
  disk: DiskFacts,
  { signed, manifest, claimed }: Parts,
): Promise<PackageStore> {
  const { cache, publisherKeys } = ports;
  note(reason("looks-at-disk", { disk: diskText(disk) }));
  const content = await claimed.content();
  const isLike = await mayBeImage(content, task.packageId, manifest, claimed);
  const isFree = image.overwrite || content.kind !== "data";
  const refusal = (): never =>
    refuse(
      reason("disk-holds-data", {
        disk: diskText(disk),
        found: content.kind === "data" ? content.found : content.kind,
      }),
    );
  if (!isFree && !isLike) return refusal();
  signal.throwIfAborted();
  const store = await cache.begin(
    signed,
    publisherKeys(task.packageName),
    { id: task.id, packageId: task.packageId },
    claimed,
  );
  if (isLike) {
    note(reason("compares-disk", { disk: diskText(disk) }));
    await store.adopt(signal);
  }
  // A task that was cancelled meanwhile leaves the disk as it is.
  signal.throwIfAborted();
  if (store.verified.isFull) return store;
  if (!isFree) return refusal();
  await claimed.begin(task.packageId, store.verified.has(0));
  await cache.storeLocalChunks(store, signal);
  return store;
}

/**
 * Whether chunks of the image may be on the disk: it was begun, or begins with the first chunk. A
 * disk that has all of them is complete, whether the order allows overwriting or not.
 */
async function mayBeImage(
  content: DiskContent,
  packageId: string,
  manifest: Manifest,
  { file }: ImageDisk,
): Promise<boolean> {
  if (content.kind === "begun") return content.packageId === packageId;
  if (content.kind === "empty") return false;
  const first = new Uint8Array(chunkLength(manifest, 0));
  await file.read(first, 0, "direct");
  return createHash("sha256").update(first).digest().equals(chunkDigest(manifest, 0));
}
