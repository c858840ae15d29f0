/**
 * `bun run bench -- fec | start | files | lists | console | lan | faults | scale | yield`:
 * benchmarks (docs/BENCHMARKS.md). All but the first five build a LAN of network namespaces and
 * need Linux and root. A benchmark removes its LAN at the end; the next one removes what a killed
 * one left.
 */
import { tmpdir } from "node:os";
import { Command } from "@commander-js/extra-typings";
import { runConsole } from "./bench/console.ts";
import { runLists } from "./bench/lists.ts";
import { runStart } from "./bench/agent-start.ts";
import { runFiles } from "./bench/files.ts";
import { runFec } from "./bench/fec.ts";
import { faultRowNames } from "./bench/fault-rows.ts";
import { faultsText, runFaults } from "./bench/faults.ts";
import { lanText, runLan } from "./bench/lan.ts";
import { namesOf, numbersBetween, sizeBytes } from "./bench/options.ts";
import { competitorNames } from "./bench/competitors.ts";
import { runScale, scaleText } from "./bench/scale.ts";
import { runSourceLoad, sourceLoadText } from "./bench/source-load.ts";
import { runFairness, fairnessText } from "./bench/fairness.ts";
import { runWithCleanup, UsageError, type Cleanup } from "./rig/cleanup.ts";
import { removeStaleRuns } from "./lab/stale-runs.ts";
import { between } from "./rig/option-parsers.ts";
import { limits } from "../shared/wire/limits.ts";

const command = new Command("bun run bench --").description(
  "Benchmarks: see docs/BENCHMARKS.md for what each compares.",
);

/** Runs a benchmark that builds network namespaces, and prints its result. */
async function onNamespaces(work: (cleanup: Cleanup) => Promise<string>): Promise<void> {
  await runWithCleanup(async (cleanup) => {
    if (process.platform !== "linux" || process.getuid?.() !== 0)
      throw new UsageError("This benchmark creates network namespaces: run it on Linux as root (sudo)");
    for (const program of ["ip", "tc", "nft"])
      if (!Bun.which(program))
        throw new UsageError(`This benchmark needs "${program}": apt-get install iproute2 nftables`);
    for (const runId of await removeStaleRuns()) console.error(`Removed what run ${runId} left behind.`);
    console.log(await work(cleanup));
    return 0;
  });
}

const cutRunsHelp =
  "the switch forwards every datagram by itself; default: runs pass whole to receivers without loss";
const receivers = () => between(1, 200, true);
const size = () => between(0.1, 10_000);
const rate = () => between(1, 10_000);

command
  .command("fec")
  .description("MB/s of source bytes that the erasure code encodes and decodes, in both kernels")
  .option("--k <n>", "source symbols of a block", between(1, limits.blockSymbolsMax, true), 64)
  .option("--r <n>", "repair symbols, and lost symbols", between(1, limits.blockSymbolsMax, true), 16)
  .option("--symbol <bytes>", "size of a symbol", between(1, limits.symbolMaxBytes, true), 1_400)
  .action((options) => {
    if (options.r > options.k)
      command.error(`--r ${options.r} is above --k ${options.k}: write an --r of at most --k.`);
    console.log(runFec(options));
  });

command
  .command("start")
  .description("time until an agent with many packages and tasks has started")
  .option("--packages <n>", "complete packages, and as many ended tasks", between(1, 100_000, true), 1_000)
  .option("--files <n>", "files of each package", between(1, 10_000, true), 10)
  .option("--size <MB>", "size of each package (10^6); takes no room on the disk", size(), 1_000)
  .action(async (options) => console.log(await runStart(options)));

command
  .command("files")
  .description("receiver's cost of many small files, and the longest turns of source and agents; Linux only")
  .option("--files <n>", "files of the package", between(1, 100_000, true), 10_000)
  .option("--bytes <n>", "size of each file", between(1, 1_000_000, true), 4_096)
  .option("--rate <mbit>", "the setting lanRate", rate(), 200)
  .option("--repeat <n>", "runs of each", between(1, 100, true), 1)
  .option("--timeout <seconds>", "limit of one step", between(5, 3_600), 300)
  .option("--folder <path>", "parent of the files; a fresh file system gives the steadiest figures", tmpdir())
  .action((options) =>
    runWithCleanup(async (cleanup) => {
      console.log(await runFiles(options, cleanup));
      return 0;
    }),
  );

/** Returns a command with the size of a fleet. */
const onFleet = (name: string, description: string) =>
  command
    .command(name)
    .description(description)
    .option("--devices <n>", "enrolled devices", between(1, 1_000_000, true), 100_000)
    .option("--subnets <n>", "subnets that they are on", between(1, 100_000, true), 2_000)
    .option("--tasks <n>", "open tasks", between(1, 10_000, true), 200)
    .option("--tasks-for-all <n>", "tasks among them that target all devices", between(0, 100, true), 5)
    .option("--connected <n>", "devices with an open event stream", between(0, 100_000, true), 10_000);

onFleet("console", "every page of the console in Chromium, with a large fleet")
  .option("--repeat <n>", "openings of each page", between(1, 1_000, true), 5)
  .action(async (options) => console.log(await runConsole(options)));

