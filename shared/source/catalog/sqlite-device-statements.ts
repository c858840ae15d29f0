/** Stores of device-statement.ts in SQLite: the history of devices, their caches and logs. */
import type { Database } from "bun:sqlite";
import * as v from "valibot";
import type { CachedPackage } from "../../api/schema/device-detail.ts";
import { deviceEventSchema } from "../../model/device-event.ts";
import type { DeviceLogRecord, DeviceLogStore, DeviceStatementStore } from "./device-statement.ts";

export type Statement = {
  readonly cached: readonly CachedPackage[];
  /** Own setting that the device uses; null: it did not state one. */
  readonly setting: { readonly name: string; readonly version: number } | null;
};

/**
 * Returns the function that stores the statement of a check-in, in its transaction. A statement
 * that is equal to the one before is not written.
 */
export function statementWriter(
  database: Database,
): (deviceId: string, statement: Statement, atMs: number) => void {
  const write = database.query(
    `INSERT INTO device_statements (device_id, at_ms, cache_json, setting, setting_version)
     VALUES ($deviceId, $atMs, $cache, $setting, $version)
     ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, cache_json = excluded.cache_json,
       setting = coalesce(excluded.setting, setting), setting_version = coalesce(excluded.setting_version, setting_version)
     WHERE cache_json <> excluded.cache_json OR setting IS NOT coalesce(excluded.setting, setting)
       OR setting_version IS NOT coalesce(excluded.setting_version, setting_version)`,
  );
  return (deviceId, { cached, setting }, atMs) => {
    const cache = JSON.stringify(cached);
    write.run({ deviceId, atMs, cache, setting: setting?.name ?? null, version: setting?.version ?? null });
  };
}

type ReportedRow = Omit<CachedPackage, "storedBytes" | "complete"> & { readonly bytesVerified: number };

/** Returns the packages of a statement and of the reports since, the last used ones first. */
function withReported(
  stated: readonly CachedPackage[],
  reported: readonly ReportedRow[],
): readonly CachedPackage[] {
  const packages = new Map(stated.map((held) => [held.packageId, held]));
  for (const { bytesVerified, ...about } of reported) {
    const known = packages.get(about.packageId);
    const storedBytes = Math.max(known?.storedBytes ?? 0, Math.min(bytesVerified, about.totalBytes));
    if (storedBytes === 0) continue;
    const complete = known?.complete === true || storedBytes === about.totalBytes;
    packages.set(about.packageId, { ...about, storedBytes, complete });
  }
  return [...packages.values()].toSorted((a, b) => b.lastUsedAtMs - a.lastUsedAtMs);
}

export function sqliteDeviceStatements(database: Database): DeviceStatementStore {
  const events = database.query<{ at_ms: number; event_json: string }, { deviceId: string; limit: number }>(
    `SELECT at_ms, event_json FROM device_events WHERE device_id = $deviceId
     ORDER BY sequence DESC LIMIT $limit`,
  );
  const cache = database.query<{ at_ms: number; cache_json: string }, { deviceId: string }>(
    `SELECT coalesce(checked_in_at_ms, at_ms) AS at_ms, cache_json
     FROM device_statements JOIN devices ON devices.id = device_id WHERE device_id = $deviceId`,
  );
  // Reports since the check-in: the next one may be a day away.
  const since = database.query<ReportedRow, { deviceId: string; atMs: number }>(
    `SELECT package_id AS packageId, package_name AS name, package_version AS version,
       max(json_extract(report_json, '$.bytesVerified')) AS bytesVerified, package_bytes AS totalBytes,
       max(updated_at_ms) AS lastUsedAtMs
     FROM progress JOIN tasks ON tasks.id = task_id
     WHERE device_id = $deviceId AND updated_at_ms > $atMs GROUP BY package_id`,
  );
  return {
    async events(deviceId, limit) {
      return events.all({ deviceId, limit }).flatMap(({ at_ms: atMs, event_json: json }) => {
        // A later version may have noted events of other kinds.
        const event = v.safeParse(deviceEventSchema, JSON.parse(json));
        return event.success ? [{ atMs, event: event.output }] : [];
      });
    },
    async cache(deviceId) {
      const row = cache.get({ deviceId });
      if (row === null) return null;
      const reported = since.all({ deviceId, atMs: row.at_ms });
      const stated = JSON.parse(row.cache_json) as CachedPackage[];
      return { statedAtMs: row.at_ms, packages: withReported(stated, reported) };
    },
  };
}

type LogRow = {
  request: string;
  state: DeviceLogRecord["state"];
  asked_at_ms: number;
  answered_at_ms: number | null;
  lines_json: string;
};

export function sqliteDeviceLogs(database: Database): DeviceLogStore {
  const ask = database.query(
    `INSERT OR REPLACE INTO device_logs (device_id, request, state, asked_at_ms, answered_at_ms, lines_json)
     VALUES ($deviceId, $request, 'waiting', $atMs, NULL, '[]')`,
  );
  const read = database.query<LogRow, { deviceId: string }>(
    `SELECT request, state, asked_at_ms, answered_at_ms, lines_json FROM device_logs
     WHERE device_id = $deviceId`,
  );
  const answer = database.query(
    `UPDATE device_logs SET state = $state, answered_at_ms = $atMs, lines_json = $lines
     WHERE device_id = $deviceId AND request = $request AND state = 'waiting'`,
  );
  const remove = database.query(
    `DELETE FROM device_logs WHERE answered_at_ms < $answeredAtMs
       OR (answered_at_ms IS NULL AND asked_at_ms < $askedAtMs)`,
  );
  return {
    async ask(deviceId, request, atMs) {
      ask.run({ deviceId, request, atMs });
    },
    async read(deviceId) {
      const row = read.get({ deviceId });
      return (
        row && {
          request: row.request,
          state: row.state,
          askedAtMs: row.asked_at_ms,
          answeredAtMs: row.answered_at_ms,
          lines: JSON.parse(row.lines_json) as string[],
        }
      );
    },
    async answer(deviceId, { request, isRefused, lines, atMs }) {
      const state = isRefused ? "refused" : "taken";
      return answer.run({ deviceId, request, state, atMs, lines: JSON.stringify(lines) }).changes > 0;
    },
    async removeBefore(answeredAtMs, askedAtMs) {
      remove.run({ answeredAtMs, askedAtMs });
    },
  };
}
