/**
 * `bun run package [--format NAME]… [--arch NAME]… [--out DIR] [--key FILE]
 * [--sign-program FILE]`: packages of the agent and the source for Linux, Windows and macOS, with
 * SHA256SUMS and its signature. The tools that make them are installed with apt-get where they are missing, if that is possible.
 */
import { resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { signProgramOption } from "./build/code-signature.ts";
import { keyOption, makeSigned, runForPerson } from "./build/release-command.ts";
import { formatNames, makePackages, type FormatName } from "./package/make-packages.ts";
import type { Architecture } from "./package/package-input.ts";

const architectures: readonly Architecture[] = ["x64", "arm64"];

async function main(): Promise<void> {
  const options = new Command("bun run package")
    .description("Packages of the agent and the source")
    .addOption(new Option("--format <name...>", "only these formats").choices(formatNames))
    .addOption(new Option("--arch <name...>", "only these machines").choices(architectures))
    .option("--out <folder>", "output folder", "dist")
    .addOption(keyOption)
    .addOption(signProgramOption)
    .parse()
    .opts();
  const out = resolve(options.out);
  const formats = (options.format ?? formatNames) as readonly FormatName[];
  const wanted = (options.arch ?? architectures) as readonly Architecture[];
  await makeSigned(out, options.key, async () => {
    for (const file of await makePackages(formats, wanted, out, options.signProgram)) console.log(file);
  });
}

if (import.meta.main) await runForPerson(main);
