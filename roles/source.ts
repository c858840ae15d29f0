#!/usr/bin/env -S bun --use-system-ca --no-env-file --config=/dev/null
/**
 * Program of the source: publishes packages, distributes tasks and agent settings, keeps the
 * inventory. `serve` runs the source; every other command uses the HTTP API of a running one. This
 * file only reads the command line.
 */
import { Command, CommanderError, Option } from "@commander-js/extra-typings";
import { exitStatusOf } from "../shared/source/commands/command-error.ts";
import { addDevices, addPackageDevices, targetHelp } from "../shared/source/commands/device-command-line.ts";
import { listPackages, removePackage } from "../shared/source/commands/inventory.ts";
import { addSubnets } from "../shared/source/commands/subnet-command-line.ts";
import { addReports, addSource } from "../shared/source/commands/maintenance.ts";
import { addUrl, listUrls, removeUrl } from "../shared/source/commands/package-urls.ts";
import { addLabels } from "../shared/source/commands/labels.ts";
import { publish } from "../shared/source/commands/publish.ts";
import {
  parseServeOptions,
  serve,
  serviceFinalStatuses,
  type ServeOptions,
} from "../shared/source/commands/serve.ts";
import { addServeOptions } from "../shared/source/commands/serve-options.ts";
import { prepareSourceFolder } from "../shared/source/server.ts";
import { platform } from "../shared/platform/index.ts";
import { addServiceCommands } from "../shared/service/service-command.ts";
import {
  allowPlainHttp,
  jsonOption,
  csvOption,
  operatorKeyOption,
  sourceOption,
  tokenOption,
} from "../shared/source/commands/options.ts";
import { addAudit } from "../shared/source/commands/audit.ts";
import { addTokens } from "../shared/source/commands/tokens.ts";
import { addSingleSignOn } from "../shared/source/commands/single-sign-on.ts";
import { addSettings } from "../shared/source/commands/setting-command-line.ts";
import { addWebhooks } from "../shared/source/commands/webhooks.ts";
import { addUsers } from "../shared/source/commands/users.ts";
import type { JsonOptions } from "../shared/source/commands/connect.ts";
import {
  cancelTask,
  changeTask,
  editTask,
  removeTask,
  retryTask,
  showOutput,
  startTask,
} from "../shared/source/commands/task-changes.ts";
import { addTrust } from "../shared/source/commands/trust-command-line.ts";
import { listTaskWakes } from "../shared/source/commands/task-wakes.ts";
import { showTaskHistory } from "../shared/source/commands/task-history.ts";
import { createTask, listTasks, showTask } from "../shared/source/commands/tasks.ts";
import { watchTask } from "../shared/source/commands/watch.ts";
import { thenOption } from "../shared/source/commands/task-create-options.ts";
import { taskActions } from "../shared/api/schema/common.ts";
import { endIfTakenOver } from "../shared/platform/runtime-variables.ts";
import { addCompletion } from "../shared/command-line/completion.ts";
import { sourceFacts } from "../shared/command-line/program-facts.ts";
import { withUsageErrors } from "../shared/command-line/usage-errors.ts";
import { endWhenNobodyReads, printNote } from "../shared/standard-output.ts";
import { version } from "../shared/version.ts";

/** The service of the source, as a user of its own where the system has such users. */
export const sourceService = {
  name: "flockcast-source",
  description: "flockcast source",
  user: "flockcast-source",
  finalStatuses: serviceFinalStatuses,
  keepsChildren: false,
} as const;

function addServing(program: Command): void {
  const serving = program.command("serve").description("run the source");
  addServeOptions(serving as Command);
  serving.option("--service", "only for the service manager of Windows, which starts the program with it");
  serving.action((options) => serve(options as unknown as ServeOptions));
  addServiceCommands(program, {
    ...sourceService,
    command: "serve",
    addOptions: (install) =>
      addServeOptions(install, platform.serviceManager.dataFolderOf("flockcast-source")),
    check: (options) => void parseServeOptions(options as unknown as ServeOptions),
    prepareFolder: prepareSourceFolder,
    removeLeftovers: async () => {},
  });
}

