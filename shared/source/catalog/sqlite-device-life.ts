/** Store of the life of devices in SQLite: device-life.ts. */
import type { Database } from "bun:sqlite";
import type { Inventory, Progress } from "../../api/schema/common.ts";
import { tagsMax } from "../../api/schema/labels.ts";
import { changedTags } from "../../model/tags.ts";
import type { KnownMachine, RemovalReason } from "../../model/enrolment.ts";
import type { TaskRecord } from "./catalog.ts";
import type {
  ClonedDevice,
  DeviceLifeStore,
  EnrolledDevice,
  EnrolmentTerms,
  MachineClaim,
  NewDevice,
  PackageReport,
} from "./device-life.ts";
import { deviceInserter } from "./sqlite-device-insert.ts";
import { imagingDevices } from "./sqlite-imaging-devices.ts";
import { selectDevices, toDevice, type DeviceRow } from "./sqlite-device-row.ts";
import { tokenSpender } from "./sqlite-tokens.ts";

/** A process that does not use its credential for this time after its enrolment is gone. */
const unusedMs = 300_000;

type MachineRow = {
  id: string;
  suspended_at_ms: number | null;
  removed_at_ms: number | null;
  removed_why: RemovalReason | null;
  unused_instance: string | null;
  unused_since_ms: number | null;
};

function knownOf(row: MachineRow, instance: string | null, nowMs: number): KnownMachine {
  const kept = row.suspended_at_ms === null ? "active" : "suspended";
  const life = row.removed_at_ms === null ? kept : (row.removed_why ?? "removed");
  const isOwn = row.unused_instance !== null && row.unused_instance === instance;
  const isOther = row.unused_instance !== null && nowMs - (row.unused_since_ms ?? 0) < unusedMs;
  return { id: row.id, life, isConnected: false, unused: isOwn ? "own" : isOther ? "other" : null };
}

function enrolment(database: Database): Pick<DeviceLifeStore, "enroll" | "sameMachine"> {
  const insert = deviceInserter(database);
  // An installed system and the boot image of one machine are two devices. A machine that waits
  // with a code has proved nothing.
  const same = database.query<MachineRow, { machine: string; isImaging: number }>(
    `SELECT id, suspended_at_ms, removed_at_ms, removed_why, unused_instance, unused_since_ms
     FROM devices WHERE machine = $machine AND is_imaging = $isImaging AND approval_code IS NULL ORDER BY id`,
  );
  const bar = database.query(
    `INSERT OR IGNORE INTO replaced_credentials (credential_sha256, device_id, replaced_at_ms)
     SELECT credential_sha256, id, $atMs FROM devices WHERE id = $id`,
  );
  const renew = database.query(
    `UPDATE devices SET credential_sha256 = $credentialSha256, hostname = $hostname, os = $os, arch = $arch,
       agent_version = $agentVersion, last_seen_at_ms = $enrolledAtMs, unused_instance = $instance,
       unused_since_ms = $enrolledAtMs
     WHERE id = $rowId`,
  );
  const takeOver = database.query(
    `UPDATE devices SET taken_over_at_ms = $atMs, packages_json = '[]', removed_at_ms = NULL, removed_why = NULL,
       suspended_at_ms = CASE WHEN $suspended THEN coalesce(suspended_at_ms, $atMs) END
     WHERE id = $id`,
  );
  const applyTerms = termsApplier(database);
  const spend = tokenSpender(database);
  const known = ({ machine, instance, isImaging }: MachineClaim, nowMs: number): KnownMachine[] =>
    machine === null
      ? []
      : same.all({ machine, isImaging: Number(isImaging) }).map((row) => knownOf(row, instance, nowMs));
  const enroll = database.transaction(
    (
      device: NewDevice,
      terms: EnrolmentTerms,
      decide: Parameters<DeviceLifeStore["enroll"]>[2],
    ): EnrolledDevice | null => {
      const { enrolledAtMs: atMs } = device;
      const { isImaging } = terms;
      const decision = decide(known({ ...device, isImaging }, atMs));
      if (decision.kind !== "repeat" && !spend(terms.tokenId, atMs)) return null;
      if (decision.kind === "new") {
        insert(device, {
          suspendedAtMs: decision.suspended ? atMs : null,
          isImaging: Number(isImaging),
        });
        applyTerms(device.id, terms, atMs);
        return { deviceId: device.id, decision };
      }
      const { id: _id, machine: _machine, ...rest } = device;
      bar.run({ id: decision.id, atMs });
      renew.run({ ...rest, rowId: decision.id });
      if (decision.kind === "takeover") {
        takeOver.run({ id: decision.id, atMs, suspended: decision.suspended });
        applyTerms(decision.id, terms, atMs);
      }
      return { deviceId: decision.id, decision };
    },
  );
  return {
    sameMachine: async (claim, nowMs) => known(claim, nowMs),
    enroll: async (device, terms, decide) => enroll.immediate(device, terms, decide),
  };
}

