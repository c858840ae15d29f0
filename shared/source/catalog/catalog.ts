/**
 * Catalog: the persistent state of the source (devices, packages, tasks, settings, progress, leases
 * and the WAN account) as a set of interfaces.
 *
 * All access goes through these interfaces; no handler uses SQL. Every method is asynchronous, so
 * that a database server can implement them too. The catalog stores decisions and makes none: the
 * rules are in model/lease.ts, model/target and the routes.
 */
import type { AuditStore } from "./audit-store.ts";
import type { DeviceLifeStore } from "./device-life.ts";
import type { DeviceListStore } from "./device-list.ts";
import type { CachedPackage } from "../../api/schema/device-detail.ts";
import type { DeviceLogStore, DeviceStatementStore } from "./device-statement.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { LanKeyStore } from "./lan-key-store.ts";
import type { WakeStore } from "./wake-store.ts";
import type { PublishedPackage } from "../../api/schema/admin.ts";
import type { DeviceTaskState, Inventory, Progress, TaskAction } from "../../api/schema/common.ts";
import type { ImageOrder } from "../../model/image-order.ts";
import type { PackageUrl } from "../../model/package-url.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";
import type { EndReason, TaskState } from "../../model/task-life.ts";
import type { LeaseState } from "../../model/lease.ts";
import type { SettingStore } from "./setting-store.ts";
import type { TaskCourseStore } from "./task-course.ts";
import type { TrustStore } from "./trust-store.ts";
import type { TokenStore } from "./token-store.ts";
import type { WebhookStore } from "./webhook-store.ts";
import type { SessionStore, SingleSignOnStore, UserStore } from "./user-store.ts";

type CheckIn = {
  readonly inventory: Inventory;
  /** Ids of packages that are complete in the device's cache. */
  readonly packages: readonly string[];
  /** Packages in the cache with their sizes, the last used ones. */
  readonly cached: readonly CachedPackage[];
  /** Own setting that the device uses; null: not stated. */
  readonly setting: { readonly name: string; readonly version: number } | null;
  /** Null while no interface is active. */
  readonly place: DevicePlace | null;
  readonly atMs: number;
};
/** Place of a device, at its last check-in. */
export type DevicePlace = {
  readonly ownSubnet: SubnetIdentity;
  /** Multicast group that is part of the identity; empty for the default one. */
  readonly group: string;
  /** Address of the device as the source sees it. */
  readonly remoteAddress: string;
  /** LAN address and TCP port of the device's exchange; port 0: it serves nothing. */
  readonly address: string;
  readonly lanPort: number;
};
/** A device on another subnet of the same CIDR and group, which may be the same LAN. */
export type NeighbourCandidate = {
  readonly deviceId: string;
  readonly address: string;
  readonly lanPort: number;
  readonly subnetId: string;
  /** Whether the device would be merged alone (`isTransient`). */
  readonly isTransient: boolean;
};
export type SubnetMerge = {
  /** The device that is merged; null: every device of the subnet. */
  readonly deviceId: string | null;
  readonly from: SubnetIdentity;
  readonly into: SubnetIdentity;
  /** The two devices that confirmed each other. */
  readonly confirmedBy: readonly [string, string];
  readonly atMs: number;
};

export type PackageRecord = Omit<PublishedPackage, "urls"> & {
  /** With secrets, in the order in which devices try them. */
  readonly urls: readonly PackageUrl[];
  /** Key of 16 bytes for devices that a task targets with this package, in the current epoch. */
  readonly packageKey: Uint8Array;
};
/** Time of the publication, and number of the row. */
export type PackageListKey = readonly [number, number];
export type SignedManifestBytes = {
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
  readonly publisherKey: Uint8Array;
};