function addPublishing(program: Command): void {
  program
    .command("publish")
    .description("publish a file, a folder or a URL; prints the package id")
    .argument("<path|url>", "what to publish; a URL is read once, and devices download from it")
    .requiredOption("--name <name>", "name of the package")
    .requiredOption("--version <version>", "version of the package; a published version never changes")
    .option(
      "--url <url>",
      "address from which devices download the bytes instead of from the source; repeat it for several",
      (url, urls: readonly string[] = []) => [...urls, url],
    )
    .option(
      "--commands <file>",
      "named commands in TOML (default: flockcast.toml in the folder, if there is one)",
    )
    .option("--key <file>", "publisher's key, created at first use (default: FLOCKCAST_PUBLISHER_KEY)")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(publish);
  const packages = program.command("package").description("published packages");
  packages
    .command("list")
    .description("all packages, the last published first")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listPackages);
  packages
    .command("remove")
    .description("remove a package from the source, unless an open task needs it")
    .argument("<package>", "package id or NAME@VERSION")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(removePackage);
  addPackageDevices(packages as Command);
  addPackageUrls(packages as Command);
}

function addPackageUrls(packages: Command): void {
  const url = packages.command("url").description("web sites from which devices download a package");
  url
    .command("list")
    .description("the URLs of a package, in the order in which devices try them")
    .argument("<package>", "package id, NAME (its highest version) or NAME@VERSION")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listUrls);
  url
    .command("add")
    .description("add a URL; running tasks use it too. Of several files, URL is the folder")
    .argument("<package>", "package id, NAME (its highest version) or NAME@VERSION")
    .argument("<url>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(addUrl);
  url
    .command("remove")
    .description("remove a URL, written in full or as the list shows it")
    .argument("<package>", "package id, NAME (its highest version) or NAME@VERSION")
    .argument("<url>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(removeUrl);
}

function addTasks(program: Command): void {
  const task = program.command("task").description("tasks: packages for devices");
  addTaskCreation(task as Command);
  addTaskViews(task as Command);
  addTaskChanges(task as Command);
}

const dryRunHelp = "only print the devices and the WAN bytes that it would cost";
const startHelp =
  'earliest start: ISO 8601, +10m, or on each device\'s own clock: 22:00, "2030-01-31T22:00 local"';
const diskHelp =
  "disk of an image: path=/dev/sda, model=, serial= (with * and ?), min=, max=, with commas (default: the only fixed disk)";
const deadlineHelp = "time from which the command waits for no window, program or user: ISO 8601 or +10m";
const expiresHelp = "time from which no device begins the task: ISO 8601 or +10m";
const wakeHelp = "wake targeted devices that are not awake before the start (Wake-on-LAN)";
const notWhileHelp = "programs during which the command does not begin: EXCEL.EXE,soffice.bin";

function addTaskCreation(task: Command): void {
  task
    .command("create")
    .description("give devices a package; prints the task id")
    .argument(
      "[package]",
      "package id, NAME (its highest version) or NAME@VERSION; may be left out with --from",
    )
    .option("--from <id>", "take what is not given, except the times, from this task")
    .addOption(
      new Option(
        "--action <action>",
        "pre-cache: fill the cache; run: also run a command; upgrade: replace the agent by that of the package; image: write its file to a disk",
      ).choices(taskActions),
    )
    .option("--run <name>", "command of the package to run in its folder, for --action run")
    .option("--command <command>", "command line to run instead of one of the package")
    .option("--disk <conditions>", diskHelp)
    .option("--overwrite", "write the image also to a disk that holds data, which is then lost")
    .addOption(thenOption())
    .option(
      "--setting <name>",
      "agent setting that overrides the devices' own ones for this task; none: it does not",
    )
    .option("--target <target>", `${targetHelp} (default: all)`)
    .option("--start <time>", startHelp)
    .option("--deadline <time>", deadlineHelp)
    .option("--expires <time>", `${expiresHelp} (default: 90 days after the start)`)
    .option("--not-while <programs>", notWhileHelp)
    .option("--allow-downgrade", "run also where a higher version of the package has run the command")
    .option("--after <id>", "task whose command has to succeed on a device before this one runs there")
    .option("--wake", wakeHelp)
    .option("--no-wake", "do not wake devices, also if the task of --from does")
    .option("--dry-run", dryRunHelp)
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .addOption(operatorKeyOption())
    .action(createTask);
  task
    .command("edit")
    .description("change a task, also one that ended, which is then open again")
    .argument("<id>")
    .option("--target <target>", targetHelp)
    .option("--start <time>", startHelp)
    .option("--deadline <time>", `${deadlineHelp}; none: no deadline`)
    .option("--expires <time>", expiresHelp)
    .option("--not-while <programs>", `${notWhileHelp}; none: no program`)
    .option("--setting <name>", "agent setting that overrides the devices' own ones; none: it does not")
    .option("--wake", wakeHelp)
    .option("--no-wake", "do not wake devices any more")
    .option("--dry-run", dryRunHelp)
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .addOption(operatorKeyOption())
    .action(editTask);
}

function addTaskViews(task: Command): void {
  task
    .command("list")
    .description("all tasks: scheduled, running, paused, done, ended or cancelled")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listTasks);
  task
    .command("show")
    .description("a task with its subnets and devices")
    .argument("<id>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(showTask);
  task
    .command("history")
    .description("the course of a task: bytes over the WAN and in the LAN, and complete devices, over time")
    .argument("<id>")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(showTaskHistory);
  task
    .command("wakes")
    .description("devices of a task that were to be woken: by whom, and whether they woke")
    .argument("<id>")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listTaskWakes);
  task
    .command("watch")
    .description(
      "show progress until every device is complete (exit 0), the task is over otherwise (1) or the time is (3)",
    )
    .argument("<id>")
    .option("--until <share>", "share of the devices that has to be complete, such as 95%")
    .option("--timeout <duration>", "longest time to wait, such as 2h")
    .option("--json", "a line of JSON, the task, at each change")
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(watchTask);
  task
    .command("output")
    .description("the end of the output of a device's command")
    .argument("<id>")
    .argument("<device>", "device id or host name")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(showOutput);
}

