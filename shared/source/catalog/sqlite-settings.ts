/**
 * Store of agent settings and their versions in SQLite. Values written by an older program may lack
 * a field; its default applies, so a new setting needs no migration.
 */
import type { Database } from "bun:sqlite";
import { defaultSettingValues, type SettingValues } from "../../model/setting.ts";
import type { SettingRecord, SettingStore } from "./catalog.ts";

type Row = { name: string; version: number; values_json: string };

const toSetting = (row: Row): SettingRecord => ({
  name: row.name,
  version: row.version,
  values: { ...defaultSettingValues, ...(JSON.parse(row.values_json) as Partial<SettingValues>) },
});

export function sqliteSettings(database: Database): SettingStore {
  const byName = database.query<Row, { name: string }>("SELECT * FROM settings WHERE name = $name");
  const put = database.query<Row, { name: string; values: string }>(
    `INSERT INTO settings (name, version, values_json) VALUES ($name, 1, $values)
     ON CONFLICT (name) DO UPDATE SET version = version + 1, values_json = excluded.values_json
     RETURNING *`,
  );
  return {
    async byName(name) {
      const row = byName.get({ name });
      return row && toSetting(row);
    },
    async list() {
      return database.query<Row, []>("SELECT * FROM settings ORDER BY name").all().map(toSetting);
    },
    async put(name, values) {
      return toSetting(put.get({ name, values: JSON.stringify(values) })!);
    },
  };
}
