/**
 * Makes the archive for macOS: the agent, its property list for launchd, and a script that installs
 * both. Signing and notarization need a Mac (docs/install/macos.md).
 */
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputOf } from "../rig/process.ts";
import { license, representativeScript, type PackageInput, type PackageTitle } from "./package-input.ts";
import { packagePlist } from "./units.ts";

export const macFileName = ({ name, version, architecture }: PackageTitle): string =>
  `${name}-${version}-macos-${architecture}.tar.gz`;

const installScript = `#!/bin/sh
# Installs the flockcast agent: sudo ./install.sh --source URL --enroll-file FILE [options of run]
set -e
if [ "$(id -u)" != 0 ]; then echo "run it as root: sudo ./install.sh" >&2; exit 1; fi
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p /usr/local/bin
for program in flockcast-peer flockcast-representative; do
  # A running program keeps the old file, and the new one takes its name.
  cp "$here/$program" "/usr/local/bin/$program.new"
  chmod 755 "/usr/local/bin/$program.new"
  chown root:wheel "/usr/local/bin/$program.new"
  mv -f "/usr/local/bin/$program.new" "/usr/local/bin/$program"
done
xattr -d com.apple.quarantine /usr/local/bin/flockcast-peer 2>/dev/null || true
# A program for Apple silicon has to have a signature, at least one of this machine.
codesign --verify /usr/local/bin/flockcast-peer 2>/dev/null || codesign --force --sign - /usr/local/bin/flockcast-peer
if [ "$#" -eq 0 ]; then
  echo "installed; make it a service: sudo flockcast-peer service install --source URL --enroll-file FILE"
  exit 0
fi
exec /usr/local/bin/flockcast-peer service install "$@"
`;

const uninstallScript = `#!/bin/sh
# Removes the flockcast agent; with --purge its data too.
set -e
if [ "$(id -u)" != 0 ]; then echo "run it as root: sudo ./uninstall.sh" >&2; exit 1; fi
if [ -x /usr/local/bin/flockcast-peer ]; then /usr/local/bin/flockcast-peer service remove; fi
rm -f /usr/local/bin/flockcast-peer /usr/local/bin/flockcast-peer.previous /usr/local/bin/flockcast-representative
if [ "$1" = --purge ]; then rm -rf "/Library/Application Support/flockcast"; fi
`;

/** Returns the path of the archive. @throws Error with the output of tar */
export async function makeMacArchive(input: PackageInput): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-mac-"));
  const name = `${input.name}-${input.version}`;
  try {
    await mkdir(join(folder, name));
    const put = async (file: string, text: string, mode: number): Promise<void> => {
      await writeFile(join(folder, name, file), text);
      await chmod(join(folder, name, file), mode);
    };
    await copyFile(input.executable, join(folder, name, input.name));
    await chmod(join(folder, name, input.name), 0o755);
    await put("flockcast-representative", representativeScript("/usr/local/bin/flockcast-peer"), 0o755);
    await put("install.sh", installScript, 0o755);
    await put("uninstall.sh", uninstallScript, 0o755);
    await put("flockcast.peer.plist.example", packagePlist("https://source.example:7443"), 0o644);
    await copyFile(license, join(folder, name, "LICENSE"));
    await mkdir(input.out, { recursive: true });
    const file = join(input.out, macFileName(input));
    const owner = ["--owner=0", "--group=0", "--numeric-owner", "--sort=name"];
    const time = `--mtime=@${input.epochSeconds}`;
    const words = ["-C", folder, "--format=ustar", ...owner, time, "--use-compress-program=gzip -n"];
    await outputOf(["tar", ...words, "-cf", file, name]);
    return file;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
