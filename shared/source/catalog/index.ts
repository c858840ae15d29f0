/** Exports of the catalog for the rest of the source. */
export type {
  Catalog,
  DeliveryCount,
  DevicePlace,
  DeviceSelection,
  NeighbourCandidate,
  PackageRecord,
  ProgressRecord,
  ReportedVersion,
  SignedManifestBytes,
  TaskChange,
  TaskRecord,
  TaskReport,
} from "./catalog.ts";
export type { AuditFilter, AuditStore } from "./audit-store.ts";
export type {
  BarredCredential,
  DeviceHistoryEntry,
  ImagingDevice,
  MachineClaim,
  PackageFacts,
  RemovedDevice,
} from "./device-life.ts";
export type { PackageKeys } from "./lan-key-store.ts";
export { deviceOrders } from "./device-list.ts";
export type { DeviceFilter, DeviceKey, DeviceOrder, DeviceQuery, ScannedDevice } from "./device-list.ts";
export type { DeviceRecord } from "./device-record.ts";
export { reportOf } from "./catalog.ts";
export type { NewToken, TokenRecord, TokenStore } from "./token-store.ts";
export type { Delivery, NewWebhook, WebhookRecord, WebhookStore } from "./webhook-store.ts";
export type { SettingContent, SettingUses, SettingVersionRecord } from "./setting-store.ts";
export type { GroupRole, SessionRecord, SingleSignOn, UserPart, UserRecord } from "./user-store.ts";
export type { WakeRecord } from "./wake-store.ts";
export type { CoursePoint, TaskCourse } from "./task-course.ts";
export type { OrderRecord } from "./trust-store.ts";
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
