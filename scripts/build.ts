/**
 * `bun run build [--target NAME|all]… [--role NAME]… [--out DIR]`: standalone executables of the
 * three roles, one file each, and SHA256SUMS. Default: this machine's target, into dist/. The
 * builds are reproducible: the same commit gives the same bytes.
 */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { roleNames } from "./build/executable.ts";
import { parseTargets } from "./build/targets.ts";
import { build, sumsFile } from "./build/build.ts";

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
    .option("--out <folder>", "output folder", "dist")
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
