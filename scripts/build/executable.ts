/**
 * Builds a standalone executable of one role with `bun build --compile`. The executable contains
 * the version, and reads neither .env nor bunfig.toml of its working folder.
 *
 * Bun downloads the runtime of a foreign target. If it cannot (for example a registry that only npm
 * is configured for), npm downloads the same package and Bun gets the path of the binary.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executableFileName } from "../../shared/agent/upgrade/executable.ts";
import { version } from "../../shared/version.ts";
import { type BuildTarget, nativeTargetName } from "./targets.ts";

const root = join(import.meta.dir, "..", "..");
const project = "flockcast";

export const roleNames = ["source", "peer", "representative"] as const;
export type RoleName = (typeof roleNames)[number];

export const executableName = (role: RoleName, target: BuildTarget): string =>
  executableFileName(`${project}-${role}`, target.name);

/** Changes of a build, for tests and labs that need a later version of the program. */
export type BuildChanges = {
  readonly version?: string;
  /** Program instead of that of the role, as a path. */
  readonly entry?: string;
};

type Outcome = { readonly status: number; readonly output: string };

async function runQuietly(command: readonly string[], cwd: string): Promise<Outcome> {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, output: `${out}${err}`.trim() };
}

/**
 * @param runtime path of the foreign Bun binary when npm downloaded it; null: Bun has or fetches it
 */
function compileArguments(
  role: RoleName,
  target: BuildTarget,
  file: string,
  runtime: string | null,
  changes: BuildChanges,
): string[] {
  const native = target.name === nativeTargetName();
  return [
    "build",
    "--compile",
    "--minify",
    // Web sites and the source are trusted as the operating system trusts them.
    "--compile-exec-argv=--use-system-ca",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    `--define=FLOCKCAST_VERSION=${JSON.stringify(changes.version ?? version)}`,
    `--define=FLOCKCAST_TARGET=${JSON.stringify(target.name)}`,
    // Otherwise the executable contains the path of this checkout and is not reproducible.
    '--define=__dirname="/"',
    '--define=__filename="/index.js"',
    // For this machine, the runtime is the Bun that builds, so nothing is downloaded.
    ...(native ? [] : [`--target=${target.bunTarget}`]),
    ...(runtime === null ? [] : [`--compile-executable-path=${runtime}`]),
    `--outfile=${file}`,
    changes.entry ?? join("roles", `${role}.ts`),
  ];
}

/** Downloads and unpacks the runtime of a foreign target; returns the path of its binary. */
async function fetchRuntime(target: BuildTarget, folder: string): Promise<string> {
  const packed = await runQuietly(
    ["npm", "pack", "--silent", `${target.runtimePackage}@${Bun.version}`],
    folder,
  );
  const archive = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
  if (packed.status !== 0 || !archive) {
    throw new Error(
      `Cannot fetch ${target.runtimePackage}@${Bun.version} (is the package registry reachable?): ${packed.output}`,
    );
  }
  const unpacked = await runQuietly(["tar", "-xzf", archive], folder);
  if (unpacked.status !== 0) throw new Error(`Cannot unpack ${archive}: ${unpacked.output}`);
  return join(folder, "package", "bin", `bun${target.suffix}`);
}

/**
 * Builds `role` for `target` at `file`.
 * @throws Error with the message of `bun build` or npm
 */
export async function buildExecutable(
  role: RoleName,
  target: BuildTarget,
  file: string,
  changes: BuildChanges = {},
): Promise<void> {
  const first = await runQuietly(
    [process.execPath, ...compileArguments(role, target, file, null, changes)],
    root,
  );
  if (first.status === 0) return;
  const failed = (output: string) =>
    new Error(`Cannot build flockcast-${role} for ${target.name}:\n${output || "bun build printed nothing"}`);
  if (!/download|extract|network|fetch/i.test(first.output)) throw failed(first.output);
  const folder = await mkdtemp(join(tmpdir(), "flockcast-runtime-"));
  try {
    const runtime = await fetchRuntime(target, folder);
    const second = await runQuietly(
      [process.execPath, ...compileArguments(role, target, file, runtime, changes)],
      root,
    );
    if (second.status !== 0) throw failed(second.output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
