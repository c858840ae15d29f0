/** Interface of the distribution cache to other folders. */
export { CacheError, type CacheLog } from "./cache-error.ts";
export { eraseDevice } from "./disk/device-erasure.ts";
export { copyLedger, removeLedgerCopy, restoreLedger } from "./disk/ledger-copy.ts";
export { ledgerPath } from "./disk/ledger-file.ts";
export { lockFolder } from "./disk/folder-lock.ts";
export { openLedgerReadOnly } from "./disk/ledger-sqlite.ts";
export { openCache, prepareDataFolder } from "./disk/open-cache.ts";
export { openSystemDisk } from "./disk/system-disk.ts";
export { DistributionCache } from "./distribution-cache.ts";
export type { DiskContent, ImageDisk } from "./image-disk.ts";
export { noBytes } from "./ledger.ts";
export type {
  ChunkOrigin,
  ChunkRow,
  Identity,
  Ledger,
  LedgerPackage,
  LedgerReader,
  PackageHead,
} from "./ledger.ts";
export { PackageStore } from "./package-store.ts";
