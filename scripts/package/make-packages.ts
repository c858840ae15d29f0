/** Builds the executables of the packages, and packs them in every format that is wanted. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "../build/build.ts";
import { signForWindows } from "../build/code-signature.ts";
import { writeSums } from "../build/sums.ts";
import { parseTargets } from "../build/targets.ts";
import { installPrograms } from "../rig/debian.ts";
import { runToEnd } from "../rig/process.ts";
import { serviceNames, type ServiceName } from "../../shared/platform/service.ts";
import { version } from "../../shared/version.ts";
import { debFileName, debPrograms, makeDeb } from "./deb.ts";
import { macFileName, makeMacArchive } from "./mac.ts";
import { msiFileName, msiPrograms, makeMsi } from "./msi.ts";
import type { Architecture, PackageInput, PackageTitle } from "./package-input.ts";
import { rpmFileName, rpmPrograms, makeRpm } from "./rpm.ts";

type Format = {
  readonly system: "linux" | "windows" | "darwin";
  readonly names: readonly ServiceName[];
  readonly architectures: readonly Architecture[];
  readonly programs: Readonly<Record<string, string>>;
  readonly fileName: (title: PackageTitle) => string;
  readonly make: (input: PackageInput) => Promise<string>;
};

const both = ["x64", "arm64"] as const;

const formats = {
  deb: {
    system: "linux",
    names: serviceNames,
    architectures: both,
    programs: debPrograms,
    fileName: debFileName,
    make: makeDeb,
  },
  rpm: {
    system: "linux",
    names: serviceNames,
    architectures: both,
    programs: rpmPrograms,
    fileName: rpmFileName,
    make: makeRpm,
  },
  msi: {
    system: "windows",
    names: ["flockcast-peer"],
    architectures: ["x64"],
    programs: msiPrograms,
    fileName: msiFileName,
    make: makeMsi,
  },
  macos: {
    system: "darwin",
    names: ["flockcast-peer"],
    architectures: both,
    programs: {},
    fileName: macFileName,
    make: makeMacArchive,
  },
} as const satisfies Readonly<Record<string, Format>>;

export type FormatName = keyof typeof formats;
export const formatNames = Object.keys(formats) as readonly FormatName[];

/** Returns the names of the files of all packages of a version. */
export const packageFileNames = (ofVersion: string): string[] =>
  Object.values<Format>(formats).flatMap(({ names, architectures, fileName }) =>
    names.flatMap((name) =>
      architectures.map((architecture) => fileName({ name, version: ofVersion, architecture })),
    ),
  );

/** Returns the time of the commit, or what SOURCE_DATE_EPOCH names. */
export async function epochSeconds(): Promise<number> {
  const given = Number(process.env["SOURCE_DATE_EPOCH"]);
  if (Number.isSafeInteger(given) && given > 0) return given;
  const { stdout } = await runToEnd(["git", "-C", import.meta.dir, "log", "-1", "--format=%ct"]);
  return Number(stdout.trim()) || 0;
}

/**
 * Makes the packages and the sums of the folder.
 * @returns paths of the packages
 * @throws Error when a tool is missing, or fails
 */
export async function makePackages(
  wanted: readonly FormatName[],
  architectures: readonly Architecture[],
  out: string,
  signProgram?: string,
): Promise<string[]> {
  const needed = Object.assign({}, ...wanted.map((name) => formats[name].programs)) as Record<string, string>;
  const missing = await installPrograms(needed);
  if (missing !== null) throw new Error(`The packages cannot be made: ${missing}`);
  const folder = await mkdtemp(join(tmpdir(), "flockcast-package-"));
  const epoch = await epochSeconds();
  const built = new Map<string, string>();
  const files: string[] = [];
  try {
    for (const format of wanted.map((name): Format => formats[name]))
      for (const architecture of format.architectures.filter((each) => architectures.includes(each)))
        for (const name of format.names) {
          const role = name === "flockcast-peer" ? "peer" : "source";
          const target = `${format.system}-${architecture}`;
          const executable =
            built.get(`${role} ${target}`) ??
            (await build(parseTargets([target]), [role], folder, { signProgram }))[0]!;
          built.set(`${role} ${target}`, executable);
          const input = { name, version, architecture, executable, out, epochSeconds: epoch };
          const file = await format.make(input);
          if (format.system === "windows") await signForWindows(signProgram, file);
          files.push(file);
        }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await writeSums(out);
  return files;
}
