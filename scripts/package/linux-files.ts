/**
 * The files of a package for Linux, which .deb and .rpm have in common: program, unit, manual
 * pages, buffer size of the kernel, and definitions for firewalld and ufw. Settings are not among
 * them: an administrator may write /etc/flockcast before the installation, and no upgrade asks.
 */
import { chmod, copyFile, lutimes, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { license, pagesOf, representativeScript, type PackageInput } from "./package-input.ts";
import { servicePorts } from "./service-ports.ts";
import { packageUnit } from "./units.ts";
import type { ServiceName } from "../../shared/platform/service.ts";

/** Limit of receive buffers that an agent asks for; the kernel's default is 208 KiB. */
const receiveBufferBytes = 8 * 1024 * 1024;

const firewalldService = (name: ServiceName): string => `<?xml version="1.0" encoding="utf-8"?>
<service>
  <short>${name}</short>
  <description>Ports of ${name}</description>
${servicePorts[name].map(({ protocol, port }) => `  <port protocol="${protocol}" port="${port}"/>`).join("\n")}
</service>
`;

const ufwProfile = (name: ServiceName): string => `[${name}]
title=${name}
description=Ports of ${name}
ports=${servicePorts[name].map(({ protocol, port }) => `${port}/${protocol}`).join("|")}
`;

const sysctl = `# Buffers in which multicast waits for the agent. The default of the kernel loses datagrams.
net.core.rmem_max = ${receiveBufferBytes}
`;
/** Path of the kernel's setting, for the scripts. */
export const sysctlFile = "/usr/lib/sysctl.d/60-flockcast.conf";

/** Files that an administrator may change, and an upgrade keeps. */
export const configurationFiles = (name: ServiceName): string[] => [`/etc/ufw/applications.d/${name}`];

/** Writes the files below `folder`, with the modes and times of the package. */
export async function writeLinuxFiles(input: PackageInput, folder: string): Promise<void> {
  const { name, executable, epochSeconds } = input;
  const put = async (path: string, content: string | Uint8Array, mode = 0o644): Promise<void> => {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
    await chmod(target, mode);
  };
  await mkdir(join(folder, "usr/bin"), { recursive: true });
  await copyFile(executable, join(folder, "usr/bin", name));
  await chmod(join(folder, "usr/bin", name), 0o755);
  await put(`usr/lib/systemd/system/${name}.service`, packageUnit(name));
  await put(`usr/lib/firewalld/services/${name}.xml`, firewalldService(name));
  await put(`etc/ufw/applications.d/${name}`, ufwProfile(name));
  for (const [page, bytes] of await pagesOf(name)) await put(`usr/share/man/man1/${page}`, bytes);
  await put(`usr/share/doc/${name}/copyright`, await Bun.file(license).text());
  if (name === "flockcast-peer") {
    await put("usr/bin/flockcast-representative", representativeScript("/usr/bin/flockcast-peer"), 0o755);
    await put(sysctlFile.slice(1), sysctl);
  }
  await setTimes(folder, epochSeconds);
}

/** Gives everything below a folder one time, and folders the mode of folders of the system. */
async function setTimes(folder: string, epochSeconds: number): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    await lutimes(path, epochSeconds, epochSeconds);
  }
  await chmod(folder, 0o755);
  await lutimes(folder, epochSeconds, epochSeconds);
}

/** Returns the paths of the files of `writeLinuxFiles`, as the installed system has them. */
export async function pathsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
    .toSorted();
}
