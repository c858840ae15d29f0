/** Options of `run`, which `service install` takes too: their help, and their parsed values. */
import { Option, type Command } from "@commander-js/extra-typings";
import { parseSourceUrl } from "../api/agent-client.ts";
import { plainHttpFlag, plainHttpProblem } from "../api/plain-http.ts";
import { defaultLanPort } from "../net/exchange/server.ts";
import { parseDiskChoice } from "../model/image-order.ts";
import { defaultGroup, parseGroup } from "../net/lan/multicast-group.ts";
import { parseReceiveBuffer } from "../net/lan/receive-buffer.ts";
import type { Imaging } from "./agent-options.ts";
import { parseMetricsAddress } from "./status/metrics-server.ts";

export class UsageError extends Error {}

export type RunOptions = {
  source: string;
  allowPlainHttp?: true | undefined;
  enroll?: string | undefined;
  enrollFile?: string | undefined;
  data: string;
  interface?: string | undefined;
  group?: string | undefined;
  lanPort?: string | undefined;
  receiveBuffer?: string | undefined;
  metrics?: string | undefined;
  deviceGroup?: string[] | undefined;
  volunteer?: true | undefined;
  logFile?: string | undefined;
  /** An option of `run` alone: a service never writes an image over a disk. */
  imaging?: true | undefined;
  onlyTask?: string | undefined;
  onlyDisk?: string | undefined;
};

const dataText = "folder for the cache and the ledger";

/** @param dataFolder folder of the system's services, which need not be named; null: none */
export function addRunOptions(command: Command, dataFolder: string | null = null): void {
  command
    .addOption(
      new Option("--source <url>", "the source, for example https://source.example:7443")
        .env("FLOCKCAST_SOURCE")
        .makeOptionMandatory(),
    )
    .option(plainHttpFlag, "also use an http:// source on another machine: keys cross the network in clear")
    .option(
      "--enroll-file <file>",
      "file with the enrolment token, needed at the first start; - is the standard input (default: FLOCKCAST_ENROLL_FILE)",
    )
    .option("--enroll <token>", "the token itself, which every user of this machine can then read")
    .addOption(
      dataFolder === null
        ? new Option("--data <dir>", dataText).makeOptionMandatory()
        : new Option("--data <dir>", `${dataText} (default: ${dataFolder})`),
    )
    .option(
      "--interface <name or address>",
      "network interface to use, by its name or its IPv4 address (default: the best of the LAN, wired first)",
    )
    .option(
      "--group <address:port>",
      `multicast group (default ${defaultGroup.address}:${defaultGroup.port})`,
    )
    .option(
      "--lan-port <port>",
      `TCP port of the LAN exchange; 0: any free one (default ${defaultLanPort}, or a free one if it is taken)`,
    )
    .option(
      "--receive-buffer <size>",
      "kernel buffer for received multicast, for example 208KiB (default: 4MiB)",
    )
    .option(
      "--metrics <host:port>",
      "serve metrics for Prometheus to every user of this machine, for example on 127.0.0.1:9767 (default: off)",
    )
    .option("--device-group <name...>", "groups that this device wishes for; an administrator tags it")
    .option("--volunteer", "always volunteer as representative, as flockcast-representative does")
    .option(
      "--log-file <file>",
      "log to this file, which is rotated at 10 MiB, four times, instead of standard error",
    );
}

/** Adds the options of `run` alone: a service never writes an image over a disk. */
export function addImagingOptions(run: Command): void {
  run
    .option(
      "--imaging",
      "obey tasks that write an image to a disk; only for a machine that was started for that",
    )
    .option("--only-task <id>", "with --imaging: begin no other task")
    .option(
      "--only-disk <conditions>",
      "with --imaging: conditions on the disk in addition to those of the task, such as model=Samsung*,min=200GB",
    );
}

/** @throws UsageError */
export function parseImaging({ imaging, onlyTask, onlyDisk }: RunOptions): Imaging | null {
  if (imaging !== true) {
    if (onlyTask === undefined && onlyDisk === undefined) return null;
    throw new UsageError("--only-task and --only-disk are for --imaging");
  }
  if (onlyTask !== undefined && !/^[1-9]\d{0,14}$/.test(onlyTask))
    throw new UsageError(`"${onlyTask}" is not the number of a task: task list shows them`);
  return {
    onlyTask: onlyTask === undefined ? null : Number(onlyTask),
    onlyDisk: onlyDisk === undefined ? null : parseOption(() => parseDiskChoice(onlyDisk)),
  };
}

/** @throws UsageError */
export function parseRunOptions(options: RunOptions) {
  const allowsPlainHttp = options.allowPlainHttp === true;
  const sourceUrl = parseOption(() => parseSourceUrl(options.source));
  const problem = allowsPlainHttp ? null : plainHttpProblem(sourceUrl);
  if (problem !== null) throw new UsageError(problem);
  if (options.enroll !== undefined && options.enrollFile !== undefined)
    throw new UsageError("--enroll and --enroll-file are two ways to give one token: give --enroll-file");
  const groups = options.deviceGroup ?? [];
  for (const name of groups)
    if (!/^[\w.-]{1,64}$/.test(name))
      throw new UsageError(`"${name}" is not a group name: use letters, digits, _ . -`);
  return {
    sourceUrl,
    allowsPlainHttp,
    group: options.group === undefined ? defaultGroup : parseOption(() => parseGroup(options.group!)),
    groupIsNamed: options.group !== undefined,
    lanPort: parseOption(() => parseLanPort(options.lanPort)),
    receiveBufferBytes: parseOption(() => parseReceiveBuffer(options.receiveBuffer)),
    metrics: options.metrics === undefined ? null : parseOption(() => parseMetricsAddress(options.metrics!)),
    groups,
  };
}

function parseOption<T>(make: () => T, message?: string): T {
  try {
    return make();
  } catch (error) {
    throw new UsageError(message ?? (error instanceof Error ? error.message : String(error)), {
      cause: error,
    });
  }
}

function parseLanPort(text: string | undefined): number {
  if (text === undefined) return defaultLanPort;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new UsageError(`"${text}" is not a TCP port: write a number from 0 (any free port) to 65535`);
  return Number(text);
}
