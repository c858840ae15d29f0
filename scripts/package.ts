/**
 * `bun run package [--format NAME]… [--arch NAME]… [--out DIR] [--key FILE]`: packages of the agent
 * and the source for Linux, Windows and macOS, with SHA256SUMS and its signature. The tools that
 * make them are installed with apt-get where they are missing, if that is possible.
 */
import { join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { readReleaseKey, signatureFile, signSums, sumsFile } from "./build/sums.ts";
import { formatNames, makePackages, type FormatName } from "./package/make-packages.ts";
import type { Architecture } from "./package/package-input.ts";

const architectures: readonly Architecture[] = ["x64", "arm64"];

async function main(): Promise<void> {
  const options = new Command("bun run package")
    .description("Packages of the agent and the source")
    .addOption(new Option("--format <name...>", "only these formats").choices(formatNames))
    .addOption(new Option("--arch <name...>", "only these machines").choices(architectures))
    .option("--out <folder>", "output folder", "dist")
    .addOption(
      new Option("--key <file>", "private Ed25519 key (PEM) that signs SHA256SUMS").env(
        "FLOCKCAST_RELEASE_KEY",
      ),
    )
    .parse()
    .opts();
  const out = resolve(options.out);
  // A wrong key is found before the builds.
  const key = options.key === undefined ? null : await readReleaseKey(options.key);
  const formats = (options.format ?? formatNames) as readonly FormatName[];
  const wanted = (options.arch ?? architectures) as readonly Architecture[];
  for (const file of await makePackages(formats, wanted, out)) console.log(file);
  console.log(join(out, sumsFile));
  if (key === null) return console.log("not signed: give --key FILE or FLOCKCAST_RELEASE_KEY");
  await signSums(out, key);
  console.log(join(out, signatureFile));
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
