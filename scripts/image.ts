/**
 * `bun run image -- --source URL [--out DIR] [--kernel cloud|generic]`: kernel, initramfs with the
 * agent, and an iPXE script for machines that have images written to their disks
 * (docs/imaging.md). Debian's packages are unpacked into a cache folder, and none is installed.
 */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { buildBootImage } from "./image/boot-image.ts";

async function main(): Promise<void> {
  const options = new Command("bun run image")
    .description("Boot files for machines whose disks get an image")
    .requiredOption("--source <url>", "the source, for example https://source.example:7443")
    .option("--out <folder>", "output folder", "dist/boot")
    .option("--cache <folder>", "folder of Debian's packages", ".boot-cache")
    .addOption(
      new Option("--kernel <kind>", "generic: drivers of real machines; cloud: of virtual ones, smaller")
        .choices(["generic", "cloud"])
        .default("generic" as const),
    )
    .option("--agent <file>", "executable of the agent for Linux x64 with glibc (default: it is built)")
    .parse()
    .opts();
  const out = resolve(options.out);
  await mkdir(out, { recursive: true });
  const files = await buildBootImage({
    sourceUrl: options.source,
    out,
    cache: resolve(options.cache),
    kernel: options.kernel,
    agent: options.agent === undefined ? null : resolve(options.agent),
  });
  for (const file of files) console.log(join(out, file));
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