/** Returns the function that gives a row the tags of a token, and lets it wait for an approval. */
function termsApplier(database: Database): (id: string, terms: EnrolmentTerms, atMs: number) => void {
  const read = database.query<{ tags_json: string }, { id: string }>(
    "SELECT tags_json FROM devices WHERE id = $id",
  );
  const write = database.query(
    `UPDATE devices SET tags_json = $tags, enrolled_with = $name,
       suspended_at_ms = CASE WHEN $needsApproval OR awaits_approval THEN coalesce(suspended_at_ms, $atMs)
         ELSE suspended_at_ms END,
       awaits_approval = max(awaits_approval, $needsApproval)
     WHERE id = $id`,
  );
  return (id, { name, tags, needsApproval }, atMs) => {
    const before = JSON.parse(read.get({ id })!.tags_json) as string[];
    const after = changedTags(before, tags, []).slice(0, Math.max(tagsMax, before.length));
    write.run({ id, tags: JSON.stringify(after), name, needsApproval: Number(needsApproval), atMs });
  };
}

function clones(database: Database): Pick<DeviceLifeStore, "enrollClone"> {
  const insert = deviceInserter(database);
  const found = database.query<
    { id: string; unused_instance: string | null },
    { from: string; instance: string }
  >("SELECT id, unused_instance FROM devices WHERE cloned_from = $from AND clone_instance = $instance");
  // A device that waits for an approval would otherwise get round it.
  const waitOf = database.query<
    { suspendedAtMs: number | null; awaitsApproval: number; isImaging: number },
    { from: string }
  >(
    `SELECT iif(awaits_approval, suspended_at_ms, NULL) AS suspendedAtMs, awaits_approval AS awaitsApproval,
       is_imaging AS isImaging
     FROM devices WHERE id = $from`,
  );
  const count = database.query<{ rows: number }, { from: string }>(
    "SELECT count(*) AS rows FROM devices WHERE cloned_from = $from",
  );
  const renew = database.query(
    "UPDATE devices SET credential_sha256 = $credentialSha256, unused_since_ms = $enrolledAtMs WHERE id = $id",
  );
  const enroll = database.transaction(
    (device: NewDevice & { instance: string }, from: string, clonesMax: number): ClonedDevice => {
      const { instance, credentialSha256, enrolledAtMs } = device;
      const known = found.get({ from, instance });
      if (known === null) {
        if (count.get({ from })!.rows >= clonesMax) return { result: "too-many" };
        insert(device, { clonedFrom: from, cloneInstance: instance, ...waitOf.get({ from }) });
        return { result: "enrolled", deviceId: device.id };
      }
      if (known.unused_instance === null) return { result: "used" };
      renew.run({ id: known.id, credentialSha256, enrolledAtMs });
      return { result: "enrolled", deviceId: known.id };
    },
  );
  return { enrollClone: async (device, from, clonesMax) => enroll.immediate(device, from, clonesMax) };
}

/** Rows of removed devices that one transaction deletes. */
const deletedRows = 500;

