/**
 * Stores chunks in a device's cache before its agent starts, through a temporary real cache on the
 * same disk and ledger.
 */
import { drainMicrotasks } from "bun:jsc";
import type { Context } from "./context.ts";
import { taskId } from "./layout.ts";
import { cacheOf } from "./machine-cache.ts";
import type { Machine } from "./machine.ts";

/** Stores the chunks in no time of the world. @throws CacheError from the cache */
export function precache(context: Context, machine: Machine, chunks: Iterable<number>): void {
  const outcome: { done: boolean; error: unknown } = { done: false, error: null };
  void fill(context, machine, chunks).then(
    () => (outcome.done = true),
    (error: unknown) => (outcome.error = error),
  );
  drainMicrotasks();
  if (outcome.error !== null) throw outcome.error;
  if (!outcome.done) throw new Error(`The cache of device ${machine.name} waits for a timer`);
}

async function fill(context: Context, machine: Machine, chunks: Iterable<number>): Promise<void> {
  const { package: published } = context;
  const cache = cacheOf(machine, machine.processClock(), async () => {});
  await cache.reconcile();
  const store = await cache.begin(published.signed, [published.publisherKey], {
    id: taskId,
    packageId: published.id,
  });
  for (const chunk of chunks) await store.writeChunk(chunk, published.bytesOf(chunk), "cache");
  await store.flush();
  if (store.verified.isFull) await store.complete();
  await cache.close();
}
