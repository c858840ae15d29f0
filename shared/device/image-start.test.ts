/** The start of an image on a block device: what a cancelled task leaves. */
import { afterEach, describe, expect, test } from "bun:test";
import { openCache, openSystemDisk, type ImageDisk } from "../cache/index.ts";
import { cacheOptions } from "../cache/testing.ts";
import { anyDisk } from "../model/image-order.ts";
import { temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { platform } from "../platform/index.ts";
import { loopDisk, loopSkip } from "../platform/testing-loop.ts";
import { beginWork } from "./image-start.ts";
import type { DevicePorts } from "./ports.ts";
import { taskForTest } from "./testing.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function folder(): string {
  const { path, remove } = temporaryFolder("image-start");
  cleanups.push(remove);
  return path;
}

const mib = 1_048_576;
const key = testKey();
const image = testPackage(key, { files: { "disk.img": 4 * mib }, chunkSizeBytes: 65_536 });
const other = testPackage(key, { name: "other", files: { "disk.img": 4 * mib }, chunkSizeBytes: 65_536 });

/** Begins a task that overwrites a disk with data. `onLook` is called when the disk is read. */
async function begin(onLook: (abort: AbortController) => void) {
  const { path, remove } = await loopDisk(folder(), 16 * mib);
  cleanups.push(remove);
  await Bun.write(path, new Uint8Array(mib).fill(0xaa));
  const cache = await openCache(cacheOptions(folder()));
  cleanups.push(() => cache.close());
  for (const { signed } of [image, other]) await cache.begin(signed, [key.publicKey]);
  const abort = new AbortController();
  const ports = {
    cache,
    publisherKeys: () => [key.publicKey],
    disks: {
      isImaging: true,
      onlyTask: null,
      onlyDisk: null,
      list: async () => (await platform.listDisks()).filter((disk) => disk.path === path),
      open: async (disk, imageBytes): Promise<ImageDisk> => {
        const opened = await openSystemDisk(disk, imageBytes);
        const content = opened.content.bind(opened);
        return Object.assign(opened, {
          content: async () => {
            onLook(abort);
            return content();
          },
        });
      },
    },
  } satisfies Partial<DevicePorts> as unknown as DevicePorts;
  const order = { disk: { ...anyDisk, path }, overwrite: true, machineEnd: "stay" } as const;
  const task = { ...taskForTest(), packageId: image.id, action: "image", image: order } as const;
  const started = beginWork({ ports, task, signal: abort.signal, note() {} });
  const head = async (): Promise<Uint8Array> =>
    new Uint8Array(await Bun.file(path).slice(0, 16).arrayBuffer());
  return { started, cache, head, ports, task };
}

const skip = loopSkip();
describe.skipIf(skip !== "")(`the start of an image${skip}`, () => {
  test("marks a disk that the order allows to overwrite", async () => {
    const { started, cache, head } = await begin(() => {});
    await started;
    expect(cache.diskOf(image.id)?.isClaimed).toBe(true);
    expect(Buffer.from(await head()).toString()).toBe("flockcast: this ");
  });

  test("waits for the start of another image on the disk, and is retried while that is written", async () => {
    let second: Promise<unknown> | null = null;
    const { started, ports, task, cache } = await begin(() => {
      const later = { ...task, id: task.id + 1, packageId: other.id };
      second ??= beginWork({ ports, task: later, signal: new AbortController().signal, note() {} });
    });
    await started;
    expect(await second!.catch((error: unknown) => error)).toMatchObject({
      code: "in-use",
      message: expect.stringContaining(`Task ${task.id} uses`),
    });
    expect(cache.diskOf(image.id)?.isClaimed).toBe(true);
  });

  test("leaves a cancelled image on its disk when a later task keeps the package in the cache", async () => {
    const { started, cache, ports, task } = await begin(() => {});
    const partial = await started;
    expect(await partial.writeChunk(1, image.chunk(1), "wan")).toBe("stored");
    cache.unpin(image.id, task.id);
    const later = { ...task, id: task.id + 1, action: "pre-cache", image: null } as const;
    const store = await beginWork({ ports, task: later, signal: new AbortController().signal, note() {} });
    expect(cache.diskOf(image.id)).toBeNull();
    expect(await store.writeChunk(1, image.chunk(1), "wan")).toBe("stored");
  });

  test("writes nothing once the task is cancelled, and leaves the disk to others", async () => {
    const { started, cache, head } = await begin((abort) => abort.abort());
    expect(started).rejects.toThrow();
    await started.catch(() => {});
    expect(await head()).toEqual(new Uint8Array(16).fill(0xaa));
    expect(cache.diskOf(image.id)).toBeNull();
  });
});
