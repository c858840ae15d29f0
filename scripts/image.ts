/**
 * `bun run image -- --source URL [--out DIR] [--iso] [--token-file FILE]`: kernel, initramfs with
 * the agent, an iPXE script, and an ISO, for machines that have images written to their disks
 * (docs/imaging.md). Debian's packages are unpacked into a cache folder, and none is installed.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { bootFiles } from "../shared/source/boot/boot-files.ts";
import { buildBootImage } from "./image/boot-image.ts";
import { buildIso, isoFile } from "./image/iso.ts";

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
    .option("--iso", "also make an ISO for machines with UEFI")
    .option("--token-file <file>", "enrolment token for the ISO; boot files contain none")
    .option("--agent <file>", "executable of the agent for Linux x64 with glibc (default: it is built)")
    .parse()
    .opts();
  if (options.tokenFile !== undefined && !options.iso)
    throw new Error("--token-file belongs to --iso: boot files are read by every machine of the network");
  const token = options.tokenFile === undefined ? null : (await readFile(options.tokenFile, "utf8")).trim();
  const out = resolve(options.out);
  await mkdir(out, { recursive: true });
  const files = await buildBootImage({
    sourceUrl: options.source,
    out,
    cache: resolve(options.cache),
    kernel: options.kernel,
    agent: options.agent === undefined ? null : resolve(options.agent),
  });
  if (options.iso) {
    const { kernel, initramfs } = bootFiles;
    await buildIso({ out, kernel, initramfs, cache: resolve(options.cache), token });
    files.push(isoFile);
  }
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
