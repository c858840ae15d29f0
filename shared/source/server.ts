/**
 * Running source: data folder, catalog and listening port, from start to clean stop. The API is in
 * app.ts.
 */
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openSqliteCatalog, type Catalog } from "./catalog/index.ts";
import { removeSnapshots } from "./backup/backup.ts";
import { dataFiles } from "./data-files.ts";
import type { Logger } from "../log.ts";
import { identityFingerprint } from "../model/source-statement.ts";
import { version } from "../version.ts";
import { createSourceApp } from "./app.ts";
import type { TrustedProxies } from "./client-address.ts";
import { openContentStore } from "./content-store.ts";
import type { SourceContext } from "./context.ts";
import { ManifestGrants } from "./manifest-grants.ts";
import { FallbackTokens } from "./fallback-tokens.ts";
import { loadOrCreateIdentityKey } from "./identity-key.ts";
import { isLoopback, loadTls, localUrl, type Listen } from "./listen.ts";
import { Listener } from "./listener.ts";
import { createSourceMetrics } from "./metrics.ts";
import { RefusedRequests } from "./refused-requests.ts";
import { EnrolmentWatch } from "./enrolment-watch.ts";
import { removeExpired, startRetention } from "./retention.ts";
import { watchTlsFiles } from "./tls-files.ts";
import { loadOrCreateTokens } from "./token-files.ts";
import { Liveness } from "./liveness.ts";
import { NotedTasks } from "./noted-tasks.ts";
import { endAllTasks, startTaskEnds } from "./task-ends.ts";
import { ChangeHub } from "./change-hub.ts";
import { DuplicateWatch } from "./duplicate-watch.ts";
import { NeighbourProbes } from "./neighbour-probes.ts";
import { WanMeter } from "./wan-meter.ts";

/** Time for requests in flight at the stop, so that the whole stop takes less than 5 s. */
const drainMs = 2_000;

export type TlsFiles = { readonly certFile: string; readonly keyFile: string };
type SourceOptions = {
  readonly dataDir: string;
  readonly listen: Listen;
  /** Files of certificate and key, read again when they change. */
  readonly tlsFiles?: TlsFiles | undefined;
  readonly trustedProxies?: TrustedProxies | undefined;
  /** Newest versions of a package that stay; null: all. */
  readonly keepVersions?: number | null;
  /** Whether a device that was installed again needs no approval. */
  readonly approvesTakeovers?: boolean;
  /** Whether groups that devices state themselves count as tags. */
  readonly acceptsWishes?: boolean;
  readonly log: Logger;
  /** Wall time of every record; default: the system's clock. Timers run by the system's clock. */
  readonly nowMs?: () => number;
};
export type RunningSource = {
  readonly url: string;
  /** Does at once the work that timers do in a day: ends tasks, and removes old records. */
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
  const { tlsFiles, trustedProxies = [], listen, log } = options;
  const tls = tlsFiles && (await loadTls(tlsFiles.certFile, tlsFiles.keyFile));
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o750 }).catch((error: Error) => {
    throw new Error(`Cannot use the data folder "${dataDir}": ${error.message}`, { cause: error });
  });
  const catalog = await openSqliteCatalog(join(dataDir, dataFiles.catalog.name));
  let context: SourceContext;
  let listener: Listener;
  try {
    context = await openContext(dataDir, catalog, options);
    listener = new Listener({ app: createSourceApp(context), listen, tls, trustedProxies, log });
  } catch (error) {
    catalog.close();
    throw error;
  }
  const url = localUrl(listen.host, listener.port, tls !== undefined);
  const urlFile = join(dataDir, dataFiles.url.name);
  await writeFile(urlFile, `${url}\n`);
  const identity = identityFingerprint(context.identityKey.publicKey);
  log.info(
    { url, dataDir, version, deployment: catalog.deployment, identity, tls: tls !== undefined },
    "listening",
  );
  if (tls === undefined && !isLoopback(listen.host)) {
    log.warn(
      { url },
      "no TLS on a non-loopback address: credentials and task keys are sent in clear; use --tls-cert and --tls-key",
    );
  }
  await warnOfMissingContent(context);
  const stopRetention = startRetention(context);
  const stopEnds = startTaskEnds(context);
  const stopTls = tlsFiles
    ? watchTlsFiles({ ...tlsFiles, onChange: (changed) => listener.replaceTls(changed), log })
    : () => {};
  return {
    url,
    async doPeriodicWork() {
      await endAllTasks(context);
      await removeExpired(context);
    },
    stop: () => {
      stopRetention();
      stopEnds();
      stopTls();
      return stop(context, listener, urlFile);
    },
  };
}

const random = (count: number): Uint8Array => new Uint8Array(randomBytes(count));

async function openContext(
  dataDir: string,
  catalog: Catalog,
  options: SourceOptions,
): Promise<SourceContext> {
  const { log, keepVersions = null, approvesTakeovers = false, acceptsWishes = false } = options;
  const { nowMs = Date.now } = options;
  const identityKey = await loadOrCreateIdentityKey(dataDir);
  const secrets = await loadOrCreateTokens(dataDir, identityFingerprint(identityKey.publicKey), random);
  const content = await openContentStore(join(dataDir, dataFiles.packages.name));
  const changeHub = new ChangeHub(await catalog.devices.count(), nowMs());
  const metrics = createSourceMetrics(catalog, changeHub);
  await removeSnapshots(dataDir);
  return {
    dataFolder: dataDir,
    catalog,
    content,
    changeHub,
    identityKey,
    refused: new RefusedRequests(metrics.registry, log),
    enrolments: new EnrolmentWatch(metrics.registry, log),
    wan: new WanMeter(catalog.wan, log, nowMs),
    fallback: new FallbackTokens(),
    manifests: new ManifestGrants(Math.random),
    probes: new NeighbourProbes(random),
    duplicates: new DuplicateWatch(),
    liveness: new Liveness(changeHub),
    noted: new NotedTasks(),
    metrics,
    log,
    secrets,
    keepVersions,
    approvesTakeovers,
    acceptsWishes,
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

async function stop(context: SourceContext, listener: Listener, urlFile: string): Promise<void> {
  // Connected devices were seen until now.
  await context.catalog.devices.touch(context.changeHub.connectedIds, context.nowMs());
  context.changeHub.close();
  await listener.stop(drainMs);
  await context.wan.close();
  context.catalog.close();
  await rm(urlFile, { force: true });
  context.log.info("stopped");
}
