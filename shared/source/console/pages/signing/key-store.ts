/**
 * Signing key of this browser in its storage: one for each source, because a browser separates
 * storage by origin. The private key cannot be read out of it, also not by this page.
 */
import type { StatementKey } from "./statements.ts";

/** Key with what its trust file is checked by. */
export type BrowserKey = StatementKey & {
  readonly deployment: number;
  /** Fingerprint of roots whose trust file begins the chain. */
  readonly root: string;
  /** Highest version of the trust file that this browser has seen: an older one is refused. */
  readonly trustVersion: number;
};

/** The browser refuses to store or to read: private windows and full disks do. */
export class StorageError extends Error {}

const [databaseName, storeName, recordName] = ["flockcast-signing", "keys", "signing"];

function finished<T>(request: IDBRequest<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  request.addEventListener("success", () => resolve(request.result));
  request.addEventListener("error", () => reject(request.error ?? new Error("the storage failed")));
  return promise;
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open(databaseName, 1);
  request.addEventListener("upgradeneeded", () => request.result.createObjectStore(storeName));
  return finished(request);
}

/** @throws StorageError */
async function inStore<T>(
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  try {
    const database = await openDatabase();
    try {
      const transaction = database.transaction(storeName, mode, { durability: "strict" });
      const ended = Promise.withResolvers<void>();
      transaction.addEventListener("complete", () => ended.resolve());
      transaction.addEventListener("abort", () =>
        ended.reject(transaction.error ?? new Error("the storage is full")),
      );
      const [result] = await Promise.all([finished(work(transaction.objectStore(storeName))), ended.promise]);
      return result;
    } finally {
      database.close();
    }
  } catch (error) {
    throw new StorageError(String((error as Error).message), { cause: error });
  }
}

/** Returns the key of this browser; null: it holds none. */
export const storedKey = async (): Promise<BrowserKey | null> =>
  ((await inStore("readonly", (store) => store.get(recordName))) as BrowserKey | undefined) ?? null;

/** Stores a key in place of the one before, and reads it back. */
export async function storeKey(key: BrowserKey): Promise<void> {
  await inStore("readwrite", (store) => store.put(key, recordName));
  if ((await storedKey())?.key !== key.key) throw new StorageError("the key was not kept");
  // Otherwise the browser may delete it when its disk is full. Without this, the key still works.
  await navigator.storage?.persist?.().catch(() => false);
}

export const forgetKey = (): Promise<unknown> => inStore("readwrite", (store) => store.delete(recordName));
