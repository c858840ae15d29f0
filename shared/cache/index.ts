/** What other folders may use of the distribution cache. */
export { CacheError, type CacheErrorCode, type CacheEvent, type CacheLog } from "./cache-error.ts";
export { ledgerPath } from "./disk/ledger-file.ts";
export { openLedgerReadOnly } from "./disk/ledger-sqlite.ts";
export { openCache } from "./disk/open-cache.ts";
export {
  DistributionCache,
  type CachedPackage,
  type CacheOptions,
  type PackageCheck,
} from "./distribution-cache.ts";
export type { FileEntry, Files, IoPath, OpenFile } from "./files.ts";
export type {
  ChunkOrigin,
  ChunkRow,
  Identity,
  Ledger,
  LedgerPackage,
  LedgerReader,
  OriginBytes,
  TaskRow,
} from "./ledger.ts";
export { PackageStore, type Completion } from "./package-store.ts";
