/**
 * The life of devices in the catalog, as an interface: enrolment, takeover, clones, suspension,
 * removal, and what a device has done. The rules are in model/enrolment.ts and the routes.
 */
import type { EnrolmentDecision, KnownMachine, RemovalReason } from "../../model/enrolment.ts";
import type { DeviceTaskState, Inventory, Progress, TaskAction } from "../../api/schema/common.ts";
import type { TaskState } from "../../model/task-life.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { TokenRecord } from "./token-store.ts";

export type NewDevice = {
  readonly id: string;
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly agentVersion: string;
  readonly credentialSha256: string;
  readonly enrolledAtMs: number;
  /** Digest of the machine's identity; null for a machine without one. */
  readonly machine: string | null;
  /** Process that enrols; null: not known. */
  readonly instance: string | null;
};
/** Terms of the token by which a device enrols. */
export type EnrolmentTerms = Pick<TokenRecord, "name" | "tags" | "needsApproval" | "isImaging"> & {
  /** Id of the token. */
  readonly tokenId: string;
};
/** Machine, process that enrols, and whether it was started for an image. */
export type MachineClaim = Pick<NewDevice, "machine" | "instance"> & { readonly isImaging: boolean };
/** A machine that enrols without a token, and waits for an approval of its code. */
export type PendingMachine = { readonly code: string; readonly tags: readonly string[] };
export type ImagingDevice = {
  readonly id: string;
  /** Whether the machine enrolled without a token, and was not approved. */
  readonly isPending: boolean;
  readonly enrolledAtMs: number;
  readonly lastSeenAtMs: number;
  /** Whether it reported a complete image. */
  readonly isImaged: boolean;
};
export type EnrolledDevice = { readonly deviceId: string; readonly decision: EnrolmentDecision };
export type ClonedDevice =
  | { readonly result: "enrolled"; readonly deviceId: string }
  /** This process has used its new credential already, or too many processes have asked. */
  | { readonly result: "used" | "too-many" };
export type RemovedDevice = Pick<DeviceRecord, "id" | "hostname">;
/** Why a credential is refused, and the device that it belonged to. */
export type BarredCredential = {
  readonly deviceId: string;
  readonly why: RemovalReason | "replaced";
  readonly atMs: number;
};
export type DeviceHistoryEntry = {
  readonly task: {
    readonly id: number;
    readonly packageName: string;
    readonly packageVersion: string;
    readonly action: TaskAction;
    readonly command: string | null;
    readonly run: string | null;
    readonly state: TaskState;
  };
  readonly progress: Progress;
  readonly updatedAtMs: number;
};

export type PackageReport = {
  readonly deviceId: string;
  readonly taskId: number;
  readonly action: TaskAction;
  readonly state: DeviceTaskState;
  readonly updatedAtMs: number;
};

export type PackageFacts = {
  /** Whether the last check-in stated the package. */
  readonly holds: boolean;
  readonly checkedInAtMs: number;
  /** Reports of all tasks of the package, in the order of the tasks. */
  readonly reports: readonly PackageReport[];
};

export interface DeviceLifeStore {
  /** Returns the rows of a machine's identity. */
  sameMachine(claim: MachineClaim, nowMs: number): Promise<KnownMachine[]>;
  /**
   * Reads the rows of the identity, decides and writes in one transaction. A takeover bars the
   * credential that the row had. Takes one use of the token, unless an enrolment is repeated.
   * @returns null when the token has no use left
   */
  enroll(
    device: NewDevice,
    terms: EnrolmentTerms,
    decide: (known: readonly KnownMachine[]) => EnrolmentDecision,
  ): Promise<EnrolledDevice | null>;
  /**
   * Gives a process a row of its own, whose credential others use as well. A process that asks
   * again before it has used its new credential gets another one for the same row.
   * @param clonesMax upper bound on the rows that one credential gives
   */
  enrollClone(
    device: NewDevice & { instance: string },
    from: string,
    clonesMax: number,
  ): Promise<ClonedDevice>;
  /**
   * Enrols a machine that only gets images, and that waits for an approval.
   * @returns false while `pendingMax` machines wait
   */
  enrollPending(device: NewDevice, machine: PendingMachine, pendingMax: number): Promise<boolean>;
  /** Returns the device that waits with this code; null: there is none. */
  withCode(code: string): Promise<DeviceRecord | null>;
  /** Returns earlier rows of the machine of this row, if both only get images. */
  earlierImaging(id: string): Promise<string[]>;
  /** Returns the machines that only get images, without removed ones. */
  imaging(): Promise<ImagingDevice[]>;
  /** Deletes machines that were not approved and were removed before this time. */
  deletePending(beforeMs: number): Promise<void>;
  /** Returns null for a credential that never was one. */
  barred(credentialSha256: string): Promise<BarredCredential | null>;
  /** Removes devices, and keeps their rows and reports. @returns those that were not yet removed */
  remove(ids: readonly string[], why: RemovalReason, atMs: number): Promise<RemovedDevice[]>;
  /** Ends a suspension. @returns whether there was one */
  approve(id: string): Promise<boolean>;
  rename(id: string, name: string | null): Promise<void>;
  /** Returns devices, also removed ones, whose id, host name or given name is this text. */
  named(text: string): Promise<DeviceRecord[]>;
  inventoryOf(id: string): Promise<Inventory | null>;
  /** Returns devices that were not seen since this time. */
  unseenSince(atMs: number): Promise<string[]>;
  /** Returns the last time that any device was seen; null without devices. */
  lastContactMs(): Promise<number | null>;
  /** Time from which the age of unseen devices counts at the earliest; 0: none was stored. */
  expiryFromMs(): Promise<number>;
  setExpiryFrom(atMs: number): Promise<void>;
  /**
   * Deletes rows that were removed before this time, and have no report, or a part of them if they
   * are many. @returns whether nothing is left to delete
   */
  deletePart(beforeMs: number): Promise<boolean>;
  /** Returns what these devices stated and reported about a package. */
  packageFacts(packageId: string, deviceIds: readonly string[]): Promise<Map<string, PackageFacts>>;
  /** Returns the tasks that the device reported, the last report first. */
  history(id: string, limit: number): Promise<DeviceHistoryEntry[]>;
  /** Records the devices without which a task ended. */
  noteAbsent(taskId: number, deviceIds: readonly string[]): Promise<void>;
  /** Returns the tasks that ended without the device. */
  endedWithout(deviceId: string): Promise<number[]>;
  /** Forgets the devices without which a task ended. */
  forgetAbsent(taskId: number): Promise<void>;
}
