/**
 * Command `serve`: runs the source until SIGTERM or SIGINT. Standard output stays empty; the URL is
 * in the log and in DIR/source.url.
 */
import { resolve } from "node:path";
import { createLogger, type Logger } from "../../log.ts";
import { parseCertificateName } from "../certificate-names.ts";
import { actorFields } from "../acting.ts";
import { parseTrustedProxies } from "../client-address.ts";
import { parseDurationMs } from "../../model/quantity.ts";
import type { BootPlace } from "../boot/boot-listener.ts";
import { connectService, type StopsService } from "../../service/connection.ts";
import { parseListen } from "../listen.ts";
import { parseNetworks } from "../webhooks/egress.ts";
import { consolePortDefault, type ConsolePort } from "../console/console-listener.ts";
import { startSource } from "../server.ts";
import type { TlsChoice } from "../serving-certificate.ts";
import { CommandError, exitStatusOf, usage } from "./command-error.ts";

/** Time after which a stop that hangs exits with status 1. A clean stop takes less. */
const endMs = 4_500;

export type ServeOptions = {
  readonly data: string;
  readonly listen: string;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  /** False for `--no-tls`. */
  readonly tls: boolean;
  readonly name?: readonly string[] | undefined;
  readonly consolePort?: string | undefined;
  readonly trustedProxy?: readonly string[] | undefined;
  readonly keepVersions?: string | undefined;
  readonly approveTakeovers?: true | undefined;
  readonly acceptDeviceGroups?: true | undefined;
  readonly auditAge: string;
  readonly webhookNetwork?: readonly string[] | undefined;
  readonly publishNetwork?: readonly string[] | undefined;
  readonly pendingImaging?: true | undefined;
  readonly bootListen?: string | undefined;
  readonly bootDir?: string | undefined;
  readonly logFile?: string | undefined;
  /** The service manager of Windows has started the program. */
  readonly service?: true | undefined;
};

/** After a wrong command line another start changes nothing. */
export const serviceFinalStatuses = [2] as const;

function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new Error(`--keep-versions "${text}" is not a number of versions: write for example 5`);
}

/** @throws CommandError for options that contradict each other */
function tlsChoice({ tls, tlsCert, tlsKey, name = [] }: ServeOptions): TlsChoice {
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new CommandError("--tls-cert and --tls-key belong together: give both or none", 2);
  const names = usage(() => name.map(parseCertificateName));
  if (!tls && tlsCert !== undefined)
    throw new CommandError("--no-tls and --tls-cert exclude each other: give one", 2);
  if (names.length > 0 && (!tls || tlsCert !== undefined))
    throw new CommandError(
      "--name is for the certificate that the source issues itself: drop it, or --no-tls and --tls-cert",
      2,
    );
  if (!tls) return { kind: "none" };
  return tlsCert === undefined || tlsKey === undefined
    ? { kind: "own", names }
    : { kind: "files", certFile: tlsCert, keyFile: tlsKey };
}

/**
 * Returns the port of the console on loopback. A source on a free port takes a free one for it too.
 * @throws CommandError for another text, and without TLS
 */
function consolePortOf({ consolePort: text, tls }: ServeOptions, listenPort: number): ConsolePort {
  if (text === undefined)
    return tls ? { port: listenPort === 0 ? 0 : consolePortDefault, isChosen: false } : null;
  if (text === "off") return null;
  if (!tls)
    throw new CommandError(
      "--console-port is in addition to TLS: with --no-tls the console is at --listen",
      2,
    );
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return { port: Number(text), isChosen: true };
  throw new CommandError(`--console-port "${text}" is not a port: write for example 7444, or off`, 2);
}

function parseAuditAge(text: string): number {
  const ageMs = parseDurationMs(text);
  if (ageMs >= 86_400_000) return ageMs;
  throw new Error(`--audit-age "${text}" is shorter than a day: write for example 400d`);
}

/** @throws CommandError for --boot-dir alone, and for an address that is none */
function bootPlaceOf({ bootListen, bootDir }: ServeOptions): BootPlace | null {
  if (bootListen === undefined) {
    if (bootDir === undefined) return null;
    throw new CommandError("--boot-dir is for --boot-listen HOST:PORT, where its files are served", 2);
  }
  const listen = usage(() => parseListen(bootListen));
  return { listen, folder: bootDir === undefined ? null : resolve(bootDir) };
}

/** @throws CommandError for an option that has no meaning */
export function parseServeOptions(options: ServeOptions) {
  const listen = usage(() => parseListen(options.listen));
  return {
    listen,
    consolePort: consolePortOf(options, listen.port),
    publishNetworks: usage(() => parseNetworks(options.publishNetwork ?? [])),
    trustedProxies: usage(() => parseTrustedProxies(options.trustedProxy ?? [])),
    webhookNetworks: usage(() => parseNetworks(options.webhookNetwork ?? [])),
    tls: tlsChoice(options),
    keepVersions: options.keepVersions === undefined ? null : usage(() => parseCount(options.keepVersions!)),
    boot: bootPlaceOf(options),
    auditAgeMs: usage(() => parseAuditAge(options.auditAge)),
  };
}

/** @throws CommandError for a file that cannot be made */
const loggerOf = ({ logFile }: ServeOptions): Logger =>
  usage(() =>
    createLogger("source", undefined, actorFields, { path: logFile === undefined ? null : resolve(logFile) }),
  );

export async function serve(options: ServeOptions): Promise<void> {
  if (options.service !== true) return serveWith(options, () => {});
  const stopsService = connectService("flockcast-source", true, serviceFinalStatuses);
  // The thread of the service manager would keep the process, also after a start that failed.
  const status = await serveWith(options, stopsService).then(() => 0, exitStatusOf);
  process.exit(status);
}

async function serveWith(options: ServeOptions, stopsService: StopsService): Promise<void> {
  const parsed = parseServeOptions(options);
  const log = loggerOf(options);
  try {
    await serveLogged(options, parsed, log, stopsService);
  } catch (error) {
    // Nobody reads the standard error of a service.
    if (options.logFile !== undefined || options.service === true)
      log.fatal({ error: error instanceof Error ? error.message : String(error) }, "the source ends");
    throw error;
  }
}

async function serveLogged(
  options: ServeOptions,
  parsed: ReturnType<typeof parseServeOptions>,
  log: Logger,
  stopsService: StopsService,
): Promise<void> {
  const ended = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => ended.resolve(signal));
  stopsService((by) => ended.resolve(by));
  const acceptsWishes = options.acceptDeviceGroups === true;
  if (acceptsWishes)
    log.warn(
      "--accept-device-groups: any device can put itself into a group, and gets its packages: for labs",
    );
  const approvesTakeovers = options.approveTakeovers === true;
  const source = await startSource({
    dataDir: options.data,
    ...parsed,
    approvesTakeovers,
    acceptsWishes,
    acceptsPendingImaging: options.pendingImaging === true,
    log,
  });
  const by = await ended.promise;
  log.info({ by }, "stopping");
  setTimeout(() => {
    log.error("did not stop in time: exiting");
    process.exit(1);
  }, endMs).unref();
  await source.stop();
}