export type TaskRecord = {
  readonly id: number;
  /** Run of the source in which the task was created; empty: a run of an earlier version. */
  readonly epoch: string;
  /** Counts the changes of an administrator, from 1. */
  readonly version: number;
  readonly packageId: string;
  readonly packageName: string;
  readonly packageVersion: string;
  readonly packageBytes: number;
  readonly action: TaskAction;
  readonly command: string | null;
  readonly run: string | null;
  readonly allowDowngrade: boolean;
  /** Task whose command has to succeed on a device before that of this one runs. */
  readonly after: number | null;
  /** Disk of a task that writes an image; null: another action. */
  readonly image: ImageOrder | null;
  /** Whether the cancellation ends running commands. */
  readonly kills: boolean;
  /** Setting that overrides the devices' own ones; null: each device's own one counts. */
  readonly setting: string | null;
  readonly target: string;
  readonly state: TaskState;
  /** Null unless `state` is `ended`. */
  readonly endedWhy: EndReason | null;
  /** Time of the end or the cancellation; null before. */
  readonly endedAtMs: number | null;
  readonly createdAtMs: number;
  readonly startAtMs: number;
  /** Whether `startAtMs` is a time of each device's own clock, written as if it were UTC. */
  readonly startIsLocal: boolean;
  /** From this time on the command waits for no window, program or user; null: never. */
  readonly deadlineAtMs: number | null;
  /** Programs during which the command does not begin. */
  readonly notWhile: readonly string[];
  /** No device begins the task from this time on. */
  readonly expiresAtMs: number;
  /** Attempts that each device may make, by the retries of an administrator. */
  readonly attempts: number;
  /** Whether devices that are not awake are woken before the start; not a part of the order. */
  readonly wakes: boolean;
  readonly taskKey: Uint8Array;
};
/** Parts of a task that change. */
export type TaskChange = Partial<
  Pick<
    TaskRecord,
    | "version"
    | "target"
    | "setting"
    | "startAtMs"
    | "startIsLocal"
    | "deadlineAtMs"
    | "notWhile"
    | "expiresAtMs"
    | "wakes"
    | "kills"
    | "state"
    | "endedWhy"
    | "endedAtMs"
  >
>;
/** Last report of a device about a task, without its text. */
export type TaskReport = {
  readonly state: DeviceTaskState;
  /** Whether the device has begun the command. */
  readonly hasBegun: boolean;
  readonly attempt: number;
};
/** A report names the outcome of the command once there is one. */
export const reportOf = ({ state, command, attempt = 1 }: Progress): TaskReport => ({
  state,
  hasBegun: state === "running" || command !== null,
  attempt,
});
export type ProgressRecord = { readonly progress: Progress; readonly updatedAtMs: number };

/** Devices of a subnet that report the same delivery mode with the same causes. */
export type DeliveryCount = {
  readonly subnetId: string;
  readonly way: Progress["way"];
  /** Codes of reasons. */
  readonly causes: readonly string[];
  readonly devices: number;
};

/** Devices of a read: by their ids, or all whose ids are from `first` to `last`. */
export type DeviceSelection = readonly string[] | { readonly first: string; readonly last: string };

/** Devices that are not removed; `DeviceLifeStore` has the others too. */
export interface DeviceStore {
  byCredential(credentialSha256: string): Promise<DeviceRecord | null>;
  byId(id: string): Promise<DeviceRecord | null>;
  /** Returns the number of devices, at the same cost for any number. */
  count(): Promise<number>;
  /** Returns the devices of a subnet that did not report an end of the task. */
  withoutEnd(taskId: number, subnetId: string): Promise<DeviceRecord[]>;
  inventories(ids: readonly string[]): Promise<Map<string, Inventory>>;
  /** Returns the times of the last contact with these devices. */
  lastSeen(ids: readonly string[]): Promise<Map<string, number>>;
  /** Records a check-in. @returns the subnet of the device after merges */
  recordCheckIn(id: string, checkIn: CheckIn): Promise<SubnetIdentity | null>;
  /** Returns the last delivery modes on these subnets: of how many devices, and their causes. */
  ways(subnetIds: readonly string[]): Promise<DeliveryCount[]>;
  /** Records a contact of devices other than a check-in. */
  touch(ids: readonly string[], atMs: number): Promise<void>;
}

