/** A device as the routes see it. */
import type { Inventory } from "../../api/schema/common.ts";
import type { RemovalReason } from "../../model/enrolment.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";

export type DeviceLife =
  | { readonly state: "active" }
  /** The tags of the device do not count for targets. */
  | { readonly state: "suspended"; readonly atMs: number }
  /** The device gets no task and no key until an administrator approves it. */
  | { readonly state: "waiting"; readonly atMs: number }
  /** The credential of the device is barred. */
  | { readonly state: "removed"; readonly atMs: number; readonly why: RemovalReason };

/** Parts of the last inventory that targets name; empty until the first check-in. */
export type DeviceFacts = Partial<
  Pick<Inventory, "deviceClass" | "onBattery" | "memoryBytes" | "diskFreeBytes" | "cacheBytes"> & {
    readonly medium: string;
  }
>;

export type DeviceRecord = {
  readonly id: string;
  readonly hostname: string;
  readonly enrolledAtMs: number;
  readonly lastSeenAtMs: number;
  /** Null until the first check-in, and while no interface is active. */
  readonly subnet: SubnetIdentity | null;
  /** Identity of the device alone, before merges. */
  readonly ownSubnet: SubnetIdentity | null;
  /**
   * Name of the devices that share the lease, the tokens and the manifest: the id of the subnet, or
   * a name of its own for devices with an egress that is not proven to be of the subnet. Null on no
   * subnet.
   */
  readonly share: string | null;
  /** Egress at the last check-in (model/egress.ts); null: not known. */
  readonly egress: string | null;
  /** LAN address at the last check-in. */
  readonly lanAddress: string | null;
  readonly os: string;
  readonly arch: string;
  readonly agentVersion: string;
  readonly facts: DeviceFacts;
  /** Tags and groups that administrators gave. They do not count while the device is suspended. */
  readonly tags: readonly string[];
  /** Groups that the device itself states (`--device-group`). */
  readonly wishes: readonly string[];
  /** Name and site that administrators gave the subnet. */
  readonly subnetName: string | null;
  readonly site: string | null;
  /** Name that an administrator gave to the device; null: none. */
  readonly name: string | null;
  readonly life: DeviceLife;
  /** Last time that an enrolment on the same machine took the row over; null: never. */
  readonly takenOverAtMs: number | null;
  /** Whether the device only gets images: a machine that was started for that. */
  readonly isImaging: boolean;
  /** Code on the screen of a machine that enrolled without a token and waits; null: another one. */
  readonly approvalCode: string | null;
  /** Name of the token of its last enrolment; null: a clone, or not known. */
  readonly enrolledWith: string | null;
};
