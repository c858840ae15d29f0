/** A device as the routes see it. */
import type { RemovalReason } from "../../model/enrolment.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";

export type DeviceLife =
  | { readonly state: "active" }
  /** The groups of the device do not count for targets. */
  | { readonly state: "suspended"; readonly atMs: number }
  /** The credential of the device is barred. */
  | { readonly state: "removed"; readonly atMs: number; readonly why: RemovalReason };

export type DeviceRecord = {
  readonly id: string;
  readonly hostname: string;
  readonly enrolledAtMs: number;
  readonly lastSeenAtMs: number;
  /** Null until the first check-in, and while no interface is active. */
  readonly subnet: SubnetIdentity | null;
  /** Identity of the device alone, before merges. */
  readonly ownSubnet: SubnetIdentity | null;
  /** Empty while the device is suspended. */
  readonly groups: readonly string[];
  /** Name that an administrator gave to the device; null: none. */
  readonly name: string | null;
  readonly agentVersion: string;
  readonly life: DeviceLife;
  /** Last time that an enrolment on the same machine took the row over; null: never. */
  readonly takenOverAtMs: number | null;
};
