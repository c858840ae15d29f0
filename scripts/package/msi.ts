/**
 * Makes the package for Windows with wixl, which knows a part of WiX 3. It has no text of its own
 * about services: the installed program makes, starts and removes the service, as by hand. The
 * properties SOURCE, ENROLLFILE, OPTIONS and REMOVEDATA take the place of dialogs.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, utimes, copyFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputOf } from "../rig/process.ts";
import type { PackageInput, PackageTitle } from "./package-input.ts";

/** Program → Debian package. */
export const msiPrograms: Readonly<Record<string, string>> = { wixl: "wixl" };

/** Known to every version of the package, so that a later one replaces an earlier one. */
const upgradeCode = "7C2E5B5D-3F0E-4E0B-9C57-0D3B6A6F1E41";
const componentCode = "0B0C1B52-8A52-4B7B-8C5E-6B0B5F2B7A10";

/** Returns a GUID that is the same for the same version: a rebuilt package is the same product. */
function productCode({ name, version, architecture }: PackageTitle): string {
  const hex = createHash("sha256").update(`${name} ${version} ${architecture}`).digest("hex").toUpperCase();
  const [a, b, c, d, e] = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(13, 16),
    hex.slice(17, 20),
    hex.slice(20, 32),
  ];
  return `${a}-${b}-5${c}-8${d}-${e}`;
}

export const msiFileName = ({ name, version, architecture }: PackageTitle): string =>
  `${name}-${version}-${architecture}.msi`;

/** Custom actions run as the system, after the files are there and before they leave. */
const action = (id: string, words: string, result: "check" | "ignore"): string =>
  `<CustomAction Id="${id}" FileKey="Agent" ExeCommand="${words}" Execute="deferred" Impersonate="no" Return="${result}"/>`;

const quoted = (property: string): string => `&quot;[${property}]&quot;`;

/** An upgrade keeps the service: the earlier package leaves it, and the later one starts it. */
const isRemoval = "REMOVE=&quot;ALL&quot; AND NOT UPGRADINGPRODUCTCODE";

/** Returns the description of the package that wixl reads. */
export const msiText = (input: PackageTitle): string => `<?xml version="1.0" encoding="utf-8"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Id="${productCode(input)}" Name="flockcast agent" Language="1033" Version="${input.version}"
    Manufacturer="flockcast" UpgradeCode="${upgradeCode}">
    <Package InstallerVersion="500" Compressed="yes" InstallScope="perMachine" Platform="x64"/>
    <MajorUpgrade DowngradeErrorMessage="A later version of the flockcast agent is installed."/>
    <Media Id="1" Cabinet="flockcast.cab" EmbedCab="yes"/>
    <Directory Id="TARGETDIR" Name="SourceDir">
      <Directory Id="ProgramFiles64Folder">
        <Directory Id="INSTALLDIR" Name="flockcast">
          <Component Id="Program" Guid="${componentCode}" Win64="yes">
            <File Id="Agent" Name="flockcast-peer.exe" Source="flockcast-peer.exe" KeyPath="yes"/>
            <ServiceControl Id="Control" Name="flockcast-peer" Stop="both" Wait="yes"/>
          </Component>
        </Directory>
      </Directory>
    </Directory>
    <Feature Id="Everything" Level="1">
      <ComponentRef Id="Program"/>
    </Feature>
    ${action("MakeService", `service install --no-start --source ${quoted("SOURCE")} --enroll-file ${quoted("ENROLLFILE")} [OPTIONS]`, "check")}
    ${action("StartAgent", "service start", "ignore")}
    ${action("RemoveService", "service remove", "ignore")}
    ${action("RemoveData", "service remove --purge", "ignore")}
    <InstallExecuteSequence>
      <Custom Action="MakeService" After="InstallFiles">SOURCE AND NOT REMOVE</Custom>
      <Custom Action="StartAgent" After="MakeService">NOT REMOVE</Custom>
      <Custom Action="RemoveService" Sequence="2100">${isRemoval} AND NOT REMOVEDATA</Custom>
      <Custom Action="RemoveData" Sequence="2101">${isRemoval} AND REMOVEDATA</Custom>
    </InstallExecuteSequence>
  </Product>
</Wix>
`;

/** Returns the path of the package. @throws Error with the output of wixl */
export async function makeMsi(input: PackageInput): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-msi-"));
  try {
    const program = join(folder, "flockcast-peer.exe");
    await copyFile(input.executable, program);
    await utimes(program, input.epochSeconds, input.epochSeconds);
    const source = join(folder, "agent.wxs");
    await writeFile(source, msiText(input));
    await mkdir(input.out, { recursive: true });
    const file = join(input.out, msiFileName(input));
    await outputOf(["wixl", "--arch", "x64", "--output", file, source]);
    return file;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
