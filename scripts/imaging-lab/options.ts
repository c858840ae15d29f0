/** Command line of the imaging lab, with its checks. */
import { Command } from "@commander-js/extra-typings";
import { between } from "../rig/option-parsers.ts";

export const imagingCommand = new Command("bun run imaging-lab --")
  .description(
    "Writes an image of a Debian to the disks of virtual machines that start from the network, and starts the " +
      "machines from these disks (Linux x64, as root). Removes everything at the end.",
  )
  .option("--image <MiB>", "size of the disk in the image", between(640, 16_384, true), 768)
  .option("--wan-rate <mbit>", "the setting wanRate: pace of the download", between(0.5, 10_000), 10)
  .option("--json", "print the result as JSON; all else on standard error");

export type ImagingOptions = ReturnType<typeof imagingCommand.opts>;
