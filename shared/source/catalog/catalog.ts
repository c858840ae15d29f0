/**
 * Catalog: the persistent state of the source (devices, packages, tasks, settings, progress, leases
 * and the WAN account) as a set of interfaces.
 *
 * All access goes through these interfaces; no handler uses SQL. Every method is asynchronous, so
 * that a database server can implement them too. The catalog stores decisions and makes none: the
 * rules are in model/lease.ts, api/target.ts and the routes.
 */
import type { PublishedPackage } from "../../api/schema/admin.ts";
import type { DeviceTaskState, Inventory, Progress } from "../../api/schema/common.ts";
import type { PackageUrl } from "../../model/package-url.ts";
import type { SettingValues } from "../../model/setting.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";
import type { LeaseState } from "../../model/lease.ts";

export type DeviceRecord = {
  readonly id: string;
  readonly hostname: string;
  readonly enrolledAtMs: number;
  readonly lastSeenAtMs: number;
  /** Null until the first check-in, and while no interface is active. */
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

export type PackageRecord = Omit<PublishedPackage, "urls"> & {
  /** With secrets, in the order in which devices try them. */
  readonly urls: readonly PackageUrl[];
  /** Key of 16 bytes for the devices that a task targets with this package. */
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
  readonly run: string | null;
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
  /** Records a contact other than a check-in. */
  touch(id: string, atMs: number): Promise<void>;
}

export interface PackageStore {
  publisherKeys(): Promise<Uint8Array[]>;
  registerPublisherKey(key: Uint8Array, atMs: number): Promise<void>;
  byId(id: string): Promise<PackageRecord | null>;
  byNameVersion(name: string, version: string): Promise<PackageRecord | null>;
  /** Returns all packages, the last published first. */
  list(): Promise<PackageRecord[]>;
  signedManifest(id: string): Promise<SignedManifestBytes | null>;
  /** Adds a package. Replaces one of the same name and version that never became ready. */
  add(record: PackageRecord, signed: SignedManifestBytes): Promise<void>;
  /** Adds a URL as the last one, and marks the package ready; an equal URL changes nothing. */
  addUrl(id: string, url: PackageUrl): Promise<void>;
  removeUrl(id: string, url: string): Promise<void>;
  markReady(id: string): Promise<void>;
  /** Returns the packages that were published before this time, and never became ready. */
  unfinishedBefore(atMs: number): Promise<string[]>;
  /** Removes a package that never became ready; no effect on others. */
  removeUnfinished(id: string): Promise<void>;
}

export interface TaskStore {
  create(task: Omit<TaskRecord, "id">): Promise<TaskRecord>;
  byId(id: number): Promise<TaskRecord | null>;
  list(): Promise<TaskRecord[]>;
  active(): Promise<TaskRecord[]>;
  cancel(id: number, atMs: number): Promise<void>;
  cancelledBefore(atMs: number): Promise<number[]>;
  /**
   * Removes a cancelled task, or a part of its reports if these are many. Returns whether the task
   * is removed.
   */
  removePart(id: number): Promise<boolean>;
  /** Stores reports, leaves out those of unknown tasks, and returns the number stored. */
  recordProgress(deviceId: string, reports: readonly Progress[], atMs: number): Promise<number>;
  progressOf(taskId: number): Promise<Map<string, ProgressRecord>>;
  /** Returns the states by device, without the reports: the list of tasks needs no more. */
  statesOf(taskId: number): Promise<Map<string, DeviceTaskState>>;
  /** Returns the ids of the tasks that this device reported complete. */
  completedBy(deviceId: string): Promise<Set<number>>;
}

export interface SettingStore {
  byName(name: string): Promise<SettingRecord | null>;
  list(): Promise<SettingRecord[]>;
  /** Stores the values as version 1 of a new setting, or as the next version. */
  put(name: string, values: SettingValues): Promise<SettingRecord>;
}

export interface LeaseStore {
  /**
   * Reads, decides and writes in one transaction, so that a lease is never granted to two devices.
   */
  update<T>(
    packageId: string,
    subnetId: string,
    decide: (state: LeaseState | null) => { next: LeaseState; result: T },
  ): Promise<T>;
  ofPackage(packageId: string): Promise<Map<string, LeaseState>>;
  /** Ends the rests of the package on all subnets: an administrator has changed something. */
  forgetFailures(packageId: string): Promise<void>;
  /** Removes the leases of packages that no task names. */
  removeWithoutTask(): Promise<void>;
}

/** WAN account: package bytes that the source sent, per subnet. */
export interface WanAccount {
  add(entries: readonly { packageId: string; subnetId: string; bytes: number }[]): Promise<void>;
  /** Returns the bytes per subnet since the task was created. */
  sinceTask(taskId: number): Promise<Map<string, number>>;
  /** Removes the accounts of packages that no task names. */
  removeWithoutTask(): Promise<void>;
}

export interface Catalog {
  /**
   * Random number of this source, part of every LAN frame: it separates two deployments on one LAN.
   */
  readonly deployment: number;
  readonly devices: DeviceStore;
  readonly packages: PackageStore;
  readonly tasks: TaskStore;
  readonly settings: SettingStore;
  readonly leases: LeaseStore;
  readonly wan: WanAccount;
  close(): void;
}
