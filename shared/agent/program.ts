/**
 * The command line that `roles/peer.ts` and `roles/representative.ts` share: `run`, `status` and
 * `cache`.
 *
 * Data is written to standard output and the log to standard error. Exit status 1 means a failure,
 * 2 a usage error, 70 a bug, 77 that the source has removed the device.
 */
import { resolve } from "node:path";
import { Command, CommanderError, Option } from "@commander-js/extra-typings";
import { CacheError, openCache, prepareDataFolder, type DistributionCache } from "../cache/index.ts";
import { SourceError } from "../api/agent-client.ts";
import { createLogger, type Logger } from "../log.ts";
import type { BarCode } from "../model/enrolment.ts";
import { listInterfaces } from "../net/interfaces/list.ts";
import { LanBusError } from "../net/lan/lan-bus.ts";
import { platform } from "../platform/index.ts";
import { AccessError } from "../platform/private-files.ts";
import { ServiceError } from "../platform/service.ts";
import { systemClock } from "../platform/system-clock.ts";
import { endIfTakenOver } from "../platform/runtime-variables.ts";
import { addServiceCommands } from "../service/service-command.ts";
import { addCompletion } from "../command-line/completion.ts";
import { agentFacts } from "../command-line/program-facts.ts";
import { withUsageErrors } from "../command-line/usage-errors.ts";
import { endWhenNobodyReads, printBug, printNote } from "../standard-output.ts";
import { buildTarget, version } from "../version.ts";
import type { AgentOptions } from "./agent-options.ts";
import { Agent } from "./agent.ts";
import { ConditionsReader } from "./conditions-reader.ts";
import { forgetIdentity, listCache, removeFromCache, verifyCache } from "./cache-commands.ts";
import { readEnrolmentToken, type EnrolmentToken } from "./enrolment-token.ts";
import { barText, BarredError, identify, saveBar, SetupError } from "./enrolment.ts";
import { finishPreparation } from "./image-preparation.ts";
import { LogTail } from "./log-tail.ts";
import { addPrepare } from "./prepare-command.ts";
import {
  addImagingOptions,
  addRunOptions,
  parseImaging,
  parseRunOptions,
  UsageError,
  type RunOptions,
} from "./run-options.ts";
import { printStatus } from "./status/status-text.ts";
import { connectService, type StopsService } from "../service/connection.ts";
import { StopRequest } from "./stop-request.ts";
import { ownPath } from "./upgrade/executable.ts";
import { removeLeftovers } from "./upgrade/placement.ts";
import {
  confirmTrial,
  followSupervisor,
  supervision,
  upgradeStatus,
  type SupervisedAs,
} from "./upgrade/supervised.ts";
import { Supervisor } from "./upgrade/supervisor.ts";
import { isUnderWay, readUpgrade } from "./upgrade/upgrade-state.ts";
import { upgradesOf } from "./upgrade/upgrades.ts";

export type AgentProgram = {
  name: string;
  about: string;
  /** Whether the agent volunteers as representative for every task. */
  volunteer: boolean;
};

/** Exit status after a bug: EX_SOFTWARE of sysexits.h. */
const bugStatus = 70;

/**
 * Exit status of a device that its source has removed: EX_NOPERM of sysexits.h. A service manager
 * does not start the agent again (`RestartPreventExitStatus=77`).
 */
const barredStatus = 77;

/** Name of the service of both programs: a machine has one agent. */
const serviceName = "flockcast-peer";
/** After a wrong command line too, another start would change nothing. */
const finalStatuses = [2, barredStatus] as const;

/** The service of the agent. Commands of tasks are installers, so its user is the system. */
export const agentService = {
  name: serviceName,
  description: "flockcast agent",
  user: null,
  finalStatuses,
  keepsChildren: true,
} as const;

type ServiceOption = { readonly service?: true };

/**
 * Logs a bug and exits. An invariant is broken, so nothing that the process holds in memory can be
 * trusted; a service manager starts it again on what the ledger lists.
 */
function exitOnBug(log: Logger, error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log.fatal({ error: text, version }, "a bug of this program: report it with this line");
  process.exit(bugStatus);
}

/** Runs the command line of the process; exits the process on an error. */
export async function runAgentProgram(program: AgentProgram): Promise<void> {
  endIfTakenOver(program.name);
  endWhenNobodyReads();
  try {
    await agentProgram(program).parseAsync();
  } catch (error) {
    endWith(program.name, error);
  }
}

