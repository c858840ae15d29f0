/**
 * Running source: data folder, catalog and listening port, from start to clean stop. The API is in
 * app.ts.
 */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Hono } from "hono";
import { openSqliteCatalog, type Catalog } from "./catalog/index.ts";
import {
  checkBootFolder,
  openBootListener,
  type BootListener,
  type BootPlace,
} from "./boot/boot-listener.ts";
import { removeSnapshots } from "./backup/backup.ts";
import { dataFiles } from "./data-files.ts";
import { bootFolderName } from "./boot/boot-files.ts";
import type { Logger } from "../log.ts";
import { isLoopback } from "../model/loopback.ts";
import { identityFingerprint } from "../model/source-statement.ts";
import {
  AccessError,
  ensurePrivateFolder,
  narrowFiles,
  writePrivateFile,
} from "../platform/private-files.ts";
import { version } from "../version.ts";
import { createSourceApp } from "./app.ts";
import type { TrustedProxies } from "./client-address.ts";
import { openContentStore } from "./content-store.ts";
import { openConsole, type ConsoleListener, type ConsolePort } from "./console/console-listener.ts";
import type { SourceContext, SourceEnv } from "./context.ts";
import { ManifestGrants } from "./manifest-grants.ts";
import { FallbackTokens } from "./fallback-tokens.ts";
import { loadOrCreateIdentityKey } from "./identity-key.ts";
import { localUrl, type Listen, type Tls } from "./listen.ts";
import { Listener } from "./listener.ts";
import { createSourceMetrics } from "./metrics.ts";
import { Publications } from "./publishing/publications.ts";
import { enrolmentLimits } from "./rate-limit.ts";
import { RefusalAudit } from "./refusal-audit.ts";
import { RefusedRequests } from "./refused-requests.ts";
import { openEventFeed } from "./event-feed.ts";
import { startIndexUpkeep } from "./index-upkeep.ts";
import { EnrolmentWatch } from "./enrolment-watch.ts";
import { removeExpired, startRetention } from "./retention.ts";
import { openServingCertificate, type ServingCertificate, type TlsChoice } from "./serving-certificate.ts";
import { browserUrl, offerSetUp } from "./sign-in/set-up.ts";
import { createSignIn } from "./sign-in/sign-in.ts";
import { openTokenFiles, renewTokenFiles } from "./token-files.ts";
import { Orders } from "./trust/orders.ts";
import { SourceTrust } from "./trust/source-trust.ts";
import { Liveness } from "./liveness.ts";
import { endImagingDevices } from "./imaging-devices.ts";
import { NotedTasks } from "./noted-tasks.ts";
import { endAllTasks, startTaskEnds } from "./task-ends.ts";
import { ChangeHub } from "./change-hub.ts";
import { removeOldLogs } from "./device-log-life.ts";
import { DuplicateWatch } from "./duplicate-watch.ts";
import { NeighbourProbes } from "./neighbour-probes.ts";
import { TaskCounts } from "./task-counts.ts";
import { startDeliveries } from "./webhooks/deliveries.ts";
import type { AllowedNetworks } from "./webhooks/egress.ts";
import { startWakeRounds } from "./wake-rounds.ts";
import { WakeRequests } from "./wake-requests.ts";
import { WanMeter } from "./wan-meter.ts";

/** Time for requests in flight at the stop, so that the whole stop takes less than 5 s. */
const drainMs = 2_000;
const auditAgeDefaultMs = 400 * 86_400_000;
/** Interval at which counts of refused requests, and logs of devices, are looked at. */
const smallWorkEveryMs = 60_000;