onFleet("lists", "processor time of the source for each list and view of the API, with a large fleet")
  .option("--repeat <n>", "requests of each", between(1, 1_000, true), 20)
  .option("--slow <ms>", "a request that takes longer is not repeated", between(1, 1e6), 2_000)
  .action(async (options) => console.log(await runLists(options)));

command
  .command("source")
  .description("processor time, memory and disk of a source for each device; Linux only")
  .option(
    "--devices <n>",
    "devices that enrol, check in, report and connect",
    between(1, 20_000, true),
    1_000,
  )
  .option("--size <MB>", "size of the package that the source sends (10^6)", size(), 500)
  .option("--heartbeats <n>", "heartbeats of 20 s for which all are connected", between(0, 100, true), 2)
  .option("--json", "print the result as JSON")
  .action((options) =>
    runWithCleanup(async (cleanup) => {
      const load = await runSourceLoad(options, cleanup);
      console.log(options.json ? JSON.stringify({ options, load }, null, 2) : sourceLoadText(load));
      return 0;
    }),
  );

command
  .command("lan")
  .description("this project and others in turn on one LAN of 1 Gbit/s ports")
  .option("--receivers <n>", "hosts in addition to the sender", receivers(), 8)
  .option("--size <MB>", "size of the package (10^6)", size(), 256)
  .option("--rate <mbit>", "rate of every sender", rate(), 900)
  .option(
    "--loss <percents>",
    "packets lost at each receiver; one case for each value",
    numbersBetween(0, 50),
    [0, 1, 5],
  )
  .option(
    "--against <names>",
    `competitors: some of ${competitorNames.join(", ")}; or none`,
    namesOf(competitorNames),
    [...competitorNames],
  )
  .option("--encrypt", "uftp a second time, encrypted")
  .option("--cut-runs", cutRunsHelp)
  .option(
    "--receive-buffer <size>",
    "the machine's net.core.rmem_max during the run, for example 208KiB",
    sizeBytes,
  )
  .option("--repeat <n>", "runs of each", between(1, 100, true), 1)
  .option("--timeout <seconds>", "limit of one transfer", between(5, 3_600), 120)
  .option("--json", "print the result as JSON")
  .action((given) =>
    onNamespaces(async (cleanup) => {
      const options = {
        ...given,
        encrypt: given.encrypt === true,
        cutRuns: given.cutRuns === true,
        receiveBuffer: given.receiveBuffer ?? null,
      };
      const rows = await runLan(options, cleanup);
      return given.json ? JSON.stringify({ options, rows }, null, 2) : lanText(rows, options);
    }),
  );

command
  .command("faults")
  .description("what a faulty receiver costs the healthy ones, and how it gets the package")
  .option(
    "--receivers <n>",
    "hosts in addition to the sender; the last one is faulty",
    between(2, 200, true),
    8,
  )
  .option("--size <MB>", "size of the package (10^6)", size(), 96)
  .option("--rate <mbit>", "the setting lanRate", rate(), 200)
  .option("--cut-runs", cutRunsHelp)
  .option("--rows <names>", `some of ${faultRowNames.join(", ")}`, namesOf(faultRowNames), [...faultRowNames])
  .option("--timeout <seconds>", "limit of one transfer", between(5, 3_600), 120)
  .option("--json", "print the result as JSON")
  .action((options) =>
    onNamespaces(async (cleanup) => {
      const rows = await runFaults(options, cleanup);
      return options.json ? JSON.stringify({ options, rows }, null, 2) : faultsText(rows, options);
    }),
  );

command
  .command("scale")
  .description("what more receivers cost")
  .option(
    "--receivers <numbers>",
    "hosts in addition to the sender; one case for each value",
    numbersBetween(1, 200, true),
    [2, 4, 8, 16, 32, 64],
  )
  .option("--size <MB>", "size of the package (10^6)", size(), 24)
  .option("--rate <mbit>", "the setting lanRate", rate(), 40)
  .option("--loss <percent>", "packets lost at each receiver", between(0, 50), 0)
  .option("--cut-runs", cutRunsHelp)
  .option("--timeout <seconds>", "limit of one transfer", between(5, 3_600), 120)
  .option("--json", "print the result as JSON")
  .action((options) =>
    onNamespaces(async (cleanup) => {
      const rows = await runScale(options, cleanup);
      return options.json ? JSON.stringify({ options, rows }, null, 2) : scaleText(rows, options);
    }),
  );

command
  .command("yield")
  .description("what the multicast leaves to a TCP flow on the same link")
  .option("--receivers <n>", "hosts behind the link", receivers(), 4)
  .option("--size <MB>", "size of the package (10^6)", size(), 100)
  .option("--link <mbit>", "rate of the link", rate(), 50)
  .option("--flow <name>", "the TCP flow's congestion control, as Linux names it", "cubic")
  .option("--against <names>", "uftp or none", namesOf(["uftp"] as const), ["uftp"] as const)
  .option("--timeout <seconds>", "limit of one transfer", between(5, 3_600), 120)
  .option("--json", "print the result as JSON")
  .action((options) =>
    onNamespaces(async (cleanup) => {
      const report = await runFairness(options, cleanup);
      return options.json ? JSON.stringify({ options, ...report }, null, 2) : fairnessText(report, options);
    }),
  );

await command.parseAsync();
