/**
 * `bun run release -- --version X.Y.Z [--dry-run] [--no-build] [--unsigned] [--out DIR]
 * [--key FILE] [--sign-program FILE]`: checks the checkout and the gate, writes the section of
 * CHANGELOG.md from the commits since the last version, sets the version, builds everything into
 * DIR/vX.Y.Z, and commits and tags at the end. A run that fails leaves the checkout as it was. Nothing is published.
 */
import { join, resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { signProgramOption } from "./build/code-signature.ts";
import { keyOption, runForPerson } from "./build/release-command.ts";
import { makeRelease } from "./release/make-release.ts";

async function main(): Promise<void> {
  const options = new Command("bun run release")
    .description("Makes a release: changelog, version, executables, packages, commit and tag")
    .requiredOption("--version <X.Y.Z>", "version of the release, above the last one")
    .option("--dry-run", "check everything and print the changelog, and change nothing")
    .option("--no-build", "changelog, version, commit and tag only: no executables, no packages")
    .option("--unsigned", "build without a key: SHA256SUMS has no signature")
    .option("--out <folder>", "folder in which the release gets its folder vX.Y.Z", "dist")
    .addOption(keyOption)
    .addOption(signProgramOption)
    .parse()
    .opts();
  const { version, dryRun: isDryRun = false, build: builds, unsigned = false, key, signProgram } = options;
  if (builds && !isDryRun && key === undefined && !unsigned)
    throw new Error("A release is signed: give --key FILE or FLOCKCAST_RELEASE_KEY, or --unsigned");
  await makeRelease({
    root: join(import.meta.dir, ".."),
    version,
    isDryRun,
    builds,
    out: resolve(options.out),
    keyFile: key === undefined ? null : resolve(key),
    signProgram: signProgram === undefined ? null : resolve(signProgram),
    print: console.log,
  });
}

if (import.meta.main) await runForPerson(main);
