/** Command line of the chaos lab, with its checks. */
import { Command, Option } from "@commander-js/extra-typings";
import { UsageError } from "../rig/cleanup.ts";
import { between } from "../rig/option-parsers.ts";
import { faultKinds, type FaultKind } from "./fault-kinds.ts";

export const chaosCommand = new Command("bun run chaos --")
  .description(
    "The real programs in network namespaces (Linux, as root), with faults at times drawn from a seed. " +
      "Every device has to hold a right copy in the end, and healthy devices may wait no longer than stated.",
  )
  .addOption(new Option("--fault <kind...>", "only these kinds; default: one of each").choices(faultKinds))
  .option("--seed <n>", "the same seed draws the same faults", between(0, 2 ** 31, true), 1)
  .option("--times <n>", "number of runs, with the seeds from --seed on", between(1, 10_000, true), 1)
  .option("--subnets <n>", "sites, each with a router, a WAN link and a subnet", between(1, 16, true), 2)
  .option("--devices <n>", "devices per subnet", between(1, 128, true), 4)
  .option("--wan <mbit>", "rate of each site's WAN link, both ways", between(0.1, 10_000), 30)
  .option("--lan <mbit>", "rate of each device's LAN port, both ways", between(0.1, 10_000), 1_000)
  .option("--lan-rate <mbit>", "the setting lanRate: pace of the multicast", between(0.1, 10_000), 200)
  .option("--size <MB>", "size of the package of random bytes (10^6)", between(0.001, 100_000), 12)
  .option("--package <path>", "a file or folder to distribute instead")
  .option("--delay <seconds>", "session start delay", between(0, 3_600), 1)
  .option("--compiled", "build the executables and run those")
  .option("--timeout <seconds>", "give up after this", between(10, 86_400), 90)
  .option("--json", "the result as JSON on standard output, all else on standard error");

type CommandLine = ReturnType<typeof chaosCommand.opts>;
export type ChaosOptions = Omit<CommandLine, "fault"> & { readonly kinds: readonly FaultKind[] };

/** Checks the options against each other. @throws UsageError when a fault needs a second subnet */
export function chaosOptions({ fault, ...options }: CommandLine): ChaosOptions {
  const kinds = fault ?? faultKinds;
  if (options.subnets < 2 && kinds.includes("move"))
    throw new UsageError(
      `A device cannot move to another subnet with --subnets ${options.subnets}: give --subnets 2, or choose faults without "move" (--fault …)`,
    );
  return { ...options, kinds };
}
