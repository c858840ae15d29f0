/**
 * `npm start [-- PATH] [--subnets 2] [--devices 4] [--keep] [--open]`: a distribution on this machine alone.
 *
 * The demo runs a real source and real devices (one process each) with real sockets on loopback.
 * Every simulated subnet is a multicast group and port of its own. PATH is a file or a folder; the
 * default is the project's peer executable, which is built first. Exit status 0 only when every
 * device's copy is right and each subnet's WAN bytes are about one package.
 */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { runDemo } from "./demo/demo.ts";
import { runWithCleanup, UsageError } from "./rig/cleanup.ts";

const upTo =
  (max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > max) {
      throw new InvalidArgumentError(`Write a whole number from 1 to ${max}.`);
    }
    return value;
  };

const command = new Command("npm start --")
  .description("Distributes a package from a source to simulated subnets of devices on this machine.")
  .argument("[path]", "a file or folder (default: the peer's executable, which is built first)")
  .option("--subnets <n>", "simulated subnets", upTo(8), 2)
  .option("--devices <n>", "devices per subnet", upTo(32), 4)
  .option("--keep", "leave everything running until Ctrl-C")
  .option("--open", "show the console in the default browser, until Enter or for 10 minutes")
  .parse();

await runWithCleanup(async (cleanup) => {
  const options = command.opts();
  const given = command.args[0];
  if (given !== undefined && !(await stat(given).catch(() => null))) {
    throw new UsageError(`Cannot distribute "${given}": there is no such file or folder`);
  }
  return runDemo(
    {
      path: given === undefined ? null : resolve(given),
      subnets: options.subnets,
      devices: options.devices,
      keep: options.keep === true,
      open: options.open === true,
    },
    cleanup,
  );
});
