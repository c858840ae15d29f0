/** A package to make: its program, version and machine, and the parts that all formats have. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { ServiceName } from "../../shared/platform/service.ts";

export type Architecture = "x64" | "arm64";

/** Parts of the name of a package's file. */
export type PackageTitle = {
  readonly name: ServiceName;
  readonly version: string;
  readonly architecture: Architecture;
};

export type PackageInput = PackageTitle & {
  /** Executable of the program for the system and the architecture. */
  readonly executable: string;
  /** Folder of the package. */
  readonly out: string;
  /** Time of all files, so that the same commit gives the same bytes. */
  readonly epochSeconds: number;
  /** Whether the package is packed fast instead of small, for tests. */
  readonly isFast?: boolean;
};

const root = join(import.meta.dir, "..", "..");
export const license = join(root, "LICENSE");

export const summaryOf = (name: ServiceName): string =>
  name === "flockcast-peer"
    ? "receives software packages by multicast"
    : "source of a flockcast deployment: packages, tasks, settings, console";

/**
 * Program that starts the agent as one that always volunteers. A second executable would double the
 * package, and a link would lose its name when the agent upgrades itself.
 */
export const representativeScript = (agent: string): string => `#!/bin/sh
# An agent that always volunteers as representative of its subnet.
if [ "$1" = run ]; then
  shift
  exec ${agent} run --volunteer "$@"
fi
exec ${agent} "$@"
`;

const programsOf: Readonly<Record<ServiceName, readonly string[]>> = {
  "flockcast-peer": ["flockcast-peer", "flockcast-representative"],
  "flockcast-source": ["flockcast-source"],
};

/** Returns the compressed manual pages of a package: name of the file and its bytes. */
export const pagesOf = (name: ServiceName): Promise<(readonly [string, Uint8Array])[]> =>
  Promise.all(
    programsOf[name].map(async (program) => {
      const page = join(root, "docs", "man", `${program}.1`);
      return [`${program}.1.gz`, gzipSync(await readFile(page), { level: 9 })] as const;
    }),
  );
