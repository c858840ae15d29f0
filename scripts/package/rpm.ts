/**
 * Makes a package for Fedora, RHEL and SUSE with rpmbuild. Its last step would strip the
 * executable, which then is the plain runtime: this step is switched off. An rpm knows no purge, so
 * data stay.
 */
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputOf } from "../rig/process.ts";
import { configurationFiles, pathsIn, writeLinuxFiles } from "./linux-files.ts";
import { scriptFunctions } from "./linux-scripts.ts";
import { summaryOf, type Architecture, type PackageInput, type PackageTitle } from "./package-input.ts";

/** Program → Debian package. */
export const rpmPrograms: Readonly<Record<string, string>> = { rpmbuild: "rpm" };

const architectures: Readonly<Record<Architecture, string>> = { x64: "x86_64", arm64: "aarch64" };

export const rpmFileName = ({ name, version, architecture }: PackageTitle): string =>
  `${name}-${version}-1.${architectures[architecture]}.rpm`;

/** Returns the path of the package. @throws Error with the output of rpmbuild */
export async function makeRpm(input: PackageInput): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-rpm-"));
  try {
    const files = join(folder, "files");
    await mkdir(files);
    await writeLinuxFiles(input, files);
    const spec = join(folder, `${input.name}.spec`);
    await writeFile(spec, specOf(input, files, await pathsIn(files)));
    const target = architectures[input.architecture];
    const words = ["-bb", "--quiet", "--target", target, `--define=_topdir ${folder}/top`];
    await outputOf(["rpmbuild", ...words, spec], { env: { SOURCE_DATE_EPOCH: String(input.epochSeconds) } });
    const [built] = await readdir(join(folder, "top/RPMS", target));
    await mkdir(input.out, { recursive: true });
    const file = join(input.out, rpmFileName(input));
    await moveFile(join(folder, "top/RPMS", target, built!), file);
    return file;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Moves a file, also to another file system. */
async function moveFile(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch {
    await Bun.write(to, Bun.file(from));
    await rm(from);
  }
}

function specOf(input: PackageInput, folder: string, paths: readonly string[]): string {
  const { name, version, isFast } = input;
  const configuration = new Set(configurationFiles(name));
  const functions = scriptFunctions(name).replaceAll("%", "%%");
  return `%global __os_install_post %{nil}
%global debug_package %{nil}
%global _build_id_links none
%global use_source_date_epoch_as_buildtime 1
%global clamp_mtime_to_source_date_epoch 1
%global _buildhost localhost
%global _binary_payload ${isFast ? "w0.gzdio" : "w3.zstdio"}
Name: ${name}
Version: ${version}
Release: 1
Summary: ${summaryOf(name)}
License: Apache-2.0
AutoReqProv: no
Requires: glibc, systemd, shadow-utils

%description
Part of flockcast, which distributes software: the bytes of a package cross the WAN once per subnet.

%install
mkdir -p %{buildroot}
cp -a ${folder}/. %{buildroot}/

%post
${functions}after_install
if [ "$1" -eq 1 ]; then first_start; else next_start; fi

%preun
${functions}if [ "$1" -eq 0 ]; then before_removal; fi

%postun
${functions}if [ "$1" -eq 0 ]; then after_removal; fi

%files
%defattr(-,root,root,-)
${paths.map((path) => (configuration.has(path) ? `%config(noreplace) ${path}` : path)).join("\n")}
`;
}