type SourceOptions = {
  readonly dataDir: string;
  readonly listen: Listen;
  /** Default: a certificate that the source issues itself. */
  readonly tls?: TlsChoice | undefined;
  readonly trustedProxies?: TrustedProxies | undefined;
  /** Port of the console on loopback, if there is TLS; default: none. */
  readonly consolePort?: ConsolePort;
  /** Newest versions of a package that stay; null: all. */
  readonly keepVersions?: number | null;
  /** Whether a device that is installed again with enroll.token needs no approval. */
  readonly approvesTakeovers?: boolean;
  /** Age at which rows of the audit are removed; default: 400 days. */
  readonly auditAgeMs?: number;
  /** Whether groups that devices state themselves count as tags. */
  readonly acceptsWishes?: boolean;
  /** Whether machines that get an image may enrol without a token, and wait for an approval. */
  readonly acceptsPendingImaging?: boolean;
  /** Networks beyond the public ones to which webhooks may go; default: none. */
  readonly webhookNetworks?: AllowedNetworks;
  /** Networks that are not public from which packages may be published by URL; default: none. */
  readonly publishNetworks?: AllowedNetworks;
  /** Port and folder of the boot files; default: none are served. */
  readonly boot?: BootPlace | null;
  readonly log: Logger;
  /** Wall time of every record; default: the system's clock. Timers run by the system's clock. */
  readonly nowMs?: () => number;
  /** Whether timers do the periodic work; a source on another clock waits for the call. */
  readonly worksOnTimers?: boolean;
};
const ownTls: TlsChoice = { kind: "own", names: [] };

export type RunningSource = {
  readonly url: string;
  /** Console on loopback; null: there is none. */
  readonly consoleUrl: string | null;
  /** Address of the boot files; null: none are served. */
  readonly bootUrl: string | null;
  /**
   * Does at once the work that timers do in a day: ends tasks, removes old records, and renews the
   * certificate.
   */
  doPeriodicWork(): Promise<void>;
  /** Stops cleanly: closes the streams, writes the WAN account and closes the catalog. */
  stop(): Promise<void>;
};

/**
 * Starts a source on a data folder.
 *
 * @throws Error that names the folder, file or port, and what to do
 */
export async function startSource(options: SourceOptions): Promise<RunningSource> {
  const { tls: choice = ownTls, trustedProxies = [], listen, log, nowMs = Date.now } = options;
  const dataDir = resolve(options.dataDir);
  const place = { dataDir, listen, nowMs, log };
  // Given files are read before anything is created; the own certificate is stored in the folder.
  const given = choice.kind === "own" ? null : await openServingCertificate(choice, place);
  const bootFolder = options.boot?.folder ?? join(dataDir, bootFolderName);
  if (options.boot) await checkBootFolder(bootFolder);
  await prepareSourceFolder(dataDir);
  const catalog = await openSqliteCatalog(join(dataDir, dataFiles.catalog.name), undefined, options.nowMs);
  let context: SourceContext;
  let listener: Listener;
  let others: OtherListeners;
  let certificate: ServingCertificate;
  try {
    context = await openContext(dataDir, catalog, options);
    certificate = given ?? (await openServingCertificate(choice, place));
    const { tls } = certificate;
    const app = createSourceApp(context);
    listener = new Listener({ app, listen, tls, trustedProxies, log });
    others = openOthers(app, listener, { context, bootFolder, options });
  } catch (error) {
    catalog.close();
    throw error;
  }
  const hasTls = certificate.tls !== undefined;
  const url = localUrl(listen.host, listener.port, hasTls);
  const urlFile = join(dataDir, dataFiles.url.name);
  await writePrivateFile(urlFile, `${url}\n`);
  const names = choice.kind === "own" ? choice.names : [];
  const reached = { host: listen.host, port: listener.port, hasTls, names };
  Object.assign(context.addresses, { source: browserUrl(reached), console: others.loopback?.url ?? null });
  logStart(context, url, listen.host, hasTls);
  await catalog.audit.note({ method: "source.start", object: `source ${version}`, after: { url } });
  await offerSetUp(context);
  await warnOfMissingContent(context);
  const stopDeliveries = startDeliveries(context);
  const stopUpkeep = startUpkeep(context, options.worksOnTimers !== false);
  const replace = (changed: Tls): Promise<void> => listener.replaceTls(changed);
  certificate.watch(replace);
  return {
    url,
    consoleUrl: context.addresses.console,
    bootUrl: others.boot?.url ?? null,
    async doPeriodicWork() {
      await endAllTasks(context);
      await removeExpired(context);
      await endImagingDevices(context);
      await certificate.renew(replace);
    },
    stop: async () => {
      await stopDeliveries();
      stopUpkeep();
      certificate.close();
      return stop(context, [listener, ...Object.values(others).filter((one) => one !== null)], urlFile);
    },
  };
}

