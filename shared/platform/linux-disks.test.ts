/** Tests of the disks of Linux, on folders as the kernel's sysfs has them. */
import { afterEach, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { anyDisk, matchingDisks } from "../model/image-order.ts";
import { temporaryFolder } from "../model/testing.ts";
import { disksIn } from "./linux-disks.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const internal = { size: "1000000", removable: "0", ro: "0", "device/model": "Inside" };
const usbPath = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sda";

/** Makes a folder of disks from their paths among the devices, and their files. */
function sysfs(disks: Readonly<Record<string, Readonly<Record<string, string>>>>): string {
  const { path: root, remove } = temporaryFolder("sysfs");
  cleanups.push(remove);
  const folder = join(root, "class/block");
  mkdirSync(folder, { recursive: true });
  for (const [device, files] of Object.entries(disks)) {
    const base = join(root, "devices", device);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(base, name)), { recursive: true });
      writeFileSync(join(base, name), `${text}\n`);
    }
    symlinkSync(base, join(folder, device.slice(device.lastIndexOf("/") + 1)));
  }
  return folder;
}

const fixedDisks = (folder: string): string[] =>
  matchingDisks(anyDisk, disksIn(folder, new Map())).map(({ path }) => path);

test("a disk on USB is not a fixed disk, although its medium stays in it", () => {
  const folder = sysfs({ [usbPath]: internal });
  expect(fixedDisks(folder)).toEqual([]);
  expect(disksIn(folder, new Map())).toMatchObject([{ path: "/dev/sda", isRemovable: true }]);
});

test("a memory card is not a fixed disk, and soldered memory is one", () => {
  const folder = sysfs({
    "platform/mmc_host/mmc0/block/mmcblk0": { ...internal, "device/type": "SD" },
    "platform/mmc_host/mmc1/block/mmcblk1": { ...internal, "device/type": "MMC" },
  });
  expect(fixedDisks(folder)).toEqual(["/dev/mmcblk1"]);
});

test("a hidden path to an NVMe disk is not a second disk", () => {
  const folder = sysfs({
    "virtual/nvme-subsystem/nvme-subsys0/nvme0n1": { ...internal, hidden: "0" },
    "pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0c0n1": { ...internal, hidden: "1" },
  });
  expect(fixedDisks(folder)).toEqual(["/dev/nvme0n1"]);
});

test("a mounted partition is a use of its disk", () => {
  const folder = sysfs({
    "pci0000:00/0000:00:17.0/ata1/block/sdb": {
      ...internal,
      dev: "8:16",
      "sdb1/partition": "1",
      "sdb1/dev": "8:17",
    },
  });
  expect(disksIn(folder, new Map([["8:17", "/home"]]))[0]?.uses).toEqual(["/dev/sdb1 on /home"]);
});