export interface PackageStore {
  byId(id: string): Promise<PackageRecord | null>;
  /** Returns the public key under whose signature the manifest is stored, hex. */
  publisherOf(id: string): Promise<string | null>;
  /** Stores the signature of another publisher under the same manifest. */
  replaceSignature(id: string, signed: SignedManifestBytes): Promise<void>;
  byNameVersion(name: string, version: string): Promise<PackageRecord | null>;
  /** Returns all packages, the last published first. */
  list(): Promise<PackageRecord[]>;
  /** Returns packages in the order of `list` after a key. @param search text within the name */
  page(query: {
    readonly after: PackageListKey | null;
    readonly search: string | null;
    readonly limit: number;
  }): Promise<{ readonly record: PackageRecord; readonly key: PackageListKey }[]>;
  signedManifest(id: string): Promise<SignedManifestBytes | null>;
  /** Adds a package. Replaces one of the same name and version that never became ready. */
  add(record: PackageRecord, signed: SignedManifestBytes): Promise<void>;
  /** Adds a URL as the last one, and marks the package ready; an equal URL changes nothing. */
  addUrl(id: string, url: PackageUrl): Promise<void>;
  removeUrl(id: string, url: string): Promise<void>;
  markReady(id: string): Promise<void>;
  /** Returns the packages that were published before this time, and never became ready. */
  unfinishedBefore(atMs: number): Promise<string[]>;
  /** Removes a package that never became ready. @returns whether it was one */
  removeUnfinished(id: string): Promise<boolean>;
  /**
   * Removes a package with its URLs and leases, unless an open task needs it.
   * @returns the open tasks that need it
   */
  remove(id: string): Promise<number[]>;
}

export type TaskQuery = {
  readonly after: number | null;
  readonly isDescending: boolean;
  readonly limit: number;
  /** Whether the tasks are active or paused, or neither. */
  readonly isOpen?: boolean | undefined;
  /** Text within the name of the package or the target. */
  readonly search?: string | undefined;
};
export interface TaskStore {
  create(task: Omit<TaskRecord, "id" | "epoch">): Promise<TaskRecord>;
  byId(id: number): Promise<TaskRecord | null>;
  list(): Promise<TaskRecord[]>;
  /** Returns the tasks that are active or paused. */
  open(): Promise<TaskRecord[]>;
  /** Returns tasks whose cancellation ends a command, and whose end the device did not report. */
  killedOn(deviceId: string): Promise<number[]>;
  /** Returns the ended tasks with a command that this device completed. */
  endedOn(deviceId: string): Promise<TaskRecord[]>;
  /**
   * Reads, decides and writes in one transaction.
   * @param decide returns null to change nothing
   * @returns the task afterwards; null if there is none
   */
  change(id: number, decide: (task: TaskRecord) => TaskChange | null): Promise<TaskRecord | null>;
  /** Returns the tasks that ended, or were cancelled, before this time. */
  endedBefore(atMs: number): Promise<number[]>;
  /**
   * Removes an ended or cancelled task, or a part of its reports if these are many. Returns whether
   * nothing is left to do: a task that is open stays.
   */
  removePart(id: number): Promise<boolean>;
  /**
   * Stores reports with their bytes in the WAN account. Leaves out those of unknown tasks, of
   * other tasks with the id and of earlier attempts, and returns the number stored.
   */
  recordProgress(deviceId: string, reports: readonly Progress[], atMs: number): Promise<number>;
  /** Raises the attempt of the devices that failed; of these ones, or all. @returns their ids */
  retry(id: number, atMs: number, deviceIds: readonly string[] | null): Promise<string[]>;
  /** Returns the last reports of these devices. */
  progressFor(taskId: number, deviceIds: readonly string[]): Promise<Map<string, ProgressRecord>>;
  reportsFor(taskId: number, devices: DeviceSelection): Promise<Map<string, TaskReport>>;
  /** Returns devices that failed in the task or completed it, and which of both. */
  resultsFor(taskId: number, devices: DeviceSelection): Promise<Map<string, "failed" | "complete">>;
  /** Returns the devices by the state that they reported; the counters are kept at write time. */
  counters(taskIds: readonly number[]): Promise<Map<number, Map<DeviceTaskState, number>>>;
  /** Returns tasks by id after a key. */
  page(query: TaskQuery): Promise<TaskRecord[]>;
  /** Returns the last reports of a device by task. */
  reportsBy(deviceId: string): Promise<Map<number, TaskReport>>;
}