type OtherListeners = { readonly loopback: ConsoleListener | null; readonly boot: BootListener | null };

/**
 * Opens the console on loopback, in addition to TLS, and the port of the boot files. Without TLS
 * the source itself is the console's port.
 * @throws Error for a port that a person named; the listener is closed then
 */
function openOthers(
  app: Hono<SourceEnv>,
  listener: Listener,
  of: { context: SourceContext; bootFolder: string; options: SourceOptions },
): OtherListeners {
  const { tls = ownTls, consolePort = null, boot = null, log } = of.options;
  const requests = of.context.metrics.bootRequests;
  let loopback: ConsoleListener | null = null;
  try {
    if (tls.kind !== "none") loopback = openConsole({ app, choice: consolePort, log });
    if (boot === null) return { loopback, boot };
    return {
      loopback,
      boot: openBootListener({ listen: boot.listen, folder: of.bootFolder, requests, log }),
    };
  } catch (error) {
    void listener.stop(0);
    void loopback?.stop(0);
    throw error;
  }
}

/** Starts the periodic work. @returns the function that ends it */
function startUpkeep(context: SourceContext, worksOnTimers: boolean): () => void {
  const stops = worksOnTimers
    ? [startRetention(context), startTaskEnds(context), startWakeRounds(context)]
    : [];
  stops.push(startIndexUpkeep(context));
  const small = setInterval(() => doSmallWork(context), smallWorkEveryMs);
  small.unref();
  return () => {
    clearInterval(small);
    for (const end of stops) end();
  };
}

/** Writes counts of refused requests that are of an hour, and ends logs and imaging machines. */
function doSmallWork(context: SourceContext): void {
  context.refusalAudit.flush(context.nowMs());
  removeOldLogs(context).catch((error: unknown) =>
    context.log.error({ err: error }, "cannot remove the logs of devices"),
  );
  endImagingDevices(context).catch((error: unknown) =>
    context.log.error({ err: error }, "cannot remove the machines that got an image"),
  );
}

function logStart(context: SourceContext, url: string, host: string, tls: boolean): void {
  const { catalog, log, dataFolder: dataDir, trust } = context;
  const identity = identityFingerprint(context.identityKey.publicKey);
  const roots = { roots: trust.root, holdsKeys: trust.file.embedded };
  const { console: consoleUrl } = context.addresses;
  const places = { url, ...(consoleUrl === null ? {} : { console: consoleUrl }), dataDir };
  log.info({ ...places, version, deployment: catalog.deployment, identity, ...roots, tls }, "listening");
  if (tls || isLoopback(host)) return;
  log.warn(
    { url },
    "no TLS on a non-loopback address: credentials and task keys are sent in clear; drop --no-tls, unless a proxy ends TLS on a network that you trust",
  );
}

/** Files by which a data folder is known. A service has its log before the others. */
const ownNames = [dataFiles.catalog.name, dataFiles.identityKey.name, "log/flockcast-source.log"];

/** Creates the data folder for its user alone. Restored files with a wider mode are narrowed. */
export async function prepareSourceFolder(dataDir: string): Promise<void> {
  try {
    await ensurePrivateFolder(dataDir, "data folder", ownNames);
    narrowFiles(dataDir);
  } catch (error) {
    if (error instanceof AccessError) throw error;
    throw new Error(`Cannot use the data folder "${dataDir}": ${(error as Error).message}`, { cause: error });
  }
}

