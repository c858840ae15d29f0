/**
 * The commands `cache list`, `cache verify`, `cache remove` and `forget`, which inspect and change
 * the data folder of a device.
 */
import { existsSync } from "node:fs";
import { ledgerPath, openCache, openLedgerReadOnly, type DistributionCache } from "../cache/index.ts";
import { recordsCsv } from "../command-line/csv.ts";
import { formatSize } from "../model/quantity.ts";
import { assertReadable } from "../platform/private-files.ts";
import { systemClock } from "../platform/system-clock.ts";
import { saveBar, SetupError } from "./enrolment.ts";
import { printCsv, printJson, printLine, printLines, printNote } from "../standard-output.ts";
import { tableLines } from "../text-table.ts";

/** Prints the packages of the cache, as a table or as JSON. Works while an agent runs. */
export function listCache(dataFolder: string, as: "json" | "csv" | "table"): void {
  assertReadable(dataFolder);
  const ledger = openLedgerReadOnly(dataFolder);
  const packages = ledger
    .packages()
    .map(({ id, name, version, sizeBytes, bytesVerified, state, originBytes }) => ({
      id,
      name,
      version,
      sizeBytes,
      bytesVerified,
      state,
      from: originBytes,
    }));
  ledger.close();
  if (as === "json") return printJson(packages);
  if (as === "csv") return printCsv(recordsCsv(packages));
  if (packages.length === 0) return printLine("The cache is empty.");
  const rows = packages.map((held) => [
    held.name,
    held.version,
    held.state,
    `${formatSize(held.bytesVerified)} of ${formatSize(held.sizeBytes)}`,
    Object.entries(held.from)
      .filter(([, bytes]) => bytes > 0)
      .map(([origin, bytes]) => `${origin} ${formatSize(bytes)}`)
      .join(", "),
    held.id.slice(0, 12),
  ]);
  printLines(tableLines(["PACKAGE", "VERSION", "STATE", "VERIFIED", "FROM", "ID"], rows));
}

/** Reads every package back from the disk; sets exit status 1 if a chunk is wrong. */
export async function verifyCache(dataFolder: string, asJson: boolean): Promise<void> {
  await withCache(dataFolder, async (cache) => {
    const checks = await cache.verify();
    if (checks.some((check) => !check.ok)) process.exitCode = 1;
    if (asJson) return printJson(checks);
    for (const { name, version, ok, badChunks } of checks) {
      printLine(
        ok
          ? `${name} ${version}: verified`
          : `${name} ${version}: ${badChunks.length} chunks are wrong and will be fetched again`,
      );
    }
    if (checks.length === 0) printLine("The cache is empty.");
  });
}

/** @throws CacheError when the package is unknown or in use, or an agent runs on the folder */
export async function removeFromCache(
  dataFolder: string,
  name: string,
  version: string,
  asJson: boolean,
): Promise<void> {
  await withCache(dataFolder, async (cache) => {
    await cache.remove(name, version);
    if (asJson) printJson({ name, version });
    else printLine(`${name} ${version}: removed`);
  });
}

/** Forgets the identity at the source: the next start enrols again, also a removed device. */
export async function forgetIdentity(dataFolder: string, asJson: boolean): Promise<void> {
  await withCache(dataFolder, async (cache) => saveBar(cache, "forgotten", systemClock.wallMs()));
  if (asJson) printJson({ dataFolder, state: "forgotten" });
  else printLine("The identity is forgotten: run --enroll-file FILE enrols again.");
}

/** @throws SetupError, CacheError or AccessError with what to do */
export async function withCache(
  dataFolder: string,
  work: (cache: DistributionCache) => Promise<void>,
): Promise<void> {
  if (!existsSync(dataFolder))
    throw new SetupError(`There is no data folder "${dataFolder}": give the folder that the agent runs with`);
  assertReadable(dataFolder);
  // Opening the cache would create a ledger.
  if (!existsSync(ledgerPath(dataFolder)))
    throw new SetupError(`No agent ever ran on "${dataFolder}": give the folder that the agent runs with`);
  const cache = await openCache({
    dir: dataFolder,
    maxBytes: null,
    maxAgeMs: null,
    clock: systemClock,
    log: ({ level, message }) => {
      if (level !== "info") printNote(message);
    },
  });
  try {
    await work(cache);
  } finally {
    await cache.close();
  }
}
