/**
 * `bun run image -- --source URL [--out DIR] [--iso] [--token-file FILE]`: kernel, initramfs with
 * the agent, an iPXE script, and an ISO, for machines that have images written to their disks
 * (docs/install/imaging.md). Debian's packages are unpacked into a cache folder, and none is installed.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { formatPin, parseEnrollToken, readPin, readToken } from "../shared/api/token.ts";
import { bootFiles } from "../shared/source/boot/boot-files.ts";
import { buildBootImage } from "./image/boot-image.ts";
import { buildIso, isoFile } from "./image/iso.ts";

/**
 * Returns the identity of the source in a token, without the secret of the token.
 * @throws Error that names the file
 */
export function pinIn(file: string, text: string): string {
  const found = readPin(text) ?? readToken(text);
  if (found !== null) return formatPin(found);
  throw new Error(
    `"${file}" has neither a token nor the identity of a source: give enroll.token of the source's data folder`,
  );
}

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
    .option(
      "--identity-file <file>",
      "file with any token of the source, or its identity: the boot files get the identity alone, and machines pin it",
    )
    .option("--token-file <file>", "enrolment token for the ISO; boot files contain none")
    .option("--agent <file>", "executable of the agent for Linux x64 with glibc (default: it is built)")
    .parse()
    .opts();
  if (options.tokenFile !== undefined && !options.iso)
    throw new Error(
      "--token-file belongs to --iso: boot files are read by every machine of the network; --identity-file takes the identity of the source from a token, and not its secret",
    );
  const token = options.tokenFile === undefined ? null : (await readFile(options.tokenFile, "utf8")).trim();
  if (token !== null) parseEnrollToken(token);
  const identityFile = options.identityFile ?? options.tokenFile;
  const pin = identityFile === undefined ? null : pinIn(identityFile, await readFile(identityFile, "utf8"));
  if (pin === null)
    console.error(
      "without --identity-file the boot files have no identity of the source: machines need a token",
    );
  const out = resolve(options.out);
  await mkdir(out, { recursive: true });
  const files = await buildBootImage({
    sourceUrl: options.source,
    pin,
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
