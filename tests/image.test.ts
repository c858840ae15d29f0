/**
 * Images on disks, with the real programs: agents in an imaging environment write the file of a
 * package to loop devices of this machine.
 */
import { describe, expect, test } from "bun:test";
import { chmod, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { loopDisk, loopSkip, run } from "../shared/platform/testing-loop.ts";
import { formatPin, readToken } from "../shared/api/token.ts";
import { reasonsText } from "../shared/model/reason.ts";
import type { TaskDetail } from "../shared/api/schema/admin.ts";
import { openHarness, partOf, until, wanBytesFetched, type Harness, type Peer } from "./harness.ts";

const mib = 1_048_576;
const waitMs = 60_000;

async function digestOf(path: string, length: number): Promise<string> {
  const file = await open(path, "r");
  try {
    const bytes = Buffer.alloc(length);
    await file.read(bytes, 0, length, 0);
    return Bun.SHA256.hash(bytes, "hex");
  } finally {
    await file.close();
  }
}

/** Publishes a file with runs of zeros as an image, and returns its package and digest. */
async function publishImage(harness: Harness, name: string, sizeBytes: number) {
  const path = await harness.makeFile(name, sizeBytes);
  const bytes = await readFile(path);
  bytes.fill(0, 2 * mib, 4 * mib);
  await writeFile(path, bytes);
  const id = await harness.publish(path, { name, version: "1" });
  return { id, digest: Bun.SHA256.hash(bytes, "hex"), sizeBytes };
}

const createImage = async (harness: Harness, id: string, ...words: string[]): Promise<number> =>
  Number(await harness.source.admin("task", "create", id, "--action", "image", ...words));

const reasonOf = (task: TaskDetail, peer: Peer): string => reasonsText(partOf(task, peer).reasons);

const failed = (harness: Harness, taskId: number, peer: Peer): Promise<TaskDetail> =>
  harness.waitForTask(taskId, (task) => partOf(task, peer).state === "failed");

/** Folder with programs that note the end of the machine, instead of ending it. */
async function fakeEnds(folder: string): Promise<string> {
  const bin = join(folder, "bin");
  await mkdir(bin);
  for (const name of ["reboot", "poweroff"]) {
    await writeFile(join(bin, name), `#!/bin/sh\necho ${name} > ${folder}/ended\n`);
    await chmod(join(bin, name), 0o755);
  }
  return bin;
}

/** Loop devices of one test, removed after its agents have ended. */
class Disks implements AsyncDisposable {
  readonly #made: { remove(): Promise<void> }[] = [];

  async make(harness: Harness, name: string, sizeBytes: number): Promise<string> {
    const disk = await loopDisk(harness.folder, sizeBytes, name);
    this.#made.push(disk);
    return disk.path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { remove } of this.#made) await remove().catch(() => {});
  }
}

const skip = loopSkip();
describe.skipIf(skip !== "")(`an image${skip}`, () => {
  test(
    "is written to the disks of two machines over one download, runs its command, and ends the machine",
    async () => {
      await using disks = new Disks();
      await using harness = await openHarness();
      const image = await publishImage(harness, "desktop", 12 * mib + 512);
      const bin = await fakeEnds(harness.folder);
      const env = { PATH: `${bin}:${process.env["PATH"]}` };
      // Each agent sees every disk of this machine, so each one gets a task of its own.
      const [first, second] = [
        await harness.startPeer({ name: "first", args: ["--imaging"], env }),
        await harness.startPeer({ name: "second", args: ["--imaging"], env }),
      ];
      const paths = [
        await disks.make(harness, "a.bin", 32 * mib),
        await disks.make(harness, "b.bin", 16 * mib),
      ];
      const note = join(harness.folder, "command");
      const one = await createImage(
        harness,
        image.id,
        "--disk",
        `path=${paths[0]}`,
        "--then",
        "reboot",
        "--command",
        `echo "$FLOCKCAST_DISK" > ${note}`,
        "--target",
        `device=${first.id}`,
      );
      const done = await harness.waitUntilComplete(one, [first]);
      expect(await digestOf(paths[0]!, image.sizeBytes)).toBe(image.digest);
      expect((await readFile(note, "utf8")).trim()).toBe(paths[0]!);
      await until(
        () => "the machine was not ended",
        waitMs,
        () => (existsSync(join(harness.folder, "ended")) ? true : null),
      );
      const two = await createImage(
        harness,
        image.id,
        "--disk",
        `path=${paths[1]}`,
        "--target",
        `device=${second.id}`,
      );
      const late = await harness.waitUntilComplete(two, [second]);
      expect(await digestOf(paths[1]!, image.sizeBytes)).toBe(image.digest);
      expect(reasonOf(late, second)).toContain(`the image is on the disk ${paths[1]}`);
      // The second machine takes the image from the first one.
      expect(wanBytesFetched(late)).toBe(0);
      expect(wanBytesFetched(done)).toBeLessThan(11 * mib);
    },
    4 * waitMs,
  );

  test(
    "is written to two disks of one machine by two tasks, one after the other",
    async () => {
      await using disks = new Disks();
      await using harness = await openHarness();
      const image = await publishImage(harness, "desktop", 12 * mib);
      const peer = await harness.startPeer({ args: ["--imaging"] });
      const paths = [
        await disks.make(harness, "a.bin", 16 * mib),
        await disks.make(harness, "b.bin", 16 * mib),
      ];
      const tasks: number[] = [];
      for (const path of paths) tasks.push(await createImage(harness, image.id, "--disk", `path=${path}`));
      for (const [index, taskId] of tasks.entries()) {
        const done = await harness.waitUntilComplete(taskId, [peer], 3 * waitMs);
        expect(reasonOf(done, peer)).toContain(`the image is on the disk ${paths[index]}`);
        expect(await digestOf(paths[index]!, image.sizeBytes)).toBe(image.digest);
      }
    },
    5 * waitMs,
  );

  test(
    "is refused by an installed system, and for a disk that is missing, too small, in use or not empty",
    async () => {
      await using disks = new Disks();
      await using harness = await openHarness();
      const image = await publishImage(harness, "desktop", 6 * mib);
      const [installed, imaging] = [
        await harness.startPeer({ name: "installed" }),
        await harness.startPeer({ name: "imaging", args: ["--imaging"] }),
      ];
      const [path, small] = [
        await disks.make(harness, "full.bin", 16 * mib),
        await disks.make(harness, "small.bin", 4 * mib),
      ];
      await run("mkfs.ext4", "-q", path);
      const before = await digestOf(path, 16 * mib);
      const refused = async (peer: Peer, ...words: string[]): Promise<string> => {
        const taskId = await createImage(harness, image.id, "--target", `device=${peer.id}`, ...words);
        return reasonOf(await failed(harness, taskId, peer), peer);
      };
      const overwrite = ["--disk", `path=${path}`, "--overwrite"];
      expect(await refused(installed, ...overwrite)).toContain("not in an imaging environment");
      expect(await refused(imaging, "--disk", "path=/dev/none")).toContain(
        "no disk of this machine is /dev/none",
      );
      expect(await refused(imaging, "--disk", `path=${small}`)).toContain("is too small");
      expect(await refused(imaging, "--disk", `path=${path}`)).toContain("holds an ext file system");
      expect(await digestOf(path, 16 * mib)).toBe(before);
      // A namespace that another test makes now keeps a copy of the mount, and the disk in use.
      const mounted = await disks.make(harness, "mounted.bin", 16 * mib);
      await run("mkfs.ext4", "-q", mounted);
      const at = join(harness.folder, "mounted");
      await mkdir(at);
      await run("mount", mounted, at);
      const why = await refused(imaging, "--disk", `path=${mounted}`, "--overwrite");
      expect(why).toContain(`${mounted} on ${at}`);
      await run("umount", at);
      const taskId = await createImage(harness, image.id, "--target", `device=${imaging.id}`, ...overwrite);
      await harness.waitUntilComplete(taskId, [imaging]);
      expect(await digestOf(path, image.sizeBytes)).toBe(image.digest);
    },
    4 * waitMs,
  );

  test(
    "continues on its disk after the machine lost everything else, and fetches only what is missing",
    async () => {
      await using disks = new Disks();
      await using harness = await openHarness({ settings: ["wanRate=16mbit"] });
      const image = await publishImage(harness, "desktop", 24 * mib);
      const path = await disks.make(harness, "a.bin", 32 * mib);
      const peer = await harness.startPeer({ name: "first", args: ["--imaging"] });
      const words = ["--disk", `path=${path}`];
      const one = await createImage(harness, image.id, ...words, "--target", `device=${peer.id}`);
      await harness.waitForTask(one, (task) => partOf(task, peer).bytesVerified > 12 * mib);
      await peer.kill();
      await harness.source.admin("task", "cancel", String(one));
      const again = await harness.startPeer({ name: "again", args: ["--imaging"] });
      const two = await createImage(harness, image.id, ...words, "--target", `device=${again.id}`);
      const done = await harness.waitUntilComplete(two, [again]);
      expect(await digestOf(path, image.sizeBytes)).toBe(image.digest);
      // Zeros are not fetched, and half of the rest was on the disk.
      expect(partOf(done, again).from.cache).toBeGreaterThan(9 * mib);
      expect(wanBytesFetched(done)).toBeLessThan(14 * mib);
      // A complete disk is found complete, though the order allows no overwriting.
      const third = await harness.startPeer({ name: "third", args: ["--imaging"] });
      await again.kill();
      const three = await createImage(harness, image.id, ...words, "--target", `device=${third.id}`);
      const found = await harness.waitUntilComplete(three, [third]);
      expect(wanBytesFetched(found)).toBe(0);
      expect(partOf(found, third).from.cache).toBe(24 * mib);
    },
    4 * waitMs,
  );

  test(
    "reaches a machine without a token once the code on its screen is approved, and obeys its limits",
    async () => {
      await using disks = new Disks();
      await using harness = await openHarness({ sourceArgs: ["--pending-imaging"] });
      const image = await publishImage(harness, "desktop", 6 * mib);
      const [path, other] = [
        await disks.make(harness, "a.bin", 16 * mib),
        await disks.make(harness, "b.bin", 16 * mib),
      ];
      const { identity, root } = readToken(
        await readFile(join(harness.source.data, "enroll.token"), "utf8"),
      )!;
      const machine = await harness.startPeer({
        name: "machine",
        enrollToken: formatPin({ identity, root }),
        args: ["--imaging", "--only-task", "2"],
      });
      const screen = (): Promise<string> => readFile(machine.program.logFile, "utf8");
      const code = await until(screen, waitMs, async () => {
        const found = /device approve ([0-9A-Z]{4}-[0-9A-Z]{4})$/m.exec(await screen());
        return found === null ? null : found[1]!;
      });
      const target = ["--target", "tag=imaging", "--disk", `path=${path}`];
      const tasks = [
        await createImage(harness, image.id, ...target),
        await createImage(harness, image.id, ...target),
      ];
      expect(tasks).toEqual([1, 2]);
      expect((await machine.status()).tasks).toEqual([]);
      await harness.source.admin("device", "approve", code.toLowerCase());
      expect(reasonOf(await failed(harness, 1, machine), machine)).toContain("started for task 2 only");
      await harness.waitUntilComplete(2, [machine]);
      expect(await digestOf(path, image.sizeBytes)).toBe(image.digest);
      await until(screen, waitMs, async () =>
        /flockcast: task 2 \(desktop 1\): complete/.test(await screen()) ? true : null,
      );

      const create = ["token", "create", "room", "--kind", "enrolment", "--scope", "imaging"];
      const token = await harness.source.admin(...create, "--expires", "+1h");
      const limited = await harness.startPeer({
        name: "limited",
        enrollToken: token,
        args: ["--imaging", "--only-disk", `path=${path}`],
      });
      const order = ["--disk", `path=${other}`, "--target", `device=${limited.id}`];
      const refused = await createImage(harness, image.id, ...order);
      expect(reasonOf(await failed(harness, refused, limited), limited)).toContain(
        `no disk of this machine is ${other}, and by the argument of this machine ${path}`,
      );
    },
    4 * waitMs,
  );
});
