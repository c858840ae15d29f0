/**
 * Image of a disk with a small Debian that starts by BIOS, with extlinux as its boot loader. The
 * agent is installed from its .deb, and enrols when the system starts for the first time. Needs
 * root and loop devices.
 */
import { copyFile, mkdir, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { imagePrograms, makeDebianImage } from "../rig/debian-image.ts";
import { outputOf } from "../rig/process.ts";

/** Program → Debian package. */
export const diskPrograms: Readonly<Record<string, string>> = {
  ...imagePrograms,
  "mkfs.ext4": "e2fsprogs",
  sfdisk: "fdisk",
  extlinux: "extlinux",
  "/usr/lib/syslinux/mbr/mbr.bin": "syslinux-common",
};

/** Host name of the installed system. */
export const installedName = "desktop";

const masterBoot = "/usr/lib/syslinux/mbr/mbr.bin";
/** Start of the only partition. */
const partitionAt = 1_048_576;
const packages = ["systemd-sysv", "udev", "passwd", "iproute2", "linux-image-cloud-amd64"];

type DebianDisk = {
  /** Path of the image. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Folder for the files of the system; removed at the end. */
  readonly folder: string;
  /** Package of the agent. */
  readonly deb: string;
  readonly sourceUrl: string;
  readonly token: string;
};

/** @throws Error with the output of the program that failed */
export async function makeDebianDisk(disk: DebianDisk): Promise<void> {
  const system = join(disk.folder, "system");
  await makeDebianImage(system, packages);
  await installAgent(system, disk);
  await writeSettings(system);
  await putOnDisk(system, disk);
  await rm(system, { recursive: true, force: true });
}

/** Installs the agent as an administrator does, with its settings already there. */
async function installAgent(system: string, { deb, sourceUrl, token }: DebianDisk): Promise<void> {
  const settings = join(system, "etc/flockcast");
  await mkdir(settings, { recursive: true });
  const lines = [`FLOCKCAST_SOURCE=${sourceUrl}`, "FLOCKCAST_ENROLL_FILE=/etc/flockcast/enroll.token"];
  await writeFile(join(settings, "peer.env"), `${lines.join("\n")}\n`);
  await writeFile(join(settings, "enroll.token"), `${token}\n`, { mode: 0o600 });
  await copyFile(deb, join(system, "root/agent.deb"));
  await outputOf(["chroot", system, "dpkg", "-i", "/root/agent.deb"]);
  await rm(join(system, "root/agent.deb"));
}

/** Network by DHCP, messages on the serial console, and no identity of its own. */
async function writeSettings(system: string): Promise<void> {
  await writeFile(join(system, "etc/hostname"), `${installedName}\n`);
  await writeFile(join(system, "etc/machine-id"), "");
  await writeFile(join(system, "etc/fstab"), "/dev/vda1 / ext4 defaults 0 1\n");
  await writeFile(
    join(system, "etc/systemd/network/lan.network"),
    "[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\n\n[DHCPv4]\nClientIdentifier=mac\n",
  );
  await outputOf(["chroot", system, "systemctl", "enable", "systemd-networkd.service"]);
  const kernel = (await readdir(join(system, "boot"))).find((name) => name.startsWith("vmlinuz-"));
  if (kernel === undefined) throw new Error("the system has no kernel");
  const version = kernel.slice("vmlinuz-".length);
  await mkdir(join(system, "boot/extlinux"));
  await writeFile(
    join(system, "boot/extlinux/extlinux.conf"),
    `DEFAULT debian
LABEL debian
  KERNEL /boot/${kernel}
  INITRD /boot/initrd.img-${version}
  APPEND root=/dev/vda1 rw console=ttyS0 no_timer_check quiet
`,
  );
}

/** Makes the partition table, the file system with the system, and the boot loader. */
async function putOnDisk(system: string, { path, sizeBytes, folder }: DebianDisk): Promise<void> {
  await writeFile(path, "");
  await truncate(path, sizeBytes);
  await outputOf(["sfdisk", "--quiet", path], {
    input: `label: dos\nstart=${partitionAt / 512}, type=83, bootable\n`,
  });
  // extlinux reads no checksums of metadata.
  const features = ["-O", "^64bit,^metadata_csum", "-E", `offset=${partitionAt},lazy_itable_init=1`];
  const blocks = (sizeBytes - partitionAt) / 4_096;
  await outputOf(["mkfs.ext4", "-q", "-b", "4096", ...features, "-d", system, path, String(blocks)]);
  const mounted = join(folder, "mounted");
  await mkdir(mounted);
  await outputOf(["mount", "-o", `loop,offset=${partitionAt}`, path, mounted]);
  try {
    await outputOf(["extlinux", "--install", join(mounted, "boot/extlinux")]);
  } finally {
    await outputOf(["umount", mounted]);
  }
  const file = await open(path, "r+");
  await file.write(await readFile(masterBoot), 0, undefined, 0);
  await file.sync();
  await file.close();
}
