/**
 * The boot image in virtual machines (qemu without KVM): two machines start from the boot files,
 * enrol, and get an image on their empty disks by multicast. One of them loses its power half-way.
 */
import { expect, test } from "bun:test";
import { mkdir, open, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildBootImage } from "../scripts/image/boot-image.ts";
import { installPrograms } from "../scripts/rig/debian.ts";
import type { TaskDetail } from "../shared/api/schema/admin.ts";
import { bootFiles } from "../shared/source/boot/boot-files.ts";
import { reasonsText } from "../shared/model/reason.ts";
import { openHarness, until, wanBytesFetched, type Harness } from "./harness.ts";

const imageBytes = 64 * 1_048_576;
/** Without KVM, a machine takes half a minute to its first check-in, and longer under load. */
const waitMs = 420_000;

const missing =
  process.platform === "linux" && process.arch === "x64"
    ? await installPrograms({ "qemu-system-x86_64": "qemu-system-x86", "dpkg-deb": "dpkg" })
    : "the boot image is for Linux x64";
if (missing !== null && process.env["CI"] === "true") throw new Error(`CI has to run this test: ${missing}`);

type Machine = { readonly disk: string; readonly log: string; readonly kill: () => Promise<void> };

/** Starts a machine with a card in the common LAN, and one that leads to the source. */
async function startMachine(
  harness: Harness,
  boot: string,
  number: number,
  lanPort: number,
): Promise<Machine> {
  const [disk, log] = [join(harness.folder, `disk${number}`), join(harness.folder, `console${number}`)];
  await writeFile(disk, "", { flag: "a" });
  await truncate(disk, imageBytes + 32 * 1_048_576);
  const { port } = new URL(harness.source.url);
  const token = (await readFile(join(harness.source.data, "enroll.token"), "utf8")).trim();
  const words = [
    "console=ttyS0 quiet flockcast.interface=eth0",
    `flockcast.ip=eth0:10.77.0.${number}/24`,
    `flockcast.source=https://10.0.2.2:${port}`,
    `flockcast.token=${token}`,
  ];
  const command = `qemu-system-x86_64 -accel tcg -cpu max -m 900 -display none -no-reboot
    -kernel ${join(boot, bootFiles.kernel)} -initrd ${join(boot, bootFiles.initramfs)} -serial file:${log}
    -uuid 00000000-0000-4000-8000-00000000000${number}
    -netdev socket,id=lan,mcast=230.0.0.1:${lanPort},localaddr=127.0.0.1
    -device virtio-net-pci,netdev=lan,mac=52:54:00:77:00:0${number}
    -netdev user,id=wan -device virtio-net-pci,netdev=wan,mac=52:54:00:78:00:0${number}
    -drive file=${disk},format=raw,if=virtio,cache=writeback`;
  const child = Bun.spawn([...command.split(/\s+/), "-append", words.join(" ")], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { disk, log, kill };
}

async function digestOf(path: string, length: number): Promise<string> {
  const file = await open(path, "r");
  const bytes = Buffer.alloc(length);
  await file.read(bytes, 0, length, 0);
  await file.close();
  return Bun.SHA256.hash(bytes, "hex");
}

test.skipIf(missing !== null)(
  `two machines get the image over one download, one of them after it lost its power half-way${missing ?? ""}`,
  async () => {
    await using harness = await openHarness({ settings: ["lanRate=16mbit"] });
    const boot = join(harness.folder, "boot");
    await mkdir(boot);
    await buildBootImage({
      sourceUrl: harness.source.url,
      out: boot,
      cache: join(import.meta.dir, "..", ".boot-cache"),
      kernel: "cloud",
      agent: null,
    });
    const path = await harness.makeFile("desktop.img", imageBytes);
    const digest = Bun.SHA256.hash(await readFile(path), "hex");
    const id = await harness.publish(path, { name: "desktop", version: "1" });
    const lanPort = 20_000 + (process.pid % 20_000);
    const machines = [
      await startMachine(harness, boot, 1, lanPort),
      await startMachine(harness, boot, 2, lanPort),
    ];
    const consoles = async (): Promise<string> =>
      (await Promise.all(machines.map(({ log }) => readFile(log, "utf8").catch(() => ""))))
        .map((words) => words.slice(-3_000))
        .join("\n---\n");
    try {
      const devices = await until(consoles, waitMs, async () => {
        const found = (await harness.client.devices()).filter(({ inventory }) => inventory !== null);
        return found.length === 2 ? found : null;
      });
      const taskId = Number(await harness.source.admin("task", "create", id, "--action", "image"));
      const untilTask = (is: (task: TaskDetail) => boolean): Promise<TaskDetail> =>
        until(
          async () => {
            const { deviceList } = await harness.client.task(taskId);
            const states = deviceList.map(
              (one) => `${one.state} ${one.bytesVerified} ${reasonsText(one.reasons)}`,
            );
            return `${states.join("\n")}\n${await consoles()}`;
          },
          waitMs,
          async () => {
            const task = await harness.client.task(taskId);
            return is(task) ? task : null;
          },
        );
      const second = devices.find(({ inventory }) =>
        inventory!.interfaces.some(({ address }) => address === "10.77.0.2"),
      )!;
      await untilTask(({ deviceList }) =>
        deviceList.some((one) => one.deviceId === second.id && one.bytesVerified > imageBytes / 2),
      );
      await machines[1]!.kill();
      machines[1] = await startMachine(harness, boot, 2, lanPort);
      const done = await untilTask(
        ({ deviceList }) => deviceList.filter(({ state }) => state === "complete").length === 2,
      );
      // The disks of the machines are synced.
      await Promise.all(machines.map(({ kill }) => kill()));
      for (const { disk } of machines) expect(await digestOf(disk, imageBytes)).toBe(digest);
      expect(wanBytesFetched(done)).toBeLessThan(1.1 * imageBytes);
      // The source may still take the machine without power for connected, and give it another row.
      const kept = done.deviceList.filter(({ state }) => state === "complete").map(({ from }) => from.cache);
      expect(Math.max(...kept)).toBeGreaterThan(0.4 * imageBytes);
    } finally {
      await Promise.all(machines.map(({ kill }) => kill()));
    }
  },
  3 * waitMs,
);
