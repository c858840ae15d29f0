/** Store of packages, their signed manifests and the publisher keys in SQLite. */
import type { Database } from "bun:sqlite";
import type { PackageUrl } from "../../model/package-url.ts";
import type { PackageRecord, PackageStore } from "./catalog.ts";

type Row = {
  id: string;
  name: string;
  version: string;
  size_bytes: number;
  file_count: number;
  chunk_size_bytes: number;
  commands_json: string;
  state: "uploading" | "ready";
  published_at_ms: number;
  package_key: Uint8Array;
};
/** Columns without the manifest, which may have 16 MiB and is read separately. */
const columns =
  "id, name, version, size_bytes, file_count, chunk_size_bytes, commands_json, state, published_at_ms, package_key";

const toPackage = (row: Row, urls: readonly PackageUrl[]): PackageRecord => ({
  id: row.id,
  name: row.name,
  version: row.version,
  sizeBytes: row.size_bytes,
  fileCount: row.file_count,
  chunkSizeBytes: row.chunk_size_bytes,
  commands: JSON.parse(row.commands_json) as PackageRecord["commands"],
  urls,
  state: row.state,
  publishedAtMs: row.published_at_ms,
  packageKey: row.package_key,
});

function insertPackage(database: Database): PackageStore["add"] {
  const replaceUnready = database.query(
    "DELETE FROM packages WHERE name = $name AND version = $version AND state = 'uploading'",
  );
  const insert = database.query(
    `INSERT INTO packages (${columns}, key_began_ms, manifest, signature, publisher_key)
     VALUES ($id, $name, $version, $sizeBytes, $fileCount, $chunkSizeBytes, $commands, $state, $publishedAtMs,
             $packageKey, $publishedAtMs, $manifest, $signature, $publisherKey)`,
  );
  return async (record, signed) => {
    database.transaction(() => {
      replaceUnready.run({ name: record.name, version: record.version });
      const { urls: _urls, commands, ...row } = record;
      insert.run({ ...row, commands: JSON.stringify(commands), ...signed });
    })();
  };
}

function urlChanges(database: Database): Pick<PackageStore, "addUrl" | "removeUrl" | "markReady"> {
  const addUrl = database.query(
    `INSERT INTO package_urls (package_id, position, url, layout)
     SELECT $id, coalesce(max(position), 0) + 1, $url, $layout FROM package_urls WHERE package_id = $id
     ON CONFLICT (package_id, url) DO NOTHING`,
  );
  const removeUrl = database.query("DELETE FROM package_urls WHERE package_id = $id AND url = $url");
  const markReady = database.query("UPDATE packages SET state = 'ready' WHERE id = $id");
  return {
    async addUrl(id, { url, layout }) {
      database.transaction(() => {
        addUrl.run({ id, url, layout });
        markReady.run({ id });
      })();
    },
    async removeUrl(id, url) {
      removeUrl.run({ id, url });
    },
    async markReady(id) {
      markReady.run({ id });
    },
  };
}

function removePackage(database: Database): PackageStore["remove"] {
  const needed = database.query<{ id: number }, { id: string }>(
    "SELECT id FROM tasks WHERE package_id = $id AND state IN ('active', 'paused') ORDER BY id",
  );
  const removals = ["package_urls", "leases"].map((table) =>
    database.query(`DELETE FROM ${table} WHERE package_id = $id`),
  );
  const remove = database.query("DELETE FROM packages WHERE id = $id");
  return async (id) =>
    database
      .transaction(() => {
        const tasks = needed.all({ id }).map((row) => row.id);
        if (tasks.length > 0) return tasks;
        for (const removal of removals) removal.run({ id });
        remove.run({ id });
        return [];
      })
      .immediate();
}

function unfinished(database: Database): Pick<PackageStore, "unfinishedBefore" | "removeUnfinished"> {
  return {
    async unfinishedBefore(atMs) {
      return database
        .query<{ id: string }, { atMs: number }>(
          "SELECT id FROM packages WHERE state = 'uploading' AND published_at_ms < $atMs",
        )
        .all({ atMs })
        .map(({ id }) => id);
    },
    async removeUnfinished(id) {
      const removed = database
        .query("DELETE FROM packages WHERE id = $id AND state = 'uploading'")
        .run({ id });
      return removed.changes > 0;
    },
  };
}

function packagePage(database: Database, withUrls: (row: Row) => PackageRecord | null): PackageStore["page"] {
  const page = database.query<
    Row & { number: number },
    { atMs: number; number: number; search: string; limit: number }
  >(
    `SELECT rowid AS number, ${columns} FROM packages WHERE (published_at_ms, rowid) < ($atMs, $number)
       AND ($search = '' OR instr(lower(name), $search))
     ORDER BY published_at_ms DESC, rowid DESC LIMIT $limit`,
  );
  return async ({ after, search, limit }) => {
    const [atMs, number] = after ?? [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
    return page
      .all({ atMs, number, search: (search ?? "").toLowerCase(), limit })
      .map((row) => ({ record: withUrls(row)!, key: [row.published_at_ms, row.number] as const }));
  };
}

export function sqlitePackages(database: Database): PackageStore {
  const urlsOf = database.query<PackageUrl, { id: string }>(
    "SELECT url, layout FROM package_urls WHERE package_id = $id ORDER BY position",
  );
  const withUrls = (row: Row | null): PackageRecord | null =>
    row && toPackage(row, urlsOf.all({ id: row.id }));
  const byId = database.query<Row, { id: string }>(`SELECT ${columns} FROM packages WHERE id = $id`);
  const byNameVersion = database.query<Row, { name: string; version: string }>(
    `SELECT ${columns} FROM packages WHERE name = $name AND version = $version`,
  );
  const list = database.query<Row, []>(
    `SELECT ${columns} FROM packages ORDER BY published_at_ms DESC, rowid DESC`,
  );
  const signedManifest = database.query<
    { manifest: Uint8Array; signature: Uint8Array; publisher_key: Uint8Array },
    { id: string }
  >("SELECT manifest, signature, publisher_key FROM packages WHERE id = $id");
  return {
    add: insertPackage(database),
    async byId(id) {
      return withUrls(byId.get({ id }));
    },
    async byNameVersion(name, version) {
      return withUrls(byNameVersion.get({ name, version }));
    },
    async list() {
      return list.all().map((row) => withUrls(row)!);
    },
    page: packagePage(database, withUrls),
    async signedManifest(id) {
      const row = signedManifest.get({ id });
      return row && { manifest: row.manifest, signature: row.signature, publisherKey: row.publisher_key };
    },
    async publisherOf(id) {
      const query = "SELECT hex(publisher_key) AS key FROM packages WHERE id = $id";
      return database.query<{ key: string }, { id: string }>(query).get({ id })?.key ?? null;
    },
    async replaceSignature(id, { signature, publisherKey }) {
      database
        .query("UPDATE packages SET signature = $signature, publisher_key = $publisherKey WHERE id = $id")
        .run({ id, signature, publisherKey });
    },
    ...urlChanges(database),
    remove: removePackage(database),
    ...unfinished(database),
  };
}