/** Leases by package and `DeviceRecord.share`. */
export interface LeaseStore {
  /**
   * Reads, decides and writes in one transaction, so that a lease is never granted to two devices.
   */
  update<T>(
    packageId: string,
    share: string,
    decide: (state: LeaseState | null) => { next: LeaseState; result: T },
  ): Promise<T>;
  read(packageId: string, share: string): Promise<LeaseState | null>;
  /** Ends the leases that a device holds under this name. */
  giveUp(share: string, deviceId: string): Promise<void>;
  ofPackage(packageId: string): Promise<Map<string, LeaseState>>;
  /** Removes the leases of packages that no task names. */
  removeWithoutTask(): Promise<void>;
  /** Ends the rests of the package on all subnets: an administrator has changed something. */
  forgetFailures(packageId: string): Promise<void>;
}

/** Subnets that are one, although their devices have different identities. */
export interface SubnetStore {
  /**
   * Returns devices that may be neighbours: first those behind the same public address, then
   * those of the CIDR if it has few subnets. Devices without a port are left out.
   */
  candidates(device: DeviceRecord, place: DevicePlace): Promise<NeighbourCandidate[]>;
  /** Returns the other device if it is on another subnet of the same CIDR and group. */
  candidate(deviceId: string, otherId: string): Promise<NeighbourCandidate | null>;
  /** Returns a device as a candidate; null if it serves nothing. */
  sideOf(deviceId: string): Promise<NeighbourCandidate | null>;
  /** Returns devices that share the lease of this subnet. */
  sharers(subnetId: string): Promise<NeighbourCandidate[]>;
  /** Lets the devices with the egress of this one share the lease of the subnet. */
  joinEgress(subnetId: string, deviceId: string, atMs: number): Promise<void>;
  deviceCount(subnetId: string): Promise<number>;
  /**
   * Merges a subnet, or one device of it, into another one: devices, leases and WAN account.
   * @returns the devices whose subnet changed
   */
  merge(merge: SubnetMerge, nowMs: number): Promise<string[]>;
  /** Ends all merges into a subnet. @returns the devices whose subnet changed */
  split(subnetId: string): Promise<string[]>;
}

/** Package bytes that the source sent to a device. */
export type WanSent = {
  readonly packageId: string;
  readonly subnetId: string;
  readonly deviceId: string;
  /** Task of the device's lease or fallback token; null: not known. */
  readonly taskId: number | null;
  readonly bytes: number;
};
export type WanBytes = {
  /** Sent by the source. */
  readonly sourceBytes: number;
  /** Fetched by devices from other web sites. */
  readonly webBytes: number;
  readonly crossedBytes: number;
  /** Bytes without flockcast: the size of each package, once per device that completed it. */
  readonly directBytes: number;
};
export type WanGrouping = "hour" | "package" | "subnet" | "site";
/** `id` of an hour: hours since 1970. */
export type WanRow = WanBytes & { readonly id: string; readonly name: string };

/**
 * WAN account: package bytes that crossed the WAN. The bytes of an hour, package and subnet are
 * counted once, whatever the number of tasks. Reports count in `TaskStore.recordProgress`.
 */
export interface WanAccount {
  add(entries: readonly WanSent[], atMs: number): Promise<void>;
  /** Returns the bytes per subnet that devices fetched for this task. */
  ofTask(taskId: number): Promise<Map<string, number>>;
  /** Returns the sums of the hours from `sinceMs` to `untilMs`. */
  report(by: WanGrouping, range: { readonly sinceMs: number; readonly untilMs: number }): Promise<WanRow[]>;
  /** Returns the sums since the catalog was created; they never fall. */
  totals(): Promise<WanBytes>;
  /** Removes the hours before this time, and packages without others. */
  removeBefore(atMs: number): Promise<void>;
}

