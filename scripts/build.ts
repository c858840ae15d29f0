/**
 * `bun run build [--target NAME|all]… [--role NAME]… [--out DIR] [--key FILE]
 * [--sign-program FILE]`: standalone executables of the three roles, one file each, with a bill of
 * materials, SHA256SUMS and its signature. Default: this machine's target, into dist/. The builds
 * are reproducible: the same commit gives the same bytes, if node_modules is a folder of the
 * checkout and not a link.
 */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { roleNames } from "./build/executable.ts";
import { parseTargets } from "./build/targets.ts";
import { billFile } from "./build/bill-of-materials.ts";
import { build } from "./build/build.ts";
import { signProgramOption } from "./build/code-signature.ts";
import { keyOption, makeSigned, runForPerson } from "./build/release-command.ts";

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
    .addOption(keyOption)
    .addOption(signProgramOption)
    .parse()
    .opts();
  const folder = resolve(options.out);
  await makeSigned(folder, options.key, async () => {
    const { target = [], role = roleNames, signProgram } = options;
    const files = await build(parseTargets(target), role, folder, { signProgram });
    for (const file of files) console.log(`${file}  ${((await stat(file)).size / 1e6).toFixed(0)} MB`);
    console.log(join(folder, billFile));
  });
}

if (import.meta.main) await runForPerson(main);