/** Returns the command line: its commands, options and help. */
export function agentProgram(program: AgentProgram): Command {
  const command = new Command(program.name).description(program.about).version(version, "--version");
  addRun(command as Command, program);
  command
    .command("status")
    .description("show what the agent of this data folder does, by which delivery mode and why")
    .requiredOption("--data <dir>", "the agent's data folder")
    .option("--json", "as JSON")
    .action(({ data, json }) => printStatus(resolve(data), json === true));
  command
    .command("forget")
    .description("forget the identity at the source and keep the packages; the next start enrols again")
    .requiredOption("--data <dir>", "the agent's data folder (stop the agent first)")
    .option("--json", "as JSON")
    .action(({ data, json }) => forgetIdentity(resolve(data), json === true));
  addPrepare(command as Command, platform.serviceManager.dataFolderOf(serviceName));
  addCacheCommands(command as Command);
  addServiceCommands(command as Command, {
    ...agentService,
    command: "run",
    addOptions: (install) => addRunOptions(install, platform.serviceManager.dataFolderOf(serviceName)),
    check: (options) => void parseRunOptions(options as RunOptions),
    prepareFolder: prepareDataFolder,
    // A script is run by bun, whose executable is not the agent's.
    removeLeftovers: async () => (buildTarget === null ? undefined : removeLeftovers(ownPath)),
  });
  addCompletion(command as Command);
  return withUsageErrors(command as Command, agentFacts);
}

function addRun(command: Command, program: AgentProgram): void {
  const run = command.command("run").description("take part in the distribution; stops on SIGTERM or Ctrl-C");
  addRunOptions(run as Command);
  addImagingOptions(run as Command);
  run.option("--service", "only for the service manager of Windows, which starts the program with it");
  run.action((options) => runAgent(program, options as unknown as RunOptions & ServiceOption));
}

/** Prints the error and exits with the status that fits it. */
function endWith(name: string, error: unknown): never {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  const isExpected = expectedErrors.some((kind) => error instanceof kind);
  if (isExpected) printNote(`${name}: ${(error as Error).message}`);
  else printBug(`${name}: ${String(error instanceof Error ? error.stack : error)}`);
  process.exit(error instanceof UsageError ? 2 : error instanceof BarredError ? barredStatus : 1);
}

function addCacheCommands(command: Command): void {
  const cache = command.command("cache").description("the distribution cache of this device");
  cache
    .command("list")
    .description("list the packages on this device and where their bytes came from")
    .requiredOption("--data <dir>", "the agent's data folder")
    .option("--json", "as JSON")
    .addOption(new Option("--csv", "as CSV, with the fields of --json").conflicts("json"))
    .action(({ data, json, csv }) => listCache(resolve(data), json ? "json" : csv ? "csv" : "table"));
  cache
    .command("verify")
    .description(
      "read every package back from the disk; wrong chunks are fetched again (stop the agent first)",
    )
    .requiredOption("--data <dir>", "the agent's data folder")
    .option("--json", "as JSON")
    .action(({ data, json }) => verifyCache(resolve(data), json === true));
  cache
    .command("remove")
    .description("remove a package from the disk (stop the agent first)")
    .argument("<name>")
    .argument("<version>")
    .requiredOption("--data <dir>", "the agent's data folder")
    .option("--json", "as JSON")
    .action((name, packageVersion, { data, json }) =>
      removeFromCache(resolve(data), name, packageVersion, json === true),
    );
}

/** Errors whose message is for a person. */
const expectedErrors = [
  SetupError,
  CacheError,
  AccessError,
  LanBusError,
  SourceError,
  ServiceError,
  UsageError,
] as const;

async function runAgent(program: AgentProgram, options: RunOptions & ServiceOption): Promise<void> {
  const as = supervision();
  const isService = options.service === true && as === null;
  const stopsService = connectService(serviceName, isService, finalStatuses);
  const logTail = new LogTail();
  const log = loggerOf(program, options, logTail);
  try {
    await runLogged(program, options, { log, logTail }, stopsService, as);
  } catch (error) {
    // Nobody reads the standard error of a service with a file for its log.
    if (options.logFile !== undefined)
      log.fatal({ error: error instanceof Error ? error.message : String(error) }, "the agent ends");
    throw error;
  }
}

async function runLogged(
  program: AgentProgram,
  options: RunOptions,
  { log, logTail }: { readonly log: Logger; readonly logTail: LogTail },
  stopsService: StopsService,
  as: SupervisedAs | null,
): Promise<void> {
  process.on("uncaughtException", (error) => exitOnBug(log, error));
  process.on("unhandledRejection", (error) => exitOnBug(log, error));
  const parsed = parseRunOptions(options);
  const imaging = parseImaging(options);
  const token = await readEnrolmentToken(options, log);
  const dataFolder = resolve(options.data);
  await prepareDataFolder(dataFolder);
  if (await finishPreparation(dataFolder, ({ level, event, message }) => log[level]({ event }, message)))
    log.warn("the preparation for an image was interrupted, and is finished now: this device enrols again");
  if (as === null && hasUpgradeUnderWay(dataFolder)) return supervise(dataFolder, log, stopsService);
  const stopping = new StopRequest(log);
  stopsService((by) => stopping.askFromOutside(by));
  if (as !== null) followSupervisor(() => stopping.ask("the supervisor"));
  if (options.interface !== undefined) await requireInterface(options.interface);
  let isUpgrading = false;
  const onBegin = (): void => {
    isUpgrading = true;
    stopping.ask("an upgrade");
  };
  const runOptions = {
    dataFolder,
    log,
    logTail,
    interfaceNamed: options.interface ?? null,
    ...parsed,
    volunteer: program.volunteer || options.volunteer === true,
    imaging,
    upgrades: upgradesOf({ dataFolder, program: program.name, isTrial: as === "trial", onBegin }),
    onCheckIn: () => {
      if (as === "trial" && isConfirmed(dataFolder, log)) stopping.ask("the end of the trial");
    },
    onBug: (error: Error) => exitOnBug(log, error),
  };
  // Each turn is a life under one identity. It ends when the source bars the credential.
  while (await runUntilBarred(runOptions, token, stopping));
  log.info("agent stopped");
  stopping.close();
  if (!isUpgrading || stopping.isFromOutside) process.exit(0);
  if (as !== null) process.exit(upgradeStatus);
  await supervise(dataFolder, log, stopsService);
}

