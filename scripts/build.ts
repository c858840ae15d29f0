/**
 * `bun run build [--target NAME|all]… [--role NAME]… [--out DIR]`: standalone executables of the three roles, one
 * file each, and SHA256SUMS. Default: this machine's target, into dist/. The same commit gives the same bytes.
 */
import { chmod, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { buildExecutable, executableName, type RoleName, roleNames } from "./build/executable.ts";
import { type BuildTarget, parseTargets } from "./build/targets.ts";
import { digestFile } from "./verification.ts";

const sumsFile = "SHA256SUMS";

/** Lists every executable of the folder, also those of an earlier build for another target. */
async function writeSums(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("flockcast-")).toSorted();
  const lines: string[] = [];
  for (const name of names) lines.push(`${await digestFile(join(folder, name))}  ${name}\n`);
  await writeFile(join(folder, sumsFile), lines.join(""));
}

/** Builds into `folder`; answers the paths, in the order of targets and roles. */
export async function build(
  targets: readonly BuildTarget[],
  roles: readonly RoleName[],
  folder: string,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const target of targets) {
    for (const role of roles) {
      const file = join(folder, executableName(role, target));
      // A new file instead of new bytes in one that may be running.
      await rm(file, { force: true });
      await buildExecutable(role, target, file);
      await chmod(file, 0o755);
      files.push(file);
    }
  }
  await writeSums(folder);
  return files;
}

async function main(): Promise<void> {
  const options = new Command("bun run build")
    .description("Standalone executables of the source, the peer and the representative")
    .addOption(
      new Option(
        "--target <name...>",
        "linux-x64, linux-arm64-musl, windows-x64 … or all (default: this machine)",
      ),
    )
    .addOption(new Option("--role <name...>", "only these roles").choices(roleNames))
    .option("--out <folder>", "where to put them", "dist")
    .parse()
    .opts();
  const folder = resolve(options.out);
  const files = await build(parseTargets(options.target ?? []), options.role ?? roleNames, folder);
  for (const file of files) console.log(`${file}  ${((await stat(file)).size / 1e6).toFixed(0)} MB`);
  console.log(join(folder, sumsFile));
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