function removal(database: Database): Pick<DeviceLifeStore, "barred" | "remove" | "deletePart"> {
  const removed = database.query<
    { id: string; removed_why: RemovalReason; removed_at_ms: number },
    { sha256: string }
  >(
    `SELECT id, removed_why, removed_at_ms FROM devices
     WHERE credential_sha256 = $sha256 AND removed_at_ms IS NOT NULL`,
  );
  // The row of a replaced credential may have been removed since.
  const replaced = database.query<
    { id: string; removed_why: RemovalReason | null; at_ms: number },
    { sha256: string }
  >(
    `SELECT id, removed_why, coalesce(removed_at_ms, replaced_at_ms) AS at_ms
     FROM replaced_credentials JOIN devices ON devices.id = device_id
     WHERE replaced_credentials.credential_sha256 = $sha256`,
  );
  // Without an address, the device is not a neighbour of any other.
  const remove = database.query<
    { id: string; hostname: string },
    { id: string; why: RemovalReason; atMs: number }
  >(
    `UPDATE devices SET removed_at_ms = $atMs, removed_why = $why, lan_port = 0, packages_json = '[]'
     WHERE id = $id AND removed_at_ms IS NULL RETURNING id, hostname`,
  );
  const forgetAbsent = database.query("DELETE FROM task_absentees WHERE device_id = $id");
  const removeAll = database.transaction((ids: readonly string[], why: RemovalReason, atMs: number) =>
    ids.flatMap((id) => {
      forgetAbsent.run({ id });
      return remove.all({ id, why, atMs });
    }),
  );
  const purge = database.query(
    `DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE removed_at_ms < $beforeMs
       AND NOT EXISTS (SELECT 1 FROM progress WHERE device_id = devices.id) LIMIT ${deletedRows})`,
  );
  const left = database.query(
    `SELECT 1 FROM devices WHERE removed_at_ms < $beforeMs
       AND NOT EXISTS (SELECT 1 FROM progress WHERE device_id = devices.id) LIMIT 1`,
  );
  return {
    async barred(sha256) {
      const row = removed.get({ sha256 });
      if (row !== null) return { deviceId: row.id, why: row.removed_why, atMs: row.removed_at_ms };
      const old = replaced.get({ sha256 });
      // A credential that was replaced before the clones were found is not one of theirs.
      const why = old?.removed_why === "removed" ? "removed" : "replaced";
      return old && { deviceId: old.id, why, atMs: old.at_ms };
    },
    remove: async (ids, why, atMs) => removeAll.immediate(ids, why, atMs),
    deletePart: async (beforeMs) => {
      purge.run({ beforeMs });
      return left.get({ beforeMs }) === null;
    },
  };
}

type HistoryRow = {
  id: number;
  package_name: string;
  package_version: string;
  action: TaskRecord["action"];
  command: string | null;
  run: string | null;
  state: TaskRecord["state"];
  updated_at_ms: number;
  report_json: string;
};

function records(database: Database): Pick<DeviceLifeStore, "history" | "inventoryOf" | "packageFacts"> {
  const history = database.query<HistoryRow, { id: string; limit: number }>(
    `SELECT tasks.id, package_name, package_version, action, command, run, tasks.state, updated_at_ms, report_json
     FROM progress JOIN tasks ON tasks.id = task_id WHERE device_id = $id
     ORDER BY updated_at_ms DESC, task_id DESC LIMIT $limit`,
  );
  const facts = database.query<
    { id: string; at_ms: number; holds: number },
    { packageId: string; ids: string }
  >(
    `SELECT id, coalesce(checked_in_at_ms, 0) AS at_ms,
       EXISTS (SELECT 1 FROM json_each(packages_json) WHERE value = $packageId) AS holds
     FROM devices WHERE id IN (SELECT value FROM json_each($ids))`,
  );
  const reports = database.query<PackageReport, { packageId: string; ids: string }>(
    `SELECT device_id AS deviceId, task_id AS taskId, action, progress.state AS state, updated_at_ms AS updatedAtMs
     FROM tasks CROSS JOIN json_each($ids) AS wanted CROSS JOIN progress
     WHERE package_id = $packageId AND task_id = tasks.id AND device_id = wanted.value ORDER BY task_id`,
  );
  const inventory = database.query<{ inventory_json: string }, { id: string }>(
    "SELECT inventory_json FROM device_inventories WHERE device_id = $id",
  );
  return {
    async history(id, limit) {
      return history.all({ id, limit }).map((row) => ({
        task: {
          id: row.id,
          packageName: row.package_name,
          packageVersion: row.package_version,
          action: row.action,
          command: row.command,
          run: row.run,
          state: row.state,
        },
        progress: JSON.parse(row.report_json) as Progress,
        updatedAtMs: row.updated_at_ms,
      }));
    },
    async packageFacts(packageId, deviceIds) {
      const parameters = { packageId, ids: JSON.stringify(deviceIds) };
      const own = Map.groupBy(reports.all(parameters), ({ deviceId }) => deviceId);
      return new Map(
        facts
          .all(parameters)
          .map(({ id, at_ms: checkedInAtMs, holds }) => [
            id,
            { holds: holds === 1, checkedInAtMs, reports: own.get(id) ?? [] },
          ]),
      );
    },
    async inventoryOf(id) {
      const text = inventory.get({ id })?.inventory_json ?? null;
      return text === null ? null : (JSON.parse(text) as Inventory);
    },
  };
}

