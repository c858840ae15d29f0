/**
 * The commands `service install`, `remove`, `start`, `stop` and `status`, which the agent and the
 * source have in common. `install` takes the options of the command that the service runs.
 */
import type { Command } from "@commander-js/extra-typings";
import { platform } from "../platform/index.ts";
import { removeTree } from "../platform/remove-tree.ts";
import { ServiceError, type ServiceName } from "../platform/service.ts";
import { printJson, printLine, printNote } from "../standard-output.ts";
import { installService, type InstallOptions } from "./install.ts";
import type { ServiceProgram } from "./service-program.ts";

const jsonText = "as JSON";

/** Adds the commands to a program. */
export function addServiceCommands(program: Command, of: ServiceProgram): void {
  const service = program.command("service").description(`${of.name} as a service of this machine`);
  addInstall(service as Command, of);
  const { serviceManager } = platform;
  const add = (word: string, description: string, act: () => Promise<void>) =>
    service
      .command(word)
      .description(description)
      .option("--json", jsonText)
      .action(async ({ json }) => {
        requireAdministrator(word);
        await act();
        await printService(of.name, json === true);
      });
  addRemove(service as Command, of);
  add("start", "start the service", () => serviceManager.start(of.name));
  add("stop", "stop the service until it is started, or the machine restarts", () =>
    serviceManager.stop(of.name),
  );
  service
    .command("status")
    .description("show whether the service is installed and runs")
    .option("--json", jsonText)
    .action(({ json }) => printService(of.name, json === true));
}

function addRemove(service: Command, of: ServiceProgram): void {
  const { serviceManager } = platform;
  const folder = serviceManager.dataFolderOf(of.name);
  service
    .command("remove")
    .description("stop and remove the service; the data folder stays")
    .option("--purge", `also remove the data folder ${folder}`)
    .option("--json", jsonText)
    .action(async ({ json, purge }) => {
      requireAdministrator("remove");
      await serviceManager.remove(of.name);
      await of.removeLeftovers();
      if (purge === true) await removeTree(folder);
      await printService(of.name, json === true);
    });
}

function addInstall(service: Command, of: ServiceProgram): void {
  const install = service
    .command("install")
    .description(`install and start the service; the options are those of ${of.command}`);
  of.addOptions(install as Command);
  install
    .option("--no-start", "start the service with the next start of the machine")
    .option("--json", jsonText)
    .action(async (options) => {
      requireAdministrator("install");
      const notes = await installService(of, install as Command, options as InstallOptions);
      for (const note of notes) printNote(`note: ${note}`);
      if ((options as InstallOptions).start !== false) await startIfPossible(of.name);
      await printService(of.name, (options as InstallOptions).json === true);
    });
}

/** Where no manager runs, as in an image that is being made, the service starts with the system. */
async function startIfPossible(name: ServiceName): Promise<void> {
  const { serviceManager } = platform;
  if (!serviceManager.isRunning()) {
    printNote(`note: ${serviceManager.name} does not run here: ${name} starts with the next boot`);
    return;
  }
  // An installed service may run with its earlier options.
  await serviceManager.stop(name);
  await serviceManager.start(name);
}

function requireAdministrator(word: string): void {
  if (platform.isAdministrator()) return;
  throw new ServiceError(
    `service ${word} changes the system: run it as ${platform.os === "windows" ? "an administrator" : "root"}`,
  );
}

async function printService(name: ServiceName, asJson: boolean): Promise<void> {
  const { serviceManager } = platform;
  const status = await serviceManager.status(name);
  if (asJson) return printJson({ name, manager: serviceManager.name, ...status });
  if (status.state === "not-installed") return printLine(`${name} is not installed`);
  const process = status.pid === null ? "" : ` (process ${status.pid})`;
  const boot = status.startsAtBoot ? "starts with the system" : "does not start with the system";
  printLine(`${name}: ${status.state}${process}, ${boot}`);
}
