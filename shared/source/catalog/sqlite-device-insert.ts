/** Insertion of a device in SQLite, by each of the ways in which a device enrols. */
import type { Database } from "bun:sqlite";
import type { NewDevice } from "./device-life.ts";

/** Returns the function that inserts a device; columns that are not given are unset. */
export function deviceInserter(
  database: Database,
): (device: NewDevice, row: Record<string, string | number | null>) => void {
  const insert = database.query(
    `INSERT INTO devices
       (id, credential_sha256, hostname, os, arch, agent_version, enrolled_at_ms, last_seen_at_ms, machine,
        unused_instance, unused_since_ms, suspended_at_ms, awaits_approval, cloned_from, clone_instance,
        is_imaging, approval_code)
     VALUES ($id, $credentialSha256, $hostname, $os, $arch, $agentVersion, $enrolledAtMs, $enrolledAtMs, $machine,
        $instance, $enrolledAtMs, $suspendedAtMs, $awaitsApproval, $clonedFrom, $cloneInstance,
        $isImaging, $approvalCode)`,
  );
  const unset = {
    suspendedAtMs: null,
    awaitsApproval: 0,
    clonedFrom: null,
    cloneInstance: null,
    isImaging: 0,
    approvalCode: null,
  };
  return (device, row) => {
    insert.run({ ...device, ...unset, ...row });
  };
}
