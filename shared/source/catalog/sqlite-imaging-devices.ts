/**
 * Machines that were started for an image, in SQLite: those that enrol without a token, and those
 * whose end the source looks for. The rules are in imaging-devices.ts of the source.
 */
import type { Database } from "bun:sqlite";
import type { DeviceLifeStore, ImagingDevice, NewDevice, PendingMachine } from "./device-life.ts";
import { deviceInserter } from "./sqlite-device-insert.ts";
import { selectDevices, toDevice, type DeviceRow } from "./sqlite-device-row.ts";

type Part = Pick<
  DeviceLifeStore,
  "enrollPending" | "withCode" | "earlierImaging" | "imaging" | "deletePending"
>;
type Row = {
  id: string;
  isPending: number;
  enrolledAtMs: number;
  lastSeenAtMs: number;
  isImaged: number;
};

export function imagingDevices(database: Database): Part {
  const insert = deviceInserter(database);
  const pending = database.query<{ rows: number }, []>(
    "SELECT count(*) AS rows FROM devices WHERE approval_code IS NOT NULL AND removed_at_ms IS NULL",
  );
  const tag = database.query("UPDATE devices SET tags_json = $tags WHERE id = $id");
  const enroll = database.transaction(
    (device: NewDevice, { code, tags }: PendingMachine, pendingMax: number): boolean => {
      if (pending.get()!.rows >= pendingMax) return false;
      const waits = { suspendedAtMs: device.enrolledAtMs, awaitsApproval: 1 };
      insert(device, { ...waits, isImaging: 1, approvalCode: code });
      tag.run({ id: device.id, tags: JSON.stringify(tags) });
      return true;
    },
  );
  const withCode = database.query<DeviceRow, { code: string }>(
    `${selectDevices} WHERE approval_code = $code AND removed_at_ms IS NULL`,
  );
  const earlier = database.query<{ id: string }, { id: string }>(
    `SELECT other.id FROM devices JOIN devices AS other ON other.machine = devices.machine
     WHERE devices.id = $id AND other.id <> devices.id AND devices.is_imaging = 1 AND other.is_imaging = 1
       AND other.approval_code IS NULL AND other.removed_at_ms IS NULL`,
  );
  const list = database.query<Row, []>(
    `SELECT id, approval_code IS NOT NULL AS isPending, enrolled_at_ms AS enrolledAtMs,
       last_seen_at_ms AS lastSeenAtMs,
       EXISTS (SELECT 1 FROM progress JOIN tasks ON tasks.id = task_id
         WHERE device_id = devices.id AND action = 'image' AND progress.state = 'complete') AS isImaged
     FROM devices WHERE is_imaging = 1 AND removed_at_ms IS NULL`,
  );
  const purge = database.query(
    "DELETE FROM devices WHERE approval_code IS NOT NULL AND removed_at_ms < $beforeMs",
  );
  return {
    enrollPending: async (device, machine, pendingMax) => enroll.immediate(device, machine, pendingMax),
    async withCode(code) {
      const row = withCode.get({ code });
      return row && toDevice(row);
    },
    earlierImaging: async (id) => earlier.all({ id }).map((row) => row.id),
    imaging: async () =>
      list.all().map((row): ImagingDevice => ({
        id: row.id,
        isPending: row.isPending === 1,
        enrolledAtMs: row.enrolledAtMs,
        lastSeenAtMs: row.lastSeenAtMs,
        isImaged: row.isImaged === 1,
      })),
    async deletePending(beforeMs) {
      purge.run({ beforeMs });
    },
  };
}
