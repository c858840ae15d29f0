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
import { version } from "../version.ts";
import { createSourceApp } from "./app.ts";
import { clientAddress, type TrustedProxies } from "./client-address.ts";
import { openContentStore } from "./content-store.ts";
import type { SourceContext } from "./context.ts";
import { ManifestGrants } from "./manifest-grants.ts";
import { FallbackTokens } from "./fallback-tokens.ts";
import { isLoopback, localUrl, type Listen, type Tls } from "./listen.ts";
import { createSourceMetrics } from "./metrics.ts";
import { startRetention } from "./retention.ts";
import { loadOrCreateTokens } from "./token-files.ts";
import { NotedTasks } from "./noted-tasks.ts";
import { startTaskEnds } from "./task-ends.ts";
import { ChangeHub } from "./change-hub.ts";
import { DuplicateWatch } from "./duplicate-watch.ts";
import { NeighbourProbes } from "./neighbour-probes.ts";
import { WanMeter } from "./wan-meter.ts";

/** Time for requests in flight at the stop, so that the whole stop takes less than 5 s. */
const drainMs = 2_000;
const idleSeconds = 120;

type SourceOptions = {
  readonly dataDir: string;
  readonly listen: Listen;
  readonly tls?: Tls | undefined;
  readonly trustedProxies?: TrustedProxies | undefined;
  /** Newest versions of a package that stay; null: all. */
  readonly keepVersions?: number | null;
  readonly log: Logger;
};
export type RunningSource = {
  readonly url: string;
  /** Stops cleanly: closes the streams, writes the WAN account and closes the catalog. */
  stop(): Promise<void>;
};

/**
 * Starts a source on a data folder.
 *
 * @throws Error that names the folder, file or port, and what to do
 */
export async function startSource(options: SourceOptions): Promise<RunningSource> {
  const { tls, log } = options;
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o750 }).catch((error: Error) => {
    throw new Error(`Cannot use the data folder "${dataDir}": ${error.message}`, { cause: error });
  });
  const catalog = await openSqliteCatalog(join(dataDir, dataFiles.catalog.name));
  let context: SourceContext;
  let server: Bun.Server<undefined>;
  try {
    context = await openContext(dataDir, catalog, options);
    server = listen(context, options);
  } catch (error) {
    catalog.close();
    throw error;
  }
  const url = localUrl(options.listen.host, server.port ?? 0, tls !== undefined);
  const urlFile = join(dataDir, dataFiles.url.name);
  await writeFile(urlFile, `${url}\n`);
  log.info({ url, dataDir, version, deployment: catalog.deployment, tls: tls !== undefined }, "listening");
  if (tls === undefined && !isLoopback(options.listen.host)) {
    log.warn(
      { url },
      "no TLS on a non-loopback address: credentials and task keys are sent in clear; use --tls-cert and --tls-key",
    );
  }
  await warnOfMissingContent(context);
  const stopRetention = startRetention(context);
  const stopEnds = startTaskEnds(context);
  return {
    url,
    stop: () => {
      stopRetention();
      stopEnds();
      return stop(context, server, urlFile);
    },
  };
}

const random = (count: number): Uint8Array => new Uint8Array(randomBytes(count));

async function openContext(
  dataDir: string,
  catalog: Catalog,
  { tls, log, keepVersions = null }: SourceOptions,
): Promise<SourceContext> {
  const secrets = await loadOrCreateTokens(dataDir, tls?.fingerprint ?? null, random);
  const content = await openContentStore(join(dataDir, dataFiles.packages.name));
  const changeHub = new ChangeHub((await catalog.devices.list()).length);
  await removeSnapshots(dataDir);
  return {
    dataFolder: dataDir,
    catalog,
    content,
    changeHub,
    wan: new WanMeter(catalog.wan, log, Date.now),
    fallback: new FallbackTokens(),
    manifests: new ManifestGrants(Math.random),
    probes: new NeighbourProbes(random),
    duplicates: new DuplicateWatch(),
    noted: new NotedTasks(),
    metrics: createSourceMetrics(catalog, changeHub),
    log,
    secrets,
    keepVersions,
    nowMs: Date.now,
    randomBytes: random,
  };
}

function listen(context: SourceContext, options: SourceOptions): Bun.Server<undefined> {
  const { tls, trustedProxies = [] } = options;
  const { host, port } = options.listen;
  const app = createSourceApp(context);
  try {
    return Bun.serve({
      hostname: host,
      port,
      idleTimeout: idleSeconds,
      // Packages have any size; the routes limit every other body.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key } }),
      fetch: (request, server) =>
        app.fetch(request, {
          remoteAddress: clientAddress(
            server.requestIP(request)?.address ?? "",
            request.headers,
            trustedProxies,
          ),
          allowIdle: (seconds: number) => server.timeout(request, seconds),
        }),
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === "EADDRINUSE"
        ? "another program uses this port; choose another one, or 0 for a free one"
        : code === "EACCES"
          ? "permission denied; ports below 1024 need privileges"
          : message;
    throw new Error(`Cannot listen on ${host}:${port}: ${why}`, { cause: error });
  }
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

async function stop(context: SourceContext, server: Bun.Server<undefined>, urlFile: string): Promise<void> {
  context.changeHub.close();
  await Promise.race([server.stop(), Bun.sleep(drainMs)]);
  await server.stop(true);
  await context.wan.close();
  context.catalog.close();
  await rm(urlFile, { force: true });
  context.log.info("stopped");
}
