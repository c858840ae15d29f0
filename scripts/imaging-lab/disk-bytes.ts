/** Bytes of images and disks: chunks of zeros, and the comparison of a disk with its image. */
import { open } from "node:fs/promises";
import { chunkSizeFor } from "../../shared/model/manifest.ts";

/** Calls `use` with each chunk of the first `sizeBytes` bytes of a file. */
async function eachChunk(
  path: string,
  sizeBytes: number,
  use: (bytes: Buffer, at: number) => void | Promise<void>,
): Promise<void> {
  const file = await open(path, "r");
  const buffer = Buffer.alloc(chunkSizeFor(sizeBytes));
  try {
    for (let at = 0; at < sizeBytes; at += buffer.length) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, sizeBytes - at), at);
      await use(buffer.subarray(0, bytesRead), at);
    }
  } finally {
    await file.close();
  }
}

/** Returns the size of an image without its chunks of zeros, which are not sent. */
export async function bytesToSend(image: string, sizeBytes: number): Promise<number> {
  const zeros = Buffer.alloc(chunkSizeFor(sizeBytes));
  let sum = 0;
  await eachChunk(image, sizeBytes, (bytes) => {
    if (!bytes.equals(zeros.subarray(0, bytes.length))) sum += bytes.length;
  });
  return sum;
}

/** Returns the place of the first chunk in which a disk differs from its image; null: none does. */
export async function firstDifference(
  disk: string,
  image: string,
  sizeBytes: number,
): Promise<number | null> {
  let found: number | null = null;
  const other = await open(disk, "r");
  try {
    await eachChunk(image, sizeBytes, async (bytes, at) => {
      if (found !== null) return;
      const own = Buffer.alloc(bytes.length);
      const { bytesRead } = await other.read(own, 0, own.length, at);
      if (bytesRead < bytes.length || !own.equals(bytes)) found = at;
    });
  } finally {
    await other.close();
  }
  return found;
}
