/**
 * Targets of standalone executables: the project's name of each, Bun's name of its runtime, and the
 * npm package of that runtime. Not the names that agents report for their operating system.
 *
 * "baseline" is x64 without AVX2: processors before 2013, many Celerons, and virtual machines with
 * a generic processor. Other x64 executables may end there with an illegal instruction.
 */
export type BuildTarget = {
  /** Last part of the file names: flockcast-peer-linux-x64. */
  readonly name: string;
  /** Argument of `bun build --target`. */
  readonly bunTarget: string;
  readonly runtimePackage: string;
  readonly suffix: "" | ".exe";
};

const target = (name: string, bunName: string, suffix: "" | ".exe" = ""): BuildTarget => ({
  name,
  bunTarget: `bun-${name}`,
  runtimePackage: `@oven/bun-${bunName}`,
  suffix,
});

export const buildTargets: readonly BuildTarget[] = [
  target("linux-x64", "linux-x64"),
  target("linux-x64-baseline", "linux-x64-baseline"),
  target("linux-x64-musl", "linux-x64-musl"),
  target("linux-x64-musl-baseline", "linux-x64-musl-baseline"),
  target("linux-arm64", "linux-aarch64"),
  target("linux-arm64-musl", "linux-aarch64-musl"),
  target("windows-x64", "windows-x64", ".exe"),
  target("windows-x64-baseline", "windows-x64-baseline", ".exe"),
  target("darwin-x64", "darwin-x64"),
  target("darwin-x64-baseline", "darwin-x64-baseline"),
  target("darwin-arm64", "darwin-aarch64"),
];

/** Returns the target of an executable by its file name; null for another file. */
export const targetOf = (fileName: string): BuildTarget | null =>
  buildTargets
    .filter(({ name, suffix }) => fileName.endsWith(`-${name}${suffix}`))
    // "linux-x64-musl" is not "musl" of another target: the longest name counts.
    .toSorted((a, b) => b.name.length - a.name.length)[0] ?? null;

/** Returns the name of the target that runs on this machine; it may not be in `buildTargets`. */
export function nativeTargetName(): string {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const musl = process.platform === "linux" && report.header?.glibcVersionRuntime === undefined;
  return `${os}-${process.arch}${musl ? "-musl" : ""}`;
}

/**
 * Parses names of targets from the command line; a leading "bun-" is ignored. Default: this
 * machine.
 * @throws Error that quotes an unknown name and lists the known ones
 */
export function parseTargets(words: readonly string[]): BuildTarget[] {
  const known = `all, ${buildTargets.map(({ name }) => name).join(", ")}`;
  const wanted = words.length > 0 ? words : [nativeTargetName()];
  const chosen = new Set<BuildTarget>();
  for (const word of wanted.flatMap((text) => text.split(","))) {
    if (word === "all") for (const each of buildTargets) chosen.add(each);
    else {
      const found = buildTargets.find(({ name }) => name === word.replace(/^bun-/, ""));
      if (!found) throw new Error(`Cannot build for "${word}": write one of ${known}`);
      chosen.add(found);
    }
  }
  return [...chosen];
}