const random = (count: number): Uint8Array => new Uint8Array(randomBytes(count));

/** Returns what the source knows of devices in this run only. */
const inMemory = (changeHub: ChangeHub) => ({
  fallback: new FallbackTokens(),
  manifests: new ManifestGrants(Math.random),
  probes: new NeighbourProbes(random),
  wakeRequests: new WakeRequests(random),
  duplicates: new DuplicateWatch(),
  liveness: new Liveness(changeHub),
  noted: new NotedTasks(),
});

async function openContext(
  dataDir: string,
  catalog: Catalog,
  options: SourceOptions,
): Promise<SourceContext> {
  const { log, keepVersions = null, approvesTakeovers = false, acceptsWishes = false } = options;
  const { nowMs = Date.now, auditAgeMs = auditAgeDefaultMs } = options;
  const identityKey = await loadOrCreateIdentityKey(dataDir);
  const content = await openContentStore(join(dataDir, dataFiles.packages.name));
  const changeHub = new ChangeHub(await catalog.devices.count(), nowMs());
  const metrics = createSourceMetrics(catalog, changeHub);
  const events = openEventFeed(catalog);
  const trust = await SourceTrust.open({ catalog, dataFolder: dataDir, nowMs, log });
  const orders = new Orders({ catalog, trust, nowMs });
  await orders.signAll();
  const identity = identityFingerprint(identityKey.publicKey);
  const tokenFiles = { folder: dataDir, identity, log };
  await openTokenFiles({
    ...tokenFiles,
    tokens: catalog.tokens,
    root: trust.root,
    approvesTakeovers,
    randomBytes: random,
    nowMs,
  });
  await removeSnapshots(dataDir);
  return {
    dataFolder: dataDir,
    catalog,
    content,
    changeHub,
    events,
    counts: new TaskCounts({ catalog, changeHub, acceptsWishes, nowMs, log }),
    identityKey,
    trust,
    orders,
    onRoots: (root) => renewTokenFiles({ ...tokenFiles, root }),
    refused: new RefusedRequests(metrics.registry, log),
    refusalAudit: new RefusalAudit(catalog.audit, log),
    signIn: createSignIn(random),
    addresses: { source: "", console: null },
    certificate: (options.tls ?? ownTls).kind,
    enrolmentWatch: new EnrolmentWatch(metrics.registry, log),
    wan: new WanMeter(catalog.wan, log, nowMs),
    ...inMemory(changeHub),
    metrics,
    log,
    enrolments: enrolmentLimits(),
    keepVersions,
    auditAgeMs,
    acceptsWishes,
    acceptsPendingImaging: options.acceptsPendingImaging ?? false,
    webhookNetworks: options.webhookNetworks ?? [],
    publishNetworks: options.publishNetworks ?? [],
    publications: new Publications({ events, randomBytes: random, nowMs }),
    nowMs,
    randomBytes: random,
  };
}

async function warnOfMissingContent({ catalog, content, log }: SourceContext): Promise<void> {
  for (const { id, name, version: packageVersion, sizeBytes, urls, state } of await catalog.packages.list()) {
    if (urls.length > 0 || state !== "ready" || (await content.has(id, sizeBytes))) continue;
    log.error(
      { packageId: id, name, version: packageVersion },
      "the bytes of a published package are missing: publish it again",
    );
  }
}

type Listening = Pick<Listener, "stop">;

async function stop(context: SourceContext, listeners: readonly Listening[], urlFile: string): Promise<void> {
  // Connected devices were seen until now.
  await context.catalog.devices.touch(context.changeHub.connectedIds, context.nowMs());
  await context.publications.close();
  context.changeHub.close();
  context.events.close();
  context.counts.close();
  await Promise.all(listeners.map((one) => one.stop(drainMs)));
  await context.wan.close();
  context.refusalAudit.flush(context.nowMs(), true);
  context.catalog.close();
  await rm(urlFile, { force: true });
  context.log.info("stopped");
}
