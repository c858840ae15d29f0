/** Makes the boot files: kernel, initramfs and iPXE script. */
import { copyFile, readFile, readdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { buildExecutable, executableName } from "../build/executable.ts";
import { parseTargets } from "../build/targets.ts";
import { archiveOf, fileMode, folderMode, linkMode, programMode, type ArchiveEntry } from "./cpio.ts";
import { filesOf, kernelPackage } from "./debian-files.ts";
import { modulesInOrder } from "./modules.ts";
import { bootFileNames, bootFiles } from "../../shared/source/boot/boot-files.ts";

type BootImage = {
  readonly sourceUrl: string;
  readonly out: string;
  readonly cache: string;
  readonly kernel: "generic" | "cloud";
  /** Executable of the agent; null: it is built. */
  readonly agent: string | null;
};

/** Libraries of the agent, and the program that loads them. */
const libraries = ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"];
const libraryFolder = "lib/x86_64-linux-gnu";
const loader = "lib64/ld-linux-x86-64.so.2";

const ownFile = (name: string): string => join(import.meta.dir, name);
const text = (words: string): Uint8Array => Buffer.from(words);
const folder = (path: string): ArchiveEntry => ({ path, mode: folderMode, bytes: new Uint8Array(0) });
const program = async (path: string, from: string): Promise<ArchiveEntry> => ({
  path,
  mode: programMode,
  bytes: await readFile(from),
});

/** Ends the machine: the first process is a shell script, which no signal makes do that. */
const endProgram = (name: string): ArchiveEntry => ({
  path: `bin/${name}`,
  mode: programMode,
  bytes: text(`#!/bin/busybox sh\n/bin/busybox sync\nexec /bin/busybox ${name} -f\n`),
});

async function moduleEntries(kernelFiles: string): Promise<ArchiveEntry[]> {
  const modules = join(kernelFiles, "lib/modules");
  const [version] = await readdir(modules);
  if (version === undefined) throw new Error(`"${modules}" has no kernel`);
  const paths = await modulesInOrder(join(modules, version));
  const order = text(paths.map((path) => `${basename(path)}\n`).join(""));
  return [
    folder("modules"),
    { path: "modules/order", mode: fileMode, bytes: order },
    ...(await Promise.all(
      paths.map(async (path) => ({
        path: `modules/${basename(path)}`,
        mode: fileMode,
        bytes: await readFile(path),
      })),
    )),
  ];
}

async function certificateEntries(): Promise<ArchiveEntry[]> {
  const path = "/etc/ssl/certs/ca-certificates.crt";
  if (!existsSync(path)) return [];
  const bytes = await readFile(path);
  return [folder("etc/ssl"), folder("etc/ssl/certs"), { path: path.slice(1), mode: fileMode, bytes }];
}

/** @returns names of the files in `out` */
export async function buildBootImage(image: BootImage): Promise<string[]> {
  const { out, cache, sourceUrl } = image;
  const kernelFiles = await filesOf(await kernelPackage(image.kernel), cache);
  const [busybox, libc] = [await filesOf("busybox-static", cache), await filesOf("libc6", cache)];
  const agent = image.agent ?? (await buildAgent(out));
  const entries: ArchiveEntry[] = [
    ...["bin", "lib", dirname(loader), libraryFolder, "etc", "dev"].map(folder),
    await program("init", ownFile("init.sh")),
    await program("dhcp", ownFile("dhcp.sh")),
    await program("bin/busybox", join(busybox, "bin/busybox")),
    { path: "bin/sh", mode: linkMode, bytes: text("busybox") },
    ...["reboot", "poweroff"].map(endProgram),
    await program("bin/flockcast-peer", agent),
    await program(loader, join(libc, libraryFolder, basename(loader))),
    ...(await Promise.all(
      libraries.map((name) => program(`${libraryFolder}/${name}`, join(libc, libraryFolder, name))),
    )),
    { path: "etc/passwd", mode: fileMode, bytes: text("root:x:0:0:root:/:/bin/sh\n") },
    { path: "source", mode: fileMode, bytes: text(`${sourceUrl}\n`) },
    ...(await certificateEntries()),
    ...(await moduleEntries(kernelFiles)),
  ];
  const kernel = (await readdir(join(kernelFiles, "boot"))).find((name) => name.startsWith("vmlinuz"));
  await copyFile(join(kernelFiles, "boot", kernel!), join(out, bootFiles.kernel));
  await writeFile(join(out, bootFiles.initramfs), await Bun.zstdCompress(archiveOf(entries), { level: 6 }));
  await writeFile(join(out, bootFiles.script), bootScript());
  return [...bootFileNames];
}

async function buildAgent(out: string): Promise<string> {
  const [target] = parseTargets(["linux-x64"]);
  const file = join(out, executableName("peer", target!));
  await buildExecutable("peer", target!, file);
  return file;
}

/** Script for iPXE: the files are next to it. Arguments after it may override what they contain. */
const bootScript = (): string => `#!ipxe
kernel ${bootFiles.kernel} initrd=${bootFiles.initramfs} quiet \${flockcast}
initrd ${bootFiles.initramfs}
boot
`;
