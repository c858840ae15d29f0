/**
 * What the source remembers: devices, packages, tasks, settings, progress, leases and the WAN account.
 *
 * The only door to it: no handler talks SQL. Every method is asynchronous, so that a server database can stand behind
 * the same interface. Rules (who may hold a lease, which devices a task targets) are not here but in
 * `lease.ts`, `target.ts` and the server; the catalog only keeps what they decide.
 */
import type { PublishedPackage } from "../../api/schema/admin.ts";
import type { DeviceTaskState, Inventory, Progress } from "../../api/schema/common.ts";
import type { SettingValues } from "../../model/setting.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";
import type { LeaseState } from "../../model/lease.ts";

export type DeviceRecord = {
  readonly id: string;
  readonly hostname: string;
  readonly enrolledAtMs: number;
  readonly lastSeenAtMs: number;
  /** Null until its first check-in, or when no interface is active. */
  readonly subnet: SubnetIdentity | null;
  readonly groups: readonly string[];
};
type NewDevice = {
  readonly id: string;
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly agentVersion: string;
  readonly credentialSha256: string;
  readonly enrolledAtMs: number;
};
type CheckIn = {
  readonly inventory: Inventory;
  readonly subnet: SubnetIdentity | null;
  readonly atMs: number;
};

export type PackageRecord = PublishedPackage & {
  /** 16 bytes, handed to the devices targeted with this package. */
  readonly packageKey: Uint8Array;
};
export type SignedManifestBytes = {
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
  readonly publisherKey: Uint8Array;
};

export type TaskRecord = {
  readonly id: number;
  readonly packageId: string;
  readonly action: "pre-cache" | "run";
  readonly command: string | null;
  readonly settingName: string;
  readonly target: string;
  readonly state: "active" | "cancelled";
  readonly createdAtMs: number;
  readonly startAtMs: number;
  readonly taskKey: Uint8Array;
};
export type ProgressRecord = { readonly progress: Progress; readonly updatedAtMs: number };

export type SettingRecord = {
  readonly name: string;
  readonly version: number;
  readonly values: SettingValues;
};

export interface DeviceStore {
  add(device: NewDevice): Promise<void>;
  byCredential(credentialSha256: string): Promise<DeviceRecord | null>;
  byId(id: string): Promise<DeviceRecord | null>;
  list(): Promise<DeviceRecord[]>;
  inventories(): Promise<Map<string, Inventory>>;
  recordCheckIn(id: string, checkIn: CheckIn): Promise<void>;
  /** It was heard of, without a check-in. */
  touch(id: string, atMs: number): Promise<void>;
}

export interface PackageStore {
  publisherKeys(): Promise<Uint8Array[]>;
  registerPublisherKey(key: Uint8Array, atMs: number): Promise<void>;
  byId(id: string): Promise<PackageRecord | null>;
  byNameVersion(name: string, version: string): Promise<PackageRecord | null>;
  /** Newest first. */
  list(): Promise<PackageRecord[]>;
  signedManifest(id: string): Promise<SignedManifestBytes | null>;
  /** Replaces a package of that name and version that never became ready. */
  add(record: PackageRecord, signed: SignedManifestBytes): Promise<void>;
  markReady(id: string): Promise<void>;
}

export interface TaskStore {
  create(task: Omit<TaskRecord, "id">): Promise<TaskRecord>;
  byId(id: number): Promise<TaskRecord | null>;
  list(): Promise<TaskRecord[]>;
  active(): Promise<TaskRecord[]>;
  cancel(id: number): Promise<void>;
  /** Reports for tasks the catalog does not know are left out; the number kept is returned. */
  recordProgress(deviceId: string, reports: readonly Progress[], atMs: number): Promise<number>;
  progressOf(taskId: number): Promise<Map<string, ProgressRecord>>;
  /** Only the states, by device: what a list of tasks needs. */
  statesOf(taskId: number): Promise<Map<string, DeviceTaskState>>;
  /** The ids of the tasks this device reported complete. */
  completedBy(deviceId: string): Promise<Set<number>>;
}

export interface SettingStore {
  byName(name: string): Promise<SettingRecord | null>;
  list(): Promise<SettingRecord[]>;
  /** Version 1 if new, else the next one. */
  put(name: string, values: SettingValues): Promise<SettingRecord>;
}

export interface LeaseStore {
  /** Reads, decides and writes as one step: no two devices are granted one lease. */
  update<T>(
    packageId: string,
    subnetId: string,
    decide: (state: LeaseState | null) => { next: LeaseState; result: T },
  ): Promise<T>;
  ofPackage(packageId: string): Promise<Map<string, LeaseState>>;
}

/** Package bytes that left the source, per subnet: what the WAN carried. */
export interface WanAccount {
  add(entries: readonly { packageId: string; subnetId: string; bytes: number }[]): Promise<void>;
  /** Bytes per subnet since the task was created. */
  sinceTask(taskId: number): Promise<Map<string, number>>;
}

export interface Catalog {
  /** Made once per source; in every LAN frame, so that two deployments do not hear each other. */
  readonly deployment: number;
  readonly devices: DeviceStore;
  readonly packages: PackageStore;
  readonly tasks: TaskStore;
  readonly settings: SettingStore;
  readonly leases: LeaseStore;
  readonly wan: WanAccount;
  close(): void;
}
