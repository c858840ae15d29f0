/**
 * Disks of Linux for images: reads /sys/class/block, and claims a disk with O_EXCL, by which the
 * kernel refuses a disk that is mounted and mounts no disk that is claimed.
 */
import { dlopen, ptr } from "bun:ffi";
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import type { DiskFacts, MachineEnd } from "../model/image-order.ts";
import type { DiskClaim } from "./platform.ts";

const blocksFolder = "/sys/class/block";
/** Unit of `size` in sysfs, whatever the sectors of the disk are. */
const sectorBytes = 512;
/** Disks in memory, optical and floppy drives. */
const notDisks = /^(?:ram|zram|sr|fd|mtdblock)\d/;
const virtualDisks = /^(?:loop|nbd|dm-|md|drbd|rbd)/;

/** Requests of linux/fs.h. */
const [blkRereadPartitions, blkFlushBuffer, blkZeroRange] = [0x125f, 0x1261, 0x127f];
/** Bytes that the disk is asked to make zero with one call, which no other work waits for long. */
export const zeroRangeBytesMax = 64 * 1_048_576;

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
};

/** Returns /dev/NAME of a name in sysfs, which has "!" in the place of "/". */
const nodeOf = (name: string): string => `/dev/${name.replaceAll("!", "/")}`;

const partitionsOf = (base: string): string[] =>
  readdirSync(base).filter((entry) => existsSync(`${base}/${entry}/partition`));

export async function listDisks(): Promise<readonly DiskFacts[]> {
  return existsSync(blocksFolder) ? disksIn(blocksFolder, mountsByDevice()) : [];
}

/**
 * Returns the disks in a folder such as /sys/class/block.
 * @param mounts mount points by MAJOR:MINOR and by path
 */
export function disksIn(folder: string, mounts: ReadonlyMap<string, string>): DiskFacts[] {
  return (
    readdirSync(folder)
      .filter((name) => !notDisks.test(name) && !existsSync(`${folder}/${name}/partition`))
      // A path to an NVMe disk with several paths is hidden: only the disk itself has a node.
      .filter((name) => textOf(`${folder}/${name}/hidden`) !== "1")
      .map((name) => diskOf(folder, name, mounts))
      .filter(({ sizeBytes }) => sizeBytes > 0)
  );
}

function diskOf(folder: string, name: string, mounts: ReadonlyMap<string, string>): DiskFacts {
  const base = `${folder}/${name}`;
  const parts = [base, ...partitionsOf(base).map((part) => `${base}/${part}`)];
  return {
    path: nodeOf(name),
    model: [textOf(`${base}/device/vendor`), textOf(`${base}/device/model`)]
      // SCSI disks of the kernel's own drivers have the vendor ATA or NVMe, which no person knows.
      .filter((part) => part !== "" && part !== "ATA" && !part.startsWith("0x"))
      .join(" "),
    serial: textOf(`${base}/device/serial`) || textOf(`${base}/serial`),
    sizeBytes: Number(textOf(`${base}/size`)) * sectorBytes,
    isReadOnly: textOf(`${base}/ro`) === "1",
    isRemovable: isRemovable(base),
    isVirtual: virtualDisks.test(name),
    uses: parts.flatMap((part) => usesOf(part, mounts)),
  };
}

/** The kernel's flag means the medium of a drive: disks on USB and SD cards do not have it. */
function isRemovable(base: string): boolean {
  const isOnUsb = /\/usb\d+\//.test(realpathSync(base));
  return isOnUsb || textOf(`${base}/device/type`) === "SD" || textOf(`${base}/removable`) === "1";
}

/** Returns what uses a disk or partition: a mount, swap, or a disk that is built on it. */
function usesOf(base: string, mounts: ReadonlyMap<string, string>): string[] {
  const name = base.slice(base.lastIndexOf("/") + 1);
  const mount = mounts.get(textOf(`${base}/dev`)) ?? mounts.get(nodeOf(name));
  const holders = existsSync(`${base}/holders`) ? readdirSync(`${base}/holders`) : [];
  return [
    ...(mount === undefined ? [] : [`${nodeOf(name)} on ${mount}`]),
    ...holders.map((holder) => `${nodeOf(name)} in ${nodeOf(holder)}`),
  ];
}

/** Returns mount points by MAJOR:MINOR and by path; swap by path. */
function mountsByDevice(): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of textOf("/proc/self/mountinfo").split("\n")) {
    const fields = line.split(" ");
    const source = fields[fields.indexOf("-") + 2];
    if (fields[2] === undefined || fields[4] === undefined) continue;
    found.set(fields[2], fields[4]);
    if (source?.startsWith("/dev/")) found.set(source, fields[4]);
  }
  for (const line of textOf("/proc/swaps").split("\n").slice(1)) found.set(line.split(/\s/)[0]!, "swap");
  return found;
}

/** Opens the C library with the one function that has no counterpart in the runtime. */
function openIoctl(): (file: number, request: number, argument: Uint8Array | null) => number {
  const names = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
  for (const name of names) {
    try {
      const { symbols } = dlopen(name, { ioctl: { args: ["i32", "u64", "pointer"], returns: "i32" } });
      return (file, request, argument) =>
        symbols.ioctl(file, request, argument === null ? null : ptr(argument));
    } catch {
      // Try the next name.
    }
  }
  throw new Error(`no C library is found (${names.join(", ")}): disks cannot be claimed`);
}

let ioctl: ReturnType<typeof openIoctl> | undefined;

/** Whether the disk makes a range zero without being sent zeros. */
const zeroesRanges = (path: string): boolean => {
  const name = path.slice("/dev/".length).replaceAll("/", "!");
  return Number(textOf(`${blocksFolder}/${name}/queue/write_zeroes_max_bytes`)) > 0;
};

/**
 * Claims a whole disk.
 * @throws Error with code EBUSY when it is in use
 */
export function claimDisk(path: string): DiskClaim {
  const call = (ioctl ??= openIoctl());
  let file: number | null = openSync(path, constants.O_RDWR | constants.O_EXCL);
  const canZero = zeroesRanges(path);
  return {
    zero(position, length) {
      if (file === null || !canZero || length > zeroRangeBytesMax) return false;
      const range = new BigUint64Array([BigInt(position), BigInt(length)]);
      return call(file, blkZeroRange, new Uint8Array(range.buffer)) === 0;
    },
    dropCached() {
      if (file !== null) call(file, blkFlushBuffer, null);
    },
    release() {
      if (file === null) return;
      call(file, blkRereadPartitions, null);
      closeSync(file);
      file = null;
    },
  };
}

/** Restarts the machine or switches it off, by the program of that name. */
export async function endMachine(how: Exclude<MachineEnd, "stay">): Promise<void> {
  const status = await Bun.spawn([how], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited;
  if (status !== 0) throw new Error(`the program ${how} ended with exit code ${status}`);
}