/** @throws UsageError for a file that cannot be made */
function loggerOf({ name }: AgentProgram, { logFile }: RunOptions, { add: onLine }: LogTail): Logger {
  const path = logFile === undefined ? null : resolve(logFile);
  try {
    return createLogger(name, undefined, undefined, { path, onLine });
  } catch (error) {
    throw new UsageError(`The log cannot be written: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Runs the agent until it is asked to stop.
 * @returns whether the source barred the credential; the ledger then has the reason
 * @throws BarredError when it has barred the credential for good
 */
async function runUntilBarred(
  runOptions: Omit<AgentOptions, "cache" | "identity" | "conditions" | "onBarred">,
  token: EnrolmentToken,
  stopping: StopRequest,
): Promise<boolean> {
  const { dataFolder, log, sourceUrl, allowsPlainHttp } = runOptions;
  const cache = await openFreeCache(dataFolder, log);
  const identity = await identify({
    dataFolder,
    cache,
    sourceUrl,
    allowsPlainHttp,
    token: token.text,
    isImaging: runOptions.imaging !== null,
    tokenProblem: token.text === null ? token.problem : null,
    log,
    signal: stopping.signal,
    random: Math.random,
  });
  const barred = Promise.withResolvers<BarCode>();
  const agent = new Agent({
    ...runOptions,
    conditions: await ConditionsReader.open(dataFolder),
    cache,
    identity,
    onBarred: barred.resolve,
  });
  await agent.start();
  const code = await Promise.race([stopping.asked, barred.promise]);
  if (code !== undefined) {
    saveBar(cache, code, systemClock.wallMs());
    log.error({ deviceId: identity.deviceId, code }, barText(code, dataFolder));
  }
  await agent.stop();
  return code !== undefined;
}

/** Whether this executable was started in the middle of its upgrade. */
function hasUpgradeUnderWay(dataFolder: string): boolean {
  const state = readUpgrade(dataFolder);
  return buildTarget !== null && state !== null && isUnderWay(state);
}

/** Runs the agent as a child of this process; exits with its status. */
async function supervise(dataFolder: string, log: Logger, stopsService: StopsService): Promise<never> {
  const words = process.argv.slice(2);
  const supervisor = new Supervisor({ dataFolder, executable: ownPath, words, log });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => supervisor.stop());
  stopsService(() => supervisor.stop());
  return process.exit(await supervisor.run());
}

/** Upper bound on the end of an agent whose supervisor was killed. */
const orphanMsMax = 5_000;

/**
 * Opens the cache, and waits for an agent that is about to end, because its supervisor has ended.
 */
async function openFreeCache(dataFolder: string, log: Logger): Promise<DistributionCache> {
  const waitsUntilMs = performance.now() + (readUpgrade(dataFolder) === null ? 0 : orphanMsMax);
  for (;;) {
    try {
      return await openCache({
        dir: dataFolder,
        maxBytes: null,
        maxAgeMs: null,
        clock: systemClock,
        log: ({ level, event, message }) => log[level]({ event }, message),
      });
    } catch (error) {
      const isLocked = error instanceof CacheError && error.code === "locked";
      if (!isLocked || performance.now() >= waitsUntilMs) throw error;
      await Bun.sleep(100);
    }
  }
}

/** Notes that the new version has checked in. The next check-in tries again if that fails. */
function isConfirmed(dataFolder: string, log: Logger): boolean {
  try {
    return confirmTrial(dataFolder);
  } catch (error) {
    log.error({ error: String(error) }, "the check-in of this new version was not noted");
    return false;
  }
}

/**
 * Accepts an interface that has no address yet, because it may get one later.
 * @throws SetupError that lists the interfaces of this device
 */
async function requireInterface(named: string): Promise<void> {
  const known = await listInterfaces();
  if (known.some(({ name, address }) => name === named || address === named)) return;
  const choices = known
    .filter(({ address }) => address !== "")
    .map(({ name, address }) => `${name} (${address})`);
  throw new SetupError(
    `No interface of this device is "${named}" or has that address: choose one of ${choices.join(", ") || "none"}`,
  );
}
