/**
 * The bytes of the packages that the source itself serves: `packages/ID/content`, the package's virtual stream in one
 * file, so that a Range is a range of that file however many files the package has.
 *
 * A file of that name is whole: bytes arrive under another name, are compared with the manifest chunk by chunk, and
 * get the name at the end. What an interrupted upload left is removed at the next start.
 */
import { open, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { chunkCount, chunkDigest, chunkLength, type Manifest } from "../model/manifest.ts";
import { ApiError } from "./api-error.ts";

const unfinishedPrefix = "uploading-";
const readBytes = 256 * 1_024;

export type ContentStore = {
  has(packageId: string, sizeBytes: number): Promise<boolean>;
  /** @throws ApiError when the bytes are not the manifest's. */
  receive(packageId: string, manifest: Manifest, body: AsyncIterable<Uint8Array>): Promise<void>;
  /** Bytes from `start` up to, not including, `end`. `onSent` hears of every piece as it leaves. */
  read(
    packageId: string,
    start: number,
    end: number,
    onSent: (bytes: number) => void,
  ): ReadableStream<Uint8Array>;
};

/** Opens the folder, removing what interrupted uploads left. */
export async function openContentStore(folder: string): Promise<ContentStore> {
  await mkdir(folder, { recursive: true });
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.startsWith(unfinishedPrefix)) {
      await rm(join(entry.parentPath, entry.name), { force: true });
    }
  }
  const pathOf = (packageId: string): string => join(folder, packageId, "content");
  return {
    async has(packageId, sizeBytes) {
      const found = await stat(pathOf(packageId)).catch(() => null);
      return found !== null && found.size === sizeBytes;
    },
    async receive(packageId, manifest, body) {
      await mkdir(join(folder, packageId), { recursive: true });
      const unfinished = join(folder, packageId, unfinishedPrefix + crypto.randomUUID());
      try {
        await writeVerified(unfinished, manifest, body);
        await rename(unfinished, pathOf(packageId));
      } finally {
        await rm(unfinished, { force: true });
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
  const handle = await open(path, "wx", 0o640);
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

/** Compares a stream with the manifest as it passes, one chunk's digest at a time. */
function chunkChecker(manifest: Manifest) {
  let chunk = 0;
  let missing = chunkLength(manifest, 0);
  let hasher = new Bun.CryptoHasher("sha256");
  let received = 0;
  const what = `package ${manifest.name} ${manifest.version}`;
  return {
    update(bytes: Uint8Array): void {
      received += bytes.length;
      if (received > manifest.sizeBytes) {
        throw new ApiError(422, `More bytes than the ${manifest.sizeBytes} of ${what}`, "publish it again");
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
          throw new ApiError(422, `Chunk ${chunk} of ${what} is not the one in its manifest`, hint);
        }
        chunk++;
        missing = chunkLength(manifest, chunk);
        hasher = new Bun.CryptoHasher("sha256");
      }
    },
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
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (at < end) {
          handle ??= await open(path, "r");
          const piece = new Uint8Array(Math.min(readBytes, end - at));
          const { bytesRead } = await handle.read(piece, 0, piece.length, at);
          if (bytesRead === 0) {
            await close();
            throw new Error(`"${path}" ends at byte ${at}, its manifest says ${end} or more`);
          }
          at += bytesRead;
          onSent(bytesRead);
          controller.enqueue(piece.subarray(0, bytesRead));
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
