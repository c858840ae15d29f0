/** Tests of the comparison of a disk with its image, and of the bytes that are not sent. */
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { chunkSizeFor } from "../../shared/model/manifest.ts";
import { temporaryFolder } from "../../shared/model/testing.ts";
import { bytesToSend, firstDifference } from "./disk-bytes.ts";

const chunkBytes = chunkSizeFor(0);

test("chunks of zeros are not sent, a chunk with one other byte is", async () => {
  const { path, remove } = temporaryFolder("disk-bytes");
  try {
    const image = Buffer.alloc(4 * chunkBytes + 512);
    image[2 * chunkBytes + 7] = 1;
    await Bun.write(join(path, "image"), image);
    expect(await bytesToSend(join(path, "image"), image.length)).toBe(chunkBytes);
  } finally {
    remove();
  }
});

test("a disk differs where its first wrong chunk begins, and not behind the end of the image", async () => {
  const { path, remove } = temporaryFolder("disk-bytes");
  try {
    const [image, disk] = [join(path, "image"), join(path, "disk")];
    const bytes = randomBytes(3 * chunkBytes + 512);
    await Bun.write(image, bytes);
    const longer = Buffer.concat([bytes, randomBytes(512)]);
    await Bun.write(disk, longer);
    expect(await firstDifference(disk, image, bytes.length)).toBeNull();
    longer[2 * chunkBytes + 5]! ^= 1;
    await Bun.write(disk, longer);
    expect(await firstDifference(disk, image, bytes.length)).toBe(2 * chunkBytes);
    await Bun.write(disk, bytes.subarray(0, bytes.length - 1));
    expect(await firstDifference(disk, image, bytes.length)).toBe(3 * chunkBytes);
  } finally {
    remove();
  }
});
