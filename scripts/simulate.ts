/**
 * `bun run simulate --seed N`: runs real devices in a simulated world drawn from a seed, and checks
 * invariants at every event. `--seeds A..B` runs many worlds. A violation prints the broken
 * invariant and the command that replays the world. docs/TESTING.md describes the simulator.
 */
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import os from "node:os";
import { join } from "node:path";
import {
  faultNames,
  simulate,
  type Choice,
  type FaultName,
  type Outcome,
} from "../shared/simulation/index.ts";
import { between } from "./rig/option-parsers.ts";
import { mutationNames, type Mutation } from "./simulate/mutations.ts";
import { sweep, type Sweep } from "./simulate/sweep.ts";

const command = new Command("bun run simulate")
  .description("Run real devices in simulated worlds with faults and checkers: see docs/TESTING.md.")
  .option("--seed <n>", "seed of the world to run", between(0, 4_294_967_295, true), 1)
  .option("--seeds <range>", "seeds of many worlds, as A..B; exit status 1 after a violation", parseRange)
  .option("--devices <n>", "number of devices (default: drawn from the seed)", between(1, 10_000, true))
  .option("--subnets <n>", "number of subnets (default: drawn from the seed)", between(1, 100, true))
  .option("--minutes <n>", "minimum of simulated time", between(0, 1_000_000), 0)
  .option("--faults <names>", `all, none, or some of ${faultNames.join(", ")}`, parseFaults)
  .option(
    "--mutate <name>",
    `break the program on purpose, to test the checkers: ${mutationNames.join(", ")}`,
    parseMutation,
  )
  .option("--log", "print the history of the world")
  .option("--jobs <n>", "processes of a sweep", between(1, 256, true), os.availableParallelism());

function parseRange(text: string): { first: number; last: number } {
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  if (!match || Number(match[1]) > Number(match[2]))
    throw new InvalidArgumentError(`"${text}" is not a range of seeds: write for example 1..1000`);
  return { first: Number(match[1]), last: Number(match[2]) };
}

function parseFaults(text: string): readonly FaultName[] {
  if (text === "all") return faultNames;
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const known = faultNames.find((each) => each === name.trim());
    if (!known)
      throw new InvalidArgumentError(`There is no fault "${name}": write some of ${faultNames.join(", ")}`);
    return known;
  });
}

function parseMutation(text: string): Mutation {
  const known = mutationNames.find((each) => each === text);
  if (!known)
    throw new InvalidArgumentError(
      `There is no mutation "${text}": write one of ${mutationNames.join(", ")}`,
    );
  return known;
}

/** Runs this command again with the mutation in the program. Never returns. */
function runMutated(mutation: Mutation): never {
  const preload = join(import.meta.dir, "simulate", "mutated.ts");
  const { exitCode } = Bun.spawnSync([process.execPath, import.meta.path, ...process.argv.slice(2)], {
    // The processes of a sweep inherit the environment, and so the mutation.
    env: { ...process.env, BUN_OPTIONS: `--preload=${preload}`, FLOCKCAST_MUTATION: mutation },
    stdio: ["ignore", "inherit", "inherit"],
  });
  process.exit(exitCode);
}

/** Returns the command that runs the world of a seed again, with the options that determine it. */
function replayCommand(seed: number): string {
  const { devices, subnets, faults, mutate } = command.opts();
  const parts = [`bun run simulate --seed ${seed}`];
  if (devices !== undefined) parts.push(`--devices ${devices}`);
  if (subnets !== undefined) parts.push(`--subnets ${subnets}`);
  if (faults && faults.length !== faultNames.length) parts.push(`--faults ${faults.join(",") || "none"}`);
  if (mutate) parts.push(`--mutate ${mutate}`);
  return `${parts.join(" ")} --log`;
}

function violationText({ seed, faults, violation }: Outcome): string {
  const { checker, device, atMs, message } = violation!;
  const at = `seed ${seed}, ${(atMs / 1_000).toFixed(3)} s, device ${device}`;
  return `VIOLATION of "${checker}" (${at}): ${message}\n  faults: ${faults.join(", ") || "none"}\n  replay: ${replayCommand(seed)}`;
}

const hours = (ms: number): string => Math.round(ms / 3_600_000).toLocaleString("en-US");

function sweepText(sum: Sweep, tookMs: number): string {
  const { seeds, violations, processorMs, deviceMs, datagrams, wanChunks, wanHeld, settledMsMax } = sum;
  return [
    `${seeds} seeds in ${(tookMs / 1_000).toFixed(1)} s, ${violations.length} violations`,
    `${(processorMs / seeds).toFixed(1)} ms of processor time a seed, ${hours(deviceMs)} device-hours, ${datagrams} datagrams sealed`,
    `${wanChunks} chunks crossed the WAN, ${wanHeld} of them while a device of the subnet held them`,
    `last fault to last complete device: ${(settledMsMax / 1_000).toFixed(1)} s at most`,
  ].join("\n");
}

function outcomeText(outcome: Outcome, processorMs: number): string {
  const { seed, faults, hash, simulatedMs, devices, datagrams, wanChunks, violation } = outcome;
  const deviceHours = (devices * simulatedMs) / 3_600_000;
  return [
    `seed ${seed}: ${devices} devices, faults: ${faults.join(", ") || "none"}`,
    `${(simulatedMs / 1_000).toFixed(1)} s simulated in ${processorMs.toFixed(0)} ms of processor time ` +
      `(${Math.round((deviceHours * 1_000) / processorMs).toLocaleString("en-US")} device-hours a second), ` +
      `${datagrams} datagrams, ${wanChunks} chunks over the WAN`,
    violation ? violationText(outcome) : "no violation",
    `history ${hash}`,
  ].join("\n");
}

const options = command.parse().opts();
const choice: Omit<Choice, "seed"> = {
  devices: options.devices,
  subnets: options.subnets,
  faults: options.faults,
};
if (options.mutate && process.env["FLOCKCAST_MUTATION"] !== options.mutate) runMutated(options.mutate);
if (options.seeds) {
  const beganMs = performance.now();
  const sum = await sweep(choice, options.seeds, options.jobs, (outcome) =>
    console.log(violationText(outcome)),
  );
  console.log(sweepText(sum, performance.now() - beganMs));
  process.exitCode = sum.violations.length > 0 ? 1 : 0;
} else {
  const before = process.cpuUsage();
  const outcome = simulate({ ...choice, seed: options.seed, log: options.log === true }, options.minutes);
  const { user, system } = process.cpuUsage(before);
  if (options.log) console.log(outcome.log.join("\n"));
  console.log(outcomeText(outcome, (user + system) / 1_000));
  process.exitCode = outcome.violation ? 1 : 0;
}