function addTaskChanges(task: Command): void {
  const add = (
    name: string,
    description: string,
    action: (id: string, options: JsonOptions) => Promise<void>,
  ) =>
    task
      .command(name)
      .description(description)
      .argument("<id>")
      .addOption(jsonOption())
      .addOption(sourceOption())
      .addOption(tokenOption())
      .action(action);
  add("start-now", "start a scheduled task at once", startTask).addOption(operatorKeyOption());
  add("pause", "pause a task: no download, multicast or command begins", changeTask("pause"));
  add("resume", "resume a paused task", changeTask("resume"));
  add("cancel", "cancel a task; its devices drop it, and a running command continues", cancelTask).option(
    "--kill",
    "also end its running commands, with all their processes",
  );
  add("retry", "repeat a task on the devices that failed", retryTask).addOption(operatorKeyOption());
  add("remove", "remove an ended or cancelled task with its reports", removeTask);
}

function addInventory(program: Command): void {
  const device = addDevices(program);
  addLabels(program, device, addSubnets(program));
}

/** Returns the command line: its commands, options and help. */
export function sourceProgram(): Command {
  const program = new Command("flockcast-source")
    .description("The source of a flockcast deployment: packages, tasks, settings, inventory.")
    .version(version, "--version")
    // Positional options: options before a command belong to the program, after it to the command.
    // `publish` has its own --version.
    .enablePositionalOptions();
  for (const add of [
    addServing,
    addPublishing,
    addTasks,
    addSettings,
    addInventory,
    addTrust,
    addAudit,
    addTokens,
    addUsers,
    addSingleSignOn,
    addWebhooks,
    addSource,
    addReports,
  ])
    add(program as Command);
  allowPlainHttp(program as Command);
  addCompletion(program as Command);
  return withUsageErrors(program as Command, sourceFacts);
}

/** Returns the exit status. */
async function main(words: readonly string[]): Promise<number> {
  try {
    await sourceProgram().parseAsync(words, { from: "user" });
    return 0;
  } catch (error) {
    // Commander has already printed the error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    printNote(`error: ${(error instanceof Error ? error.message : String(error)).split("\n")[0]!}`);
    return exitStatusOf(error);
  }
}

if (import.meta.main) {
  endIfTakenOver("flockcast-source");
  endWhenNobodyReads();
  process.exitCode = await main(process.argv.slice(2));
}
