/**
 * Store of the packages that the source itself serves. `packages/ID/content` holds the virtual
 * stream of a package in one file, so a range of the package is a range of the file.
 *
 * A file of that name is complete. An upload is written under another name, verified against the
 * manifest chunk by chunk, and renamed at the end. The next start removes interrupted uploads.
 * An upload in parts is a file whose name has the number of bytes that are verified and synced, so
 * it continues there after a restart.
 */
import { constants } from "node:fs";
import { open, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { chunkAt, chunkCount, chunkDigest, chunkLength, type Manifest } from "../model/manifest.ts";
import { retryLocked } from "../platform/locked-files.ts";
import { ApiError } from "./api-error.ts";

const unfinishedPrefix = "uploading-";
const partialPrefix = "received-";
const readBytes = 256 * 1_024;

export type ContentStore = {
  /** Whether an upload of this package is under way. */
  isReceiving(packageId: string): boolean;
  /** Removes the bytes of a package; no error if there are none. */
  remove(packageId: string): Promise<void>;
  has(packageId: string, sizeBytes: number): Promise<boolean>;
  /**
   * Stores an upload.
   *
   * @throws ApiError 422 when the bytes do not match the manifest
   */
  receive(packageId: string, manifest: Manifest, body: AsyncIterable<Uint8Array>): Promise<void>;
  /** Returns where an upload in parts continues; 0 before the first part. */
  receivedBytes(packageId: string): Promise<number>;
  /**
   * Stores the part of an upload that begins at `receivedBytes`. Whole chunks count, also when the
   * rest of the part does not arrive.
   *
   * @returns whether the package is complete
   * @throws ApiError 409 while another part arrives, 422 for bytes that do not match the manifest
   */
  receivePart(packageId: string, manifest: Manifest, body: AsyncIterable<Uint8Array>): Promise<boolean>;
  /**
   * Returns the bytes from `start` up to, not including, `end`. Calls `onSent` for every piece it
   * sends.
   */
  read(
    packageId: string,
    start: number,
    end: number,
    onSent: (bytes: number) => void,
  ): ReadableStream<Uint8Array>;
};

/** Opens the store and removes interrupted uploads. */
export async function openContentStore(folder: string): Promise<ContentStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.startsWith(unfinishedPrefix)) {
      // A file in use is left to the next start.
      await rm(join(entry.parentPath, entry.name), { force: true }).catch(() => {});
    }
  }
  const pathOf = (packageId: string): string => join(folder, packageId, "content");
  const receiving: string[] = [];
  return {
    isReceiving: (packageId) => receiving.includes(packageId),
    remove: (packageId) => rm(join(folder, packageId), { recursive: true, force: true }),
    async has(packageId, sizeBytes) {
      const found = await stat(pathOf(packageId)).catch(() => null);
      return found !== null && found.size === sizeBytes;
    },
    async receive(packageId, manifest, body) {
      await mkdir(join(folder, packageId), { recursive: true, mode: 0o700 });
      const unfinished = join(folder, packageId, unfinishedPrefix + crypto.randomUUID());
      receiving.push(packageId);
      try {
        await writeVerified(unfinished, manifest, body);
        await retryLocked(() => rename(unfinished, pathOf(packageId)));
        const partial = await partialIn(join(folder, packageId));
        if (partial !== null) await rm(partial.path, { force: true }).catch(() => {});
      } finally {
        receiving.splice(receiving.indexOf(packageId), 1);
        await rm(unfinished, { force: true });
      }
    },
    receivedBytes: async (packageId) => (await partialIn(join(folder, packageId)))?.bytes ?? 0,
    async receivePart(packageId, manifest, body) {
      if (receiving.includes(packageId)) {
        const hint = "wait for its end, or cancel it there";
        throw new ApiError(409, `Another upload of ${manifest.name} ${manifest.version} is under way`, hint);
      }
      await mkdir(join(folder, packageId), { recursive: true, mode: 0o700 });
      receiving.push(packageId);
      try {
        const partial = await appendVerified(join(folder, packageId), manifest, body);
        if (partial.bytes < manifest.sizeBytes) return false;
        await retryLocked(() => rename(partial.path, pathOf(packageId)));
        return true;
      } finally {
        receiving.splice(receiving.indexOf(packageId), 1);
      }
    },
    read: (packageId, start, end, onSent) => readStream(pathOf(packageId), start, end, onSent),
  };
}