export type GroupRecord = { readonly name: string; readonly createdAtMs: number };
export type SiteRecord = { readonly name: string; readonly createdAtMs: number };

/** Names that administrators give: tags, groups, sites and subnets. They compare without case. */
export interface LabelStore {
  /** Adds and removes tags. @returns the devices whose tags changed */
  tag(
    deviceIds: readonly string[],
    change: { readonly add: readonly string[]; readonly remove: readonly string[] },
  ): Promise<string[]>;
  /** Returns the declared groups; other tags exist while a device has them. */
  groups(): Promise<GroupRecord[]>;
  /** @returns whether the group is new */
  createGroup(name: string, atMs: number): Promise<boolean>;
  /** Ends a declaration and takes the tag from all devices. @returns these devices */
  removeTag(name: string): Promise<string[]>;
  sites(): Promise<SiteRecord[]>;
  /** @returns whether the site is new */
  createSite(name: string, atMs: number): Promise<boolean>;
  renameSite(name: string, newName: string): Promise<void>;
  /** Removes a site; its subnets are without one. */
  removeSite(name: string): Promise<void>;
  /** Sets the name or the known site of a subnet; null removes it, undefined leaves it. */
  labelSubnet(
    subnetId: string,
    label: { readonly name?: string | null | undefined; readonly site?: string | null | undefined },
  ): Promise<void>;
}

/** A version of a package on a device, as the device reported it. */
export type DevicePackage = {
  readonly packageName: string;
  readonly packageVersion: string;
  /** Whether this version's command was the last one of the package, and did not remove it. */
  readonly isCurrent: boolean;
};
/** Version of one package that a device completed. */
export type ReportedVersion = {
  readonly packageVersion: string;
  /** Place of its last command among those of the device; null: none ran. */
  readonly ranOrder: number | null;
  readonly isRemoved: boolean;
};
/** Packages that devices completed. Entries end with their device. */
export interface DevicePackageStore {
  ofDevice(deviceId: string): Promise<DevicePackage[]>;
  /** Returns the versions of one package by device. */
  ofPackage(packageName: string, devices: DeviceSelection): Promise<Map<string, ReportedVersion[]>>;
  /** Returns those of the devices that reported a version as complete. */
  heldBy(packageName: string, version: string, devices: DeviceSelection): Promise<Set<string>>;
}

/** Address to which the source moves, as an administrator announced it. */
export interface AddressStore {
  /** Returns null if no move is announced. */
  announced(): Promise<string | null>;
  announce(url: string | null): Promise<void>;
}

export interface Catalog {
  /**
   * Random number of this source, part of every LAN frame: it separates two deployments on one LAN.
   */
  readonly deployment: number;
  /**
   * Random text of this run of the source, part of the tasks that it creates. A catalog that was
   * restored, or whose file was replaced by an older copy, gives the ids of lost tasks again.
   */
  readonly epoch: string;
  readonly devices: DeviceStore;
  readonly deviceList: DeviceListStore;
  readonly life: DeviceLifeStore;
  readonly statements: DeviceStatementStore;
  readonly logs: DeviceLogStore;
  readonly packages: PackageStore;
  readonly tasks: TaskStore;
  readonly courses: TaskCourseStore;
  readonly settings: SettingStore;
  readonly leases: LeaseStore;
  readonly subnets: SubnetStore;
  readonly labels: LabelStore;
  readonly devicePackages: DevicePackageStore;
  readonly lanKeys: LanKeyStore;
  readonly wakes: WakeStore;
  readonly wan: WanAccount;
  readonly address: AddressStore;
  readonly trust: TrustStore;
  readonly tokens: TokenStore;
  readonly webhooks: WebhookStore;
  readonly audit: AuditStore;
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly singleSignOn: SingleSignOnStore;
  /** Writes a copy of one moment to a new file, which only the owner may read. */
  snapshot(path: string): Promise<void>;
  close(): void;
}
