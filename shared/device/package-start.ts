/**
 * The start of a package on this device: gets its manifest, reserves room for it, and stores the
 * chunks that need no network.
 */
import type { PackageStore } from "../cache/index.ts";
import type { AgentTask } from "../api/schema/agent.ts";
import { fetchManifest } from "./manifest-fetcher.ts";
import type { DevicePorts } from "./ports.ts";

export type PackageStart = {
  readonly ports: DevicePorts;
  readonly task: AgentTask;
  /** The package, if it is in the cache already. */
  readonly found: PackageStore | null;
  readonly signal: AbortSignal;
};

/** @throws CacheError, ManifestError or SourceError; the signal's reason when it is aborted */
export async function beginPackage({ ports, task, found, signal }: PackageStart): Promise<PackageStore> {
  if (found?.state === "complete") return found;
  const { cache, publisherKeys } = ports;
  const signed = found?.signed ?? (await fetchManifest(ports, task, signal));
  const store = await cache.begin(signed, publisherKeys(task.packageName), {
    id: task.id,
    packageId: task.packageId,
  });
  await cache.storeLocalChunks(store, signal);
  return store;
}