async function writeVerified(
  path: string,
  manifest: Manifest,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  const check = chunkChecker(manifest);
  try {
    for await (const bytes of body) {
      check.update(bytes);
      for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
    }
    check.finish();
    await handle.sync();
  } finally {
    await handle.close();
  }
}

type Partial = { readonly path: string; readonly bytes: number };

/** Returns the upload in parts of a package's folder; null: there is none. */
async function partialIn(folder: string): Promise<Partial | null> {
  const names = await readdir(folder).catch(() => []);
  const name = names.find((each) => each.startsWith(partialPrefix));
  if (name === undefined) return null;
  return { path: join(folder, name), bytes: Number(name.slice(partialPrefix.length)) };
}

/** Appends the whole chunks of a part. Bytes after the last one are cut off. */
async function appendVerified(
  folder: string,
  manifest: Manifest,
  body: AsyncIterable<Uint8Array>,
): Promise<Partial> {
  const before = (await partialIn(folder)) ?? { path: join(folder, `${partialPrefix}0`), bytes: 0 };
  const handle = await open(before.path, constants.O_RDWR | constants.O_CREAT, 0o600);
  const check = chunkChecker(manifest, before.bytes);
  let at = before.bytes;
  try {
    for await (const bytes of body) {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at);
        done += bytesWritten;
        at += bytesWritten;
      }
      // After the write: what counts as verified is in the file.
      check.update(bytes);
    }
  } finally {
    await handle.truncate(check.verifiedBytes());
    await handle.sync();
    await handle.close();
    await retryLocked(() => rename(before.path, join(folder, partialPrefix + check.verifiedBytes())));
  }
  return { path: join(folder, partialPrefix + check.verifiedBytes()), bytes: check.verifiedBytes() };
}

/** Verifies a stream against the manifest, one chunk at a time. @param offset begin of a chunk */
function chunkChecker(manifest: Manifest, offset = 0) {
  let chunk =
    offset === 0 ? 0 : offset === manifest.sizeBytes ? chunkCount(manifest) : chunkAt(manifest, offset);
  let missing = chunkLength(manifest, chunk);
  let hasher = new Bun.CryptoHasher("sha256");
  let received = offset;
  let verified = offset;
  const what = `package ${manifest.name} ${manifest.version}`;
  return {
    update(bytes: Uint8Array): void {
      received += bytes.length;
      if (received > manifest.sizeBytes) {
        throw new ApiError(
          422,
          `The upload has more than the ${manifest.sizeBytes} bytes of ${what}`,
          "publish it again",
        );
      }
      for (let at = 0; at < bytes.length;) {
        const part = bytes.subarray(at, at + missing);
        hasher.update(part);
        at += part.length;
        missing -= part.length;
        if (missing > 0) continue;
        if (!hasher.digest().equals(chunkDigest(manifest, chunk))) {
          const hint =
            "the files changed while they were published, or the upload was damaged: publish again";
          throw new ApiError(422, `Chunk ${chunk} of ${what} does not match its manifest`, hint);
        }
        verified += chunkLength(manifest, chunk);
        chunk++;
        missing = chunkLength(manifest, chunk);
        hasher = new Bun.CryptoHasher("sha256");
      }
    },
    /** Bytes up to the end of the last chunk that was verified. */
    verifiedBytes: (): number => verified,
    finish(): void {
      if (received === manifest.sizeBytes && chunk === chunkCount(manifest)) return;
      const hint = "the upload was interrupted: publish again";
      throw new ApiError(422, `Only ${received} of ${manifest.sizeBytes} bytes of ${what} arrived`, hint);
    },
  };
}

function readStream(
  path: string,
  start: number,
  end: number,
  onSent: (bytes: number) => void,
): ReadableStream<Uint8Array> {
  let at = start;
  let handle: Awaited<ReturnType<typeof open>> | null = null;
  const close = async (): Promise<void> => {
    await handle?.close();
    handle = null;
  };
  const next = async (): Promise<Uint8Array> => {
    handle ??= await open(path, "r");
    const piece = new Uint8Array(Math.min(readBytes, end - at));
    const { bytesRead } = await handle.read(piece, 0, piece.length, at);
    if (bytesRead === 0) throw new Error(`"${path}" ends at byte ${at}, its manifest states ${end} or more`);
    at += bytesRead;
    onSent(bytesRead);
    return piece.subarray(0, bytesRead);
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          if (at < end) controller.enqueue(await next());
        } catch (error) {
          await close();
          throw error;
        }
        if (at < end) return;
        await close();
        controller.close();
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}
