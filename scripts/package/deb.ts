/**
 * Makes a package for Debian and Ubuntu with dpkg-deb. Nothing strips the executable: without the
 * part at its end it would be the plain runtime. Removal keeps the data, a purge removes them.
 */
import { chmod, mkdir, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputOf } from "../rig/process.ts";
import { configurationFiles, writeLinuxFiles } from "./linux-files.ts";
import { scriptFunctions } from "./linux-scripts.ts";
import { summaryOf, type Architecture, type PackageInput, type PackageTitle } from "./package-input.ts";

/** Program → Debian package. */
export const debPrograms: Readonly<Record<string, string>> = { "dpkg-deb": "dpkg" };

const architectures: Readonly<Record<Architecture, string>> = { x64: "amd64", arm64: "arm64" };

export const debFileName = ({ name, version, architecture }: PackageTitle): string =>
  `${name}_${version}_${architectures[architecture]}.deb`;

/** Returns the path of the package. @throws Error with the output of dpkg-deb */
export async function makeDeb(input: PackageInput): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-deb-"));
  try {
    await writeLinuxFiles(input, folder);
    await writeControl(input, folder);
    await mkdir(input.out, { recursive: true });
    const file = join(input.out, debFileName(input));
    // Older systems than Debian 12 cannot read zstd.
    const compression = input.isFast ? ["-Znone"] : ["-Zxz", "-z1"];
    await outputOf(["dpkg-deb", "--root-owner-group", ...compression, "--build", folder, file], {
      env: { SOURCE_DATE_EPOCH: String(input.epochSeconds) },
    });
    return file;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeControl(input: PackageInput, folder: string): Promise<void> {
  const { name, version, architecture, executable, epochSeconds } = input;
  const files: Readonly<Record<string, string>> = {
    control: `Package: ${name}
Version: ${version}
Architecture: ${architectures[architecture]}
Maintainer: flockcast <flockcast@localhost>
Section: admin
Priority: optional
Depends: libc6, passwd
Installed-Size: ${Math.ceil((await stat(executable)).size / 1_024) + 64}
Description: ${summaryOf(name)}
 Part of flockcast, which distributes software: the bytes of a package cross the
 WAN once per subnet.
`,
    conffiles: `${configurationFiles(name).join("\n")}\n`,
    preinst: `#!/bin/sh
set -e
if [ -e /etc/systemd/system/${name}.service ]; then
  echo "${name}: /etc/systemd/system/${name}.service takes the place of the unit of this package: ${name} service remove"
fi
`,
    // $2 is the version that was configured before.
    postinst: `#!/bin/sh
${scriptFunctions(name)}case "$1" in
configure)
  after_install
  if [ -z "$2" ]; then first_start; else next_start; fi
  ;;
esac
`,
    prerm: `#!/bin/sh
${scriptFunctions(name)}case "$1" in remove) before_removal ;; esac
`,
    postrm: `#!/bin/sh
${scriptFunctions(name)}case "$1" in
remove) after_removal ;;
purge) purge ;;
esac
`,
  };
  await mkdir(join(folder, "DEBIAN"));
  for (const [file, text] of Object.entries(files)) {
    const path = join(folder, "DEBIAN", file);
    await writeFile(path, text);
    await chmod(path, text.startsWith("#!") ? 0o755 : 0o644);
    await utimes(path, epochSeconds, epochSeconds);
  }
  await chmod(join(folder, "DEBIAN"), 0o755);
  await utimes(join(folder, "DEBIAN"), epochSeconds, epochSeconds);
  await utimes(folder, epochSeconds, epochSeconds);
}