function absentees(
  database: Database,
): Pick<DeviceLifeStore, "noteAbsent" | "endedWithout" | "forgetAbsent"> {
  const insert = database.query(
    "INSERT OR IGNORE INTO task_absentees (device_id, task_id) VALUES ($deviceId, $taskId)",
  );
  const note = database.transaction((taskId: number, deviceIds: readonly string[]) => {
    for (const deviceId of deviceIds) insert.run({ deviceId, taskId });
  });
  const tasks = database.query<{ task_id: number }, { deviceId: string }>(
    "SELECT task_id FROM task_absentees WHERE device_id = $deviceId ORDER BY task_id",
  );
  const forget = database.query("DELETE FROM task_absentees WHERE task_id = $taskId");
  return {
    noteAbsent: async (taskId, deviceIds) => note(taskId, deviceIds),
    endedWithout: async (deviceId) => tasks.all({ deviceId }).map((row) => row.task_id),
    async forgetAbsent(taskId) {
      forget.run({ taskId });
    },
  };
}

const expiryKey = "expiry_from_ms";

function expiry(
  database: Database,
): Pick<DeviceLifeStore, "unseenSince" | "lastContactMs" | "expiryFromMs" | "setExpiryFrom"> {
  const unseen = database.query<{ id: string }, { atMs: number }>(
    "SELECT id FROM devices WHERE removed_at_ms IS NULL AND last_seen_at_ms < $atMs",
  );
  const last = database.query<{ at_ms: number | null }, []>(
    "SELECT max(last_seen_at_ms) AS at_ms FROM devices WHERE removed_at_ms IS NULL",
  );
  const read = database.query<{ value: string }, { key: string }>("SELECT value FROM meta WHERE key = $key");
  const write = database.query(
    "INSERT INTO meta (key, value) VALUES ($key, $value) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  return {
    unseenSince: async (atMs) => unseen.all({ atMs }).map(({ id }) => id),
    lastContactMs: async () => last.get()?.at_ms ?? null,
    expiryFromMs: async () => Number(read.get({ key: expiryKey })?.value ?? 0),
    async setExpiryFrom(atMs) {
      write.run({ key: expiryKey, value: String(atMs) });
    },
  };
}

export function sqliteDeviceLife(database: Database): DeviceLifeStore {
  // A machine that waits with a code chose its host name: only the code and the id find it.
  const named = database.query<DeviceRow, { text: string }>(
    `${selectDevices}
     WHERE devices.id = $text OR (hostname = $text COLLATE NOCASE AND approval_code IS NULL)
       OR display_name = $text COLLATE NOCASE
     ORDER BY +enrolled_at_ms, devices.id`,
  );
  return {
    ...expiry(database),
    ...enrolment(database),
    ...clones(database),
    ...removal(database),
    ...records(database),
    ...absentees(database),
    ...imagingDevices(database),
    async approve(id) {
      const query = database.query(
        `UPDATE devices SET suspended_at_ms = NULL, awaits_approval = 0, approval_code = NULL
         WHERE id = $id AND suspended_at_ms IS NOT NULL`,
      );
      return query.run({ id }).changes > 0;
    },
    async rename(id, name) {
      database.query("UPDATE devices SET display_name = $name WHERE id = $id").run({ id, name });
    },
    named: async (text) => named.all({ text }).map(toDevice),
  };
}
