/** Lists of devices in the catalog, as an interface: pages by key, and questions about names. */
import type { Target } from "../../model/target/index.ts";
import type { DeviceRecord } from "./device-record.ts";

export const deviceOrders = ["enrolledAtMs", "hostname", "lastSeenAtMs", "subnetId"] as const;
export type DeviceOrder = (typeof deviceOrders)[number];
/** Value of the order, and id: devices with equal values have an order too. */
export type DeviceKey = readonly [string | number, string];

export type DeviceFilter = {
  /** Tags of which a device has one; empty: all devices. */
  readonly scope: readonly string[];
  /** Targets. The answer may have devices that they do not match. */
  readonly targets: readonly Target[];
  /** Whether groups that devices state themselves count as tags. */
  readonly acceptsWishes: boolean;
  /** Text within host name, given name or id. */
  readonly search?: string | undefined;
  readonly state?: "active" | "suspended" | "waiting" | undefined;
  readonly subnetId?: string | undefined;
  /** Adds the devices that reported a task, and those that were removed after its end. */
  readonly ofTask?: { readonly id: number; readonly endedAtMs: number | null } | undefined;
  /** State that the devices reported in the task. */
  readonly reported?: "failed" | undefined;
};
export type DeviceQuery = DeviceFilter & {
  readonly order: DeviceOrder;
  readonly isDescending: boolean;
  readonly after: DeviceKey | null;
  readonly limit: number;
};
export type SubnetPlace = {
  readonly id: string;
  readonly cidr: string;
  readonly gateway: string;
  readonly name: string | null;
  readonly site: string | null;
};

/** Numbers of what the catalog has, without reading devices. */
export type CatalogCounts = {
  readonly devices: number;
  readonly waiting: number;
  readonly suspended: number;
  readonly subnets: number;
  readonly sites: number;
  readonly packages: number;
  readonly openTasks: number;
  readonly pausedTasks: number;
  /** Devices that failed in open tasks, counted in each of them. */
  readonly failed: number;
};
/** Part of a device that targets name. */
export type ScannedDevice = Pick<
  DeviceRecord,
  | "id"
  | "hostname"
  | "name"
  | "os"
  | "arch"
  | "agentVersion"
  | "subnet"
  | "subnetName"
  | "site"
  | "enrolledAtMs"
  | "facts"
  | "tags"
  | "wishes"
  | "isImaging"
> & {
  /** Suspended, or waiting for an approval: its tags do not count. */
  readonly isSuspended: boolean;
  /** Waiting for an approval: no task is for it. */
  readonly isWaiting: boolean;
};

/** Devices that are not removed. */
export interface DeviceListStore {
  page(query: DeviceQuery): Promise<DeviceRecord[]>;
  /** Returns devices by id after one, from memory: what targets name of them. */
  scan(after: string | null, limit: number): Promise<readonly ScannedDevice[]>;
  counts(): Promise<CatalogCounts>;
  /** Returns the names among these that no device has as id, host name or given name. */
  unknownNames(names: readonly string[]): Promise<string[]>;
  /** Returns the names among these that no device has as a tag. */
  unknownTags(tags: readonly string[]): Promise<string[]>;
  /** Returns those among these that neither are the id nor the name of a subnet with devices. */
  unknownSubnets(names: readonly string[]): Promise<string[]>;
  /** Returns each tag with the number of its devices, and of those that state it as a wish. */
  tags(scope: readonly string[]): Promise<{ name: string; devices: number; wishes: number }[]>;
  /** Returns subnets with devices, by id. */
  subnets(query: {
    readonly after: string | null;
    readonly limit: number;
    readonly scope: readonly string[];
  }): Promise<SubnetPlace[]>;
  /** Returns the devices of these subnets, without their facts. */
  onSubnets(
    ids: readonly string[],
    scope: readonly string[],
  ): Promise<{ id: string; subnetId: string; gateway: string }[]>;
  /** Returns the number of these devices by subnet; null: on none. */
  countBySubnet(ids: readonly string[]): Promise<Map<string | null, number>>;
  /** Returns the devices and subnets of each site, counted at write time. */
  siteCounts(): Promise<Map<string, { devices: number; subnets: number }>>;
  /** Returns the names that administrators gave to subnets with devices. */
  subnetNames(): Promise<{ id: string; name: string }[]>;
  /** Returns the site of each labelled subnet that has one. */
  sitesOfSubnets(): Promise<Map<string, string>>;
}
