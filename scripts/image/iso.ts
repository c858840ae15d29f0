/**
 * ISO with the boot files, for machines with UEFI: on a disc, a USB stick or a virtual drive. The
 * boot loader is Debian's grub. Only the ISO may contain an enrolment token, because boot files are
 * served to every machine of the network.
 */
import { copyFile, mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPrograms } from "../rig/debian.ts";
import { runToEnd } from "../rig/process.ts";
import { archiveOf } from "./cpio.ts";
import { filesOf } from "./debian-files.ts";

type Iso = {
  /** Folder with the boot files; the ISO is written there. */
  readonly out: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly cache: string;
  /** Enrolment token; null: the console asks for it. */
  readonly token: string | null;
};

export const isoFile = "boot.iso";
/** Size of the FAT file system with the boot loader, which has 3 MB. */
const loaderBytes = 8 * 1_048_576;
const loader = "usr/lib/grub/x86_64-efi/monolithic/gcdx64.efi";

async function run(...command: string[]): Promise<void> {
  const { status, stderr } = await runToEnd(command);
  if (status !== 0) throw new Error(`"${command.join(" ")}" ended with status ${status}: ${stderr.trim()}`);
}

const menu = (files: readonly string[]): string => `set timeout=2
menuentry "flockcast" {
  linux /boot/kernel console=ttyS0 console=tty0 quiet
  initrd ${files.map((name) => `/boot/${name}`).join(" ")}
}
`;

/** @throws Error when a program is missing or fails */
export async function buildIso({ out, kernel, initramfs, cache, token }: Iso): Promise<void> {
  const missing = await installPrograms({ xorriso: "xorriso", mformat: "mtools" });
  if (missing !== null) throw new Error(`an ISO needs xorriso and mtools: ${missing}`);
  const grub = await filesOf("grub-efi-amd64-bin", cache);
  const work = await mkdtemp(join(tmpdir(), "flockcast-iso-"));
  try {
    const boot = join(work, "boot");
    await mkdir(join(boot, "grub"), { recursive: true });
    await copyFile(join(out, kernel), join(boot, "kernel"));
    await copyFile(join(out, initramfs), join(boot, "initramfs"));
    if (token !== null)
      await writeFile(
        join(boot, "token"),
        archiveOf([{ path: "token", mode: 0o100_600, bytes: Buffer.from(`${token}\n`) }]),
      );
    const files = token === null ? ["initramfs"] : ["initramfs", "token"];
    await writeFile(join(boot, "grub/grub.cfg"), menu(files));
    const efi = join(boot, "efi.img");
    await writeFile(efi, "");
    await truncate(efi, loaderBytes);
    await run("mformat", "-i", efi, "-T", String(loaderBytes / 512), "::");
    await run("mmd", "-i", efi, "::/EFI", "::/EFI/BOOT");
    await run("mcopy", "-i", efi, join(grub, loader), "::/EFI/BOOT/BOOTX64.EFI");
    const iso = ["-as", "mkisofs", "-quiet", "-r", "-V", "FLOCKCAST", "-o", join(out, isoFile)];
    const image = ["-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat"];
    await run("xorriso", ...iso, ...image, work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
