/** What other folders may use of the distribution cache. */
export { CacheError, type CacheErrorCode, type CacheEvent, type CacheLog } from "./cache-error.ts";
export {
  DistributionCache,
  openCache,
  type CachedPackage,
  type CacheOptions,
  type PackageCheck,
} from "./distribution-cache.ts";
export {
  Ledger,
  LedgerReader,
  openLedgerReadOnly,
  type ChunkOrigin,
  type Identity,
  type LedgerPackage,
  type OriginBytes,
  type TaskRow,
} from "./disk/ledger-sqlite.ts";
export { ledgerPath } from "./disk/ledger-file.ts";
export { PackageStore, type Completion } from "./package-store.ts";
