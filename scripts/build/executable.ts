/**
 * Builds a standalone executable of one role with `bun build --compile`. The executable contains
 * the version, and reads neither .env nor bunfig.toml of its working folder.
 *
 * The runtime in an executable has the digest of runtimes.json: it is the Bun that builds if that
 * has it, or one that npm fetched. Bun's own download is not used, as Bun checks no digest.
 */
import { join } from "node:path";
import { executableFileName } from "../../shared/agent/upgrade/executable.ts";
import { version } from "../../shared/version.ts";
import { packConsole } from "./pack-console.ts";
import { fetchRuntime, pinned, sha256Of } from "./runtimes.mjs";
import type { BuildTarget } from "./targets.ts";

const root = join(import.meta.dir, "..", "..");
/** Runtimes that were fetched. bootstrap.mjs keeps its own there. */
const runtimeFolder = join(root, ".bun");
/** As package.json names it. */
const packedConsole = join(runtimeFolder, "packed-console.ts");
const project = "flockcast";

export const roleNames = ["source", "peer", "representative"] as const;
export type RoleName = (typeof roleNames)[number];

export const executableName = (role: RoleName, target: BuildTarget): string =>
  executableFileName(`${project}-${role}`, target.name);

/** Changes of a build: a signature, or a later version of the program for tests and labs. */
export type BuildChanges = {
  readonly version?: string;
  /** Program instead of that of the role, as a path. */
  readonly entry?: string;
  /** Program that signs executables for Windows (code-signature.ts). */
  readonly signProgram?: string | undefined;
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
 * @param runtime path of the executable with the pinned digest; null: the Bun that builds
 */
function compileArguments(
  role: RoleName,
  target: BuildTarget,
  file: string,
  runtime: string | null,
  changes: BuildChanges,
): string[] {
  return [
    "build",
    "--compile",
    "--minify",
    ...(role === "source" ? ["--conditions=flockcast-executable"] : []),
    // Web sites and the source are trusted as the operating system trusts them.
    "--compile-exec-argv=--use-system-ca",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    `--define=FLOCKCAST_VERSION=${JSON.stringify(changes.version ?? version)}`,
    `--define=FLOCKCAST_TARGET=${JSON.stringify(target.name)}`,
    // Otherwise the executable contains the path of this checkout and is not reproducible.
    '--define=__dirname="/"',
    '--define=__filename="/index.js"',
    // Without a path Bun uses itself.
    ...(runtime === null ? [] : [`--target=${target.bunTarget}`, `--compile-executable-path=${runtime}`]),
    `--outfile=${file}`,
    changes.entry ?? join("roles", `${role}.ts`),
  ];
}

/**
 * Returns the path of the pinned runtime of a target; null when it is the Bun that builds.
 * @throws Error when it cannot be fetched, or the registry has another one
 */
function runtimeOf({ runtimePackage }: BuildTarget): string | null {
  if (Bun.version !== pinned.version)
    throw new Error(`This is Bun ${Bun.version}: build with Bun ${pinned.version} (npm run build)`);
  ownDigest ??= sha256Of(process.execPath);
  const wanted = pinned.packages[runtimePackage]?.sha256;
  if (wanted === ownDigest) return null;
  return fetchRuntime(runtimePackage, runtimeFolder);
}

let ownDigest: string | null = null;

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
  if (role === "source") await packConsole(packedConsole);
  const words = compileArguments(role, target, file, runtimeOf(target), changes);
  const { status, output } = await runQuietly([process.execPath, ...words], root);
  if (status !== 0)
    throw new Error(
      `Cannot build flockcast-${role} for ${target.name}:\n${output || "bun build printed nothing"}`,
    );
}
