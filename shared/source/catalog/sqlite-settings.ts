/**
 * Store of agent settings, their versions and assignments in SQLite. The tree is kept in memory,
 * because every check-in reads it. Differences may lack any field, so a new setting needs no
 * migration, and unknown fields of another program are ignored.
 */
import type { Database } from "bun:sqlite";
import { settingFields, type SettingDifferences } from "../../model/setting.ts";
import { rootSetting, type SettingAssignment, type SettingTree } from "../../model/setting-inheritance.ts";
import { currentPerson } from "../acting.ts";
import type { SettingStore, SettingUses, SettingVersionRecord } from "./setting-store.ts";

/** Versions of a setting that stay. */
const versionsMax = 1_000;

type Row = { name: string; version: number; parent: string | null; differences_json: string };
type VersionRow = Omit<Row, "name"> & { changed_at_ms: number | null; changed_by: string | null };

function differencesOf(json: string): SettingDifferences {
  const stored = JSON.parse(json) as Record<string, unknown>;
  const known = settingFields.filter((field) => Object.hasOwn(stored, field));
  return Object.fromEntries(known.map((field) => [field, stored[field]])) as SettingDifferences;
}

/** Returns a reader of the tree, which reads it again after `forget`. */
function treeOf(database: Database): { read: () => SettingTree; forget: () => void } {
  const all = database.query<Row, { root: string }>(
    "SELECT name, version, parent, differences_json FROM settings ORDER BY name <> $root, name",
  );
  let tree: SettingTree | null = null;
  const read = (): SettingTree =>
    (tree ??= new Map(
      all.all({ root: rootSetting }).map(({ differences_json: json, ...row }) => {
        return [row.name, { ...row, differences: differencesOf(json) }] as const;
      }),
    ));
  return { read, forget: () => (tree = null) };
}

function changeSetting(database: Database, tree: ReturnType<typeof treeOf>): SettingStore["change"] {
  const put = database.query<
    { version: number },
    { name: string; parent: string | null; differences: string }
  >(
    `INSERT INTO settings (name, version, parent, differences_json) VALUES ($name, 1, $parent, $differences)
     ON CONFLICT (name) DO UPDATE SET version = version + 1, parent = excluded.parent,
       differences_json = excluded.differences_json
     RETURNING version`,
  );
  const note = database.query(
    `INSERT INTO setting_versions (name, version, parent, differences_json, changed_at_ms, changed_by)
     VALUES ($name, $version, $parent, $differences, $atMs, $by)`,
  );
  const forgetOld = database.query("DELETE FROM setting_versions WHERE name = $name AND version <= $oldest");
  return async (name, atMs, decide) => {
    const before = tree.read();
    database
      .transaction(() => {
        const content = decide(before);
        if (content === null) return;
        const row = { name, parent: content.parent, differences: JSON.stringify(content.differences) };
        const { version } = put.get(row)!;
        note.run({ ...row, version, atMs, by: currentPerson() });
        forgetOld.run({ name, oldest: version - versionsMax });
        tree.forget();
      })
      .immediate();
    return { before, after: tree.read() };
  };
}

function usesOf(database: Database): (name: string) => SettingUses {
  const tasks = database.query<{ id: number }, { name: string }>(
    "SELECT id FROM tasks WHERE setting = $name AND state IN ('active', 'paused') ORDER BY id",
  );
  const children = database.query<{ name: string }, { name: string }>(
    "SELECT name FROM settings WHERE parent = $name ORDER BY name",
  );
  const targets = database.query<{ target: string }, { name: string }>(
    "SELECT target FROM setting_assignments WHERE setting = $name ORDER BY rank",
  );
  return (name) => ({
    tasks: tasks.all({ name }).map(({ id }) => id),
    children: children.all({ name }).map((row) => row.name),
    targets: targets.all({ name }).map(({ target }) => target),
  });
}

function assignmentsOf(database: Database): Pick<SettingStore, "assignments" | "changeAssignments"> {
  const list = database.query<SettingAssignment, []>(
    "SELECT setting, target FROM setting_assignments ORDER BY rank",
  );
  const clear = database.query("DELETE FROM setting_assignments");
  const add = database.query(
    "INSERT INTO setting_assignments (rank, setting, target) VALUES ($rank, $setting, $target)",
  );
  return {
    assignments: async () => list.all(),
    changeAssignments: async (decide) =>
      database
        .transaction(() => {
          const before = list.all();
          const after = decide(before);
          clear.run();
          for (const [index, { setting, target }] of after.entries())
            add.run({ rank: index + 1, setting, target });
          return { before, after };
        })
        .immediate(),
  };
}

/** @returns the store, and a function that reads the tree again after a rollback */
export function sqliteSettings(database: Database): {
  readonly store: SettingStore;
  readonly forget: () => void;
} {
  const tree = treeOf(database);
  const uses = usesOf(database);
  const versions = database.query<VersionRow, { name: string }>(
    `SELECT version, parent, differences_json, changed_at_ms, changed_by FROM setting_versions
     WHERE name = $name ORDER BY version DESC`,
  );
  const rename = database.query("UPDATE settings SET name = $to WHERE name = $from");
  const renameInTasks = database.query("UPDATE tasks SET setting = $to WHERE setting = $from");
  const remove = database.query("DELETE FROM settings WHERE name = $name");
  const toVersion = ({ differences_json: json, ...row }: VersionRow): SettingVersionRecord => ({
    version: row.version,
    parent: row.parent,
    differences: differencesOf(json),
    changedAtMs: row.changed_at_ms,
    changedBy: row.changed_by,
  });
  const store: SettingStore = {
    ...assignmentsOf(database),
    change: changeSetting(database, tree),
    tree: async () => tree.read(),
    versions: async (name) => versions.all({ name }).map(toVersion),
    uses: async (name) => uses(name),
    async rename(from, to) {
      database.transaction(() => {
        rename.run({ from, to });
        renameInTasks.run({ from, to });
      })();
      tree.forget();
    },
    async remove(name) {
      const found = database.transaction(() => {
        const used = uses(name);
        if (used.tasks.length + used.children.length + used.targets.length === 0) remove.run({ name });
        return used;
      })();
      tree.forget();
      return found;
    },
  };
  return { store, forget: tree.forget };
}
