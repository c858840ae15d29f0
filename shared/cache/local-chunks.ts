/**
 * Chunks that a device has without the network: chunks of zeros, and chunks that another version of
 * the package in its cache also has.
 */
import { chunkDigest, type Manifest } from "../model/manifest.ts";
import type { PackageStore } from "./package-store.ts";

type LocalOptions = {
  readonly store: PackageStore;
  /** Stores of the other versions; kept from eviction by the caller. */
  readonly others: readonly PackageStore[];
  readonly signal: AbortSignal;
};

/**
 * Stores the local chunks. Each one is verified like a received one.
 * @throws CacheError when the chunk cannot be written
 */
export async function storeLocalChunks({ store, others, signal }: LocalOptions): Promise<void> {
  await store.writeZeros();
  if (others.length === 0) return;
  const wanted = missingByDigest(store);
  for (const other of others) {
    for (const chunk of other.offered.clone()) {
      if (signal.aborted || wanted.size === 0) return;
      const digest = digestKey(other.manifest, chunk);
      const targets = wanted.get(digest);
      if (targets === undefined) continue;
      // A chunk that cannot be read here is fetched.
      const bytes = await other.readVerified(chunk).catch(() => null);
      if (bytes === null) continue;
      for (const target of targets) await store.writeChunk(target, bytes, "cache");
      wanted.delete(digest);
    }
  }
}

function missingByDigest(store: PackageStore): Map<string, number[]> {
  const wanted = new Map<string, number[]>();
  for (const chunk of store.verified.complement()) {
    const digest = digestKey(store.manifest, chunk);
    const chunks = wanted.get(digest);
    if (chunks === undefined) wanted.set(digest, [chunk]);
    else chunks.push(chunk);
  }
  return wanted;
}

const digestKey = (manifest: Manifest, chunk: number): string =>
  Buffer.from(chunkDigest(manifest, chunk)).toString("latin1");
