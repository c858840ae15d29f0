/**
 * The command `prepare --for-image`: prepares the data folder of an installed agent for an image
 * (image-preparation.ts), verifies the cache, and prints what it removed and kept.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import {
  CacheError,
  ledgerPath,
  openLedgerReadOnly,
  prepareDataFolder,
  type LedgerReader,
} from "../cache/index.ts";
import { formatSize } from "../model/quantity.ts";
import { assertReadable } from "../platform/private-files.ts";
import { printJson, printLine, printNote } from "../standard-output.ts";
import { withCache } from "./cache-commands.ts";
import { SetupError } from "./enrolment.ts";
import { foreignEntries, prepareImage, tokenIn } from "./image-preparation.ts";
import { isUnderWay, readUpgrade } from "./upgrade/upgrade-state.ts";

/** @param folder data folder of the service */
export function addPrepare(program: Command, folder: string): void {
  program
    .command("prepare")
    .description("remove the identity and keep the cache, so that each copy enrols as a device of its own")
    .requiredOption("--for-image", "make the data folder ready for an image (stop the service first)")
    .option("--data <dir>", "the agent's data folder", folder)
    .option("--json", "as JSON")
    .action(({ data, json }) => runPrepare(resolve(data), json === true));
}

type DeviceState = { readonly device: string | null; readonly source: string | null; readonly tasks: number };
type KeptPackage = {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly bytesVerified: number;
  /** Chunks that were wrong on the disk: the copies fetch them. */
  readonly badChunks: number;
};
type Prepared = {
  readonly dataFolder: string;
  readonly removed: DeviceState & { readonly entries: readonly string[] };
  readonly kept: {
    readonly packages: readonly KeptPackage[];
    readonly token: string | null;
    readonly others: readonly string[];
  };
};

/** Prints what was removed and kept; sets exit status 1 if a chunk of the cache is wrong. */
async function runPrepare(dataFolder: string, asJson: boolean): Promise<void> {
  if (!existsSync(dataFolder))
    throw new SetupError(`There is no data folder "${dataFolder}": give the folder that the agent runs with`);
  assertReadable(dataFolder);
  await prepareDataFolder(dataFolder);
  const upgrade = readUpgrade(dataFolder);
  if (upgrade !== null && isUnderWay(upgrade))
    throw new SetupError(
      `The agent is in the middle of its upgrade to ${upgrade.version}: start its service, wait until "status" names that version, and stop it again`,
    );
  const device = deviceIn(dataFolder);
  const entries = await prepareStopped(dataFolder);
  const packages = await verifiedPackages(dataFolder);
  if (packages.some(({ badChunks }) => badChunks > 0)) process.exitCode = 1;
  const kept = { packages, token: tokenIn(dataFolder), others: foreignEntries(dataFolder) };
  const prepared: Prepared = { dataFolder, removed: { ...device, entries }, kept };
  if (asJson) printJson(prepared);
  else printPrepared(prepared);
}

/** A damaged ledger tells nothing here; it is prepared nevertheless. */
function deviceIn(dataFolder: string): DeviceState {
  let ledger: LedgerReader | null = null;
  try {
    ledger = openLedgerReadOnly(dataFolder);
    const identity = ledger.identity();
    const { length } = ledger.tasks();
    return { device: identity?.deviceId ?? null, source: identity?.sourceUrl ?? null, tasks: length };
  } catch (error) {
    if (error instanceof CacheError && error.code === "newer-version") throw error;
    return { device: null, source: null, tasks: 0 };
  } finally {
    ledger?.close();
  }
}

/** @throws SetupError while an agent runs on the folder */
async function prepareStopped(dataFolder: string): Promise<readonly string[]> {
  try {
    return await prepareImage(dataFolder, ({ level, message }) => {
      if (level !== "info") printNote(message);
    });
  } catch (error) {
    if (!(error instanceof CacheError) || error.code !== "locked") throw error;
    throw new SetupError(
      `The agent runs, and would go into the image with its identity: stop its service first ("flockcast-peer service stop"). ${error.message}`,
      { cause: error },
    );
  }
}

async function verifiedPackages(dataFolder: string): Promise<readonly KeptPackage[]> {
  const packages: KeptPackage[] = [];
  if (!existsSync(ledgerPath(dataFolder))) return packages;
  await withCache(dataFolder, async (cache) => {
    const checks = await cache.verify();
    for (const { id, name, version, state, bytesVerified } of cache.ledger.packages()) {
      const badChunks = checks.find((check) => check.id === id)?.badChunks.length ?? 0;
      packages.push({ name, version, state, bytesVerified, badChunks });
    }
  });
  return packages;
}

function printPrepared({ dataFolder, removed, kept }: Prepared): void {
  const { device, source, tasks, entries } = removed;
  printLine(
    device === null
      ? "removed: no identity, there was none"
      : `removed: identity of device ${device} at ${source}, its keys and settings`,
  );
  if (tasks > 0) printLine(`removed: ${tasks} tasks`);
  if (entries.length > 0) printLine(`removed: ${entries.join(", ")}`);
  for (const { name, version, state, bytesVerified, badChunks } of kept.packages) {
    const found = badChunks === 0 ? "verified" : `verified, ${badChunks} wrong chunks were dropped`;
    printLine(`kept: ${name} ${version}, ${state}, ${formatSize(bytesVerified)} ${found}`);
  }
  if (kept.packages.length === 0) printLine("kept: an empty cache");
  printLine(
    kept.token === null
      ? `kept: no enrolment token in "${dataFolder}": copies enrol with the file that their service names`
      : `kept: enrolment token "${kept.token}": whoever reads the image can enrol with it`,
  );
  if (kept.others.length > 0)
    printLine(
      `kept: ${kept.others.join(", ")}, which are not files of the agent: remove what copies must not share`,
    );
  printLine(`"${dataFolder}" is ready. Make the image before the agent starts again.`);
}
