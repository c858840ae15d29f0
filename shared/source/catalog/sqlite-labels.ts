/** Store of tags, groups, sites and names of subnets in SQLite. */
import type { Database } from "bun:sqlite";
import { foldedName } from "../../model/glob.ts";
import { changedTags } from "../../model/tags.ts";
import type { LabelStore } from "./catalog.ts";
import { spellingsOf } from "./sqlite-device-list.ts";

type NameRow = { name: string; created_at_ms: number };
const toNamed = ({ name, created_at_ms: createdAtMs }: NameRow) => ({ name, createdAtMs });

function tagging(database: Database): Pick<LabelStore, "tag" | "removeTag"> {
  const read = database.query<{ tags_json: string }, { id: string }>(
    "SELECT tags_json FROM devices WHERE id = $id",
  );
  const write = database.query("UPDATE devices SET tags_json = $tags WHERE id = $id");
  const tagged = database.query<{ id: string }, { tags: string }>(
    `SELECT device_id AS id FROM device_tags WHERE tag IN (SELECT value FROM json_each($tags))
     UNION SELECT id FROM devices WHERE removed_at_ms IS NOT NULL AND tags_json <> '[]'`,
  );
  const spellings = spellingsOf(database);
  const endGroup = database.query("DELETE FROM groups WHERE folded = $folded");
  const changeOne = (id: string, add: readonly string[], remove: readonly string[]): boolean => {
    const before = read.get({ id })?.tags_json;
    if (before === undefined) return false;
    const tags = JSON.stringify(changedTags(JSON.parse(before) as string[], add, remove));
    if (tags !== before) write.run({ id, tags });
    return tags !== before;
  };
  const tag = database.transaction(
    (ids: readonly string[], add: readonly string[], remove: readonly string[]) =>
      ids.filter((id) => changeOne(id, add, remove)),
  );
  const removeTag = database.transaction((name: string) => {
    endGroup.run({ folded: foldedName(name) });
    return tagged
      .all({ tags: spellings([name]) })
      .flatMap(({ id }) => (changeOne(id, [], [name]) ? [id] : []));
  });
  return {
    tag: async (ids, { add, remove }) => tag.immediate(ids, add, remove),
    removeTag: async (name) => removeTag.immediate(name),
  };
}

function subnetLabels(database: Database): LabelStore["labelSubnet"] {
  const add = database.query("INSERT OR IGNORE INTO subnet_labels (subnet_id) VALUES ($subnetId)");
  const setName = database.query("UPDATE subnet_labels SET name = $name WHERE subnet_id = $subnetId");
  const setSite = database.query(
    `UPDATE subnet_labels SET site_id = (SELECT id FROM sites WHERE folded = $folded)
     WHERE subnet_id = $subnetId`,
  );
  const clean = database.query("DELETE FROM subnet_labels WHERE name IS NULL AND site_id IS NULL");
  const run = database.transaction((subnetId: string, label: Parameters<LabelStore["labelSubnet"]>[1]) => {
    const { name, site } = label;
    add.run({ subnetId });
    if (name !== undefined) setName.run({ subnetId, name });
    if (site !== undefined) setSite.run({ subnetId, folded: site === null ? null : foldedName(site) });
    clean.run();
  });
  return async (subnetId, label) => run.immediate(subnetId, label);
}

export function sqliteLabels(database: Database): LabelStore {
  const groups = database.query<NameRow, []>("SELECT name, created_at_ms FROM groups ORDER BY folded");
  const sites = database.query<NameRow, []>("SELECT name, created_at_ms FROM sites ORDER BY folded");
  const addTo = (table: "groups" | "sites") => {
    const insert = database.query(
      `INSERT OR IGNORE INTO ${table} (folded, name, created_at_ms) VALUES ($folded, $name, $atMs)`,
    );
    return async (name: string, atMs: number): Promise<boolean> =>
      insert.run({ folded: foldedName(name), name, atMs }).changes > 0;
  };
  const rename = database.query(
    "UPDATE sites SET folded = $newFolded, name = $newName WHERE folded = $folded",
  );
  const remove = database.query("DELETE FROM sites WHERE folded = $folded");
  return {
    ...tagging(database),
    groups: async () => groups.all().map(toNamed),
    createGroup: addTo("groups"),
    sites: async () => sites.all().map(toNamed),
    createSite: addTo("sites"),
    async renameSite(name, newName) {
      rename.run({ folded: foldedName(name), newFolded: foldedName(newName), newName });
    },
    async removeSite(name) {
      remove.run({ folded: foldedName(name) });
    },
    labelSubnet: subnetLabels(database),
  };
}
