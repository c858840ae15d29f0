/** Exports of the catalog for the rest of the source. */
export type {
  Catalog,
  DeliveryCount,
  DevicePackage,
  DevicePlace,
  NeighbourCandidate,
  PackageRecord,
  ProgressRecord,
  SignedManifestBytes,
  TaskChange,
  TaskRecord,
  TaskReport,
} from "./catalog.ts";
export type { BarredCredential, DeviceHistoryEntry, RemovedDevice } from "./device-life.ts";
export type { DeviceRecord } from "./device-record.ts";
export { reportOf } from "./catalog.ts";
export type { SettingContent, SettingUses, SettingVersionRecord } from "./setting-store.ts";
export {
  holderOf,
  noLease,
  releaseLease,
  requestLease,
  spendByFallback,
  withoutFailures,
} from "../../model/lease.ts";
export type { LeaseState } from "../../model/lease.ts";
export { openSqliteCatalog } from "./sqlite-catalog.ts";
