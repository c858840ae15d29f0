/** Opens data files of earlier versions with the current one. */
import { Database } from "bun:sqlite";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "bun:test";
import { parseTaskRow } from "../shared/device/task-record.ts";
import { migrate, migrations } from "../shared/cache/disk/ledger-file.ts";
import { openLedger, openLedgerReadOnly } from "../shared/cache/disk/ledger-sqlite.ts";
import { openSqliteCatalog } from "../shared/source/catalog/index.ts";
import { catalogVersion } from "../shared/source/catalog/migrations.ts";
import { progressSchema } from "../shared/api/schema/common.ts";
import * as v from "valibot";

const packageId = "ab".repeat(32);
const deviceId = "00112233445566aa";
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Creates a folder with the database `name` from the SQL file `golden`. */
function folderWith(golden: string, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), "flockcast-golden-"));
  folders.push(folder);
  const database = new Database(join(folder, name));
  database.run(readFileSync(join(import.meta.dir, "golden", golden), "utf8"));
  database.close();
  return folder;
}

const versionOf = (file: string): number => {
  const database = new Database(file, { readonly: true });
  const row = database.query<{ user_version: number }, []>("PRAGMA user_version").get();
  database.close();
  return row!.user_version;
};

test("migrates a ledger of version 1 with every row", () => {
  const folder = folderWith("ledger-1.sql", "ledger.db");
  openLedger(folder, Date.now, () => {}).close();
  const ledger = openLedgerReadOnly(folder);
  expect(
    ledger
      .packages()
      .map((row) => [row.name, row.version, row.state, row.chunksVerified, row.originBytes, row.pinnedBy]),
  ).toEqual([
    ["editor", "4.2", "complete", 3, { wan: 0, multicast: 2_048, peers: 452, cache: 0 }, []],
    ["office", "2024.1", "partial", 2, { wan: 1_024, multicast: 0, peers: 0, cache: 1_024 }, [7]],
  ]);
  const [task] = ledger.tasks();
  expect(parseTaskRow(task!.state)).toMatchObject({
    task: { id: 7, command: "./setup", setting: { values: { wanSchedule: [], useMulticast: true } } },
    life: "running",
    reason: null,
    way: null,
  });
  // Earlier identities have no key of the source, which nobody may state afterwards: enrol again.
  expect(ledger.identity()).toBeNull();
  ledger.close();
  expect(versionOf(join(folder, "ledger.db"))).toBe(migrations.length);
});

test("leaves the ledger as it was when a migration fails, and keeps the rows when it succeeds", () => {
  const folder = folderWith("ledger-1.sql", "ledger.db");
  const file = join(folder, "ledger.db");
  const database = new Database(file);
  const step =
    "ALTER TABLE packages ADD COLUMN note TEXT NOT NULL DEFAULT ''; UPDATE packages SET note = name;";
  expect(() => migrate(database, 1, [...migrations, step, "ALTER TABLE nothing ADD COLUMN x"])).toThrow();
  expect(versionOf(file)).toBe(1);
  migrate(database, 1, [...migrations, step]);
  expect(database.query("SELECT note, size_bytes FROM packages ORDER BY key").values()).toEqual([
    ["editor", 2_500],
    ["office", 4_096],
  ]);
  database.close();
  expect(versionOf(file)).toBe(migrations.length + 1);
  expect(() => openLedger(folder, Date.now, () => {})).toThrow(/run the newer flockcast/);
});

test("migrates a catalog of version 1 with every row except leases, which last seconds", async () => {
  const folder = folderWith("catalog-1.sql", "catalog.db");
  const file = join(folder, "catalog.db");
  const catalog = await openSqliteCatalog(file);
  expect(catalog.deployment).toBe(4_042_053_207);
  const root = { name: "default", version: 3, parent: null, differences: { wanAttempts: 5 } };
  expect([...(await catalog.settings.tree()).values()]).toEqual([root]);
  expect(
    (await catalog.deviceList.scan(null, 9)).map(({ id, hostname, wishes, tags }) => [
      id,
      hostname,
      wishes,
      tags,
    ]),
  ).toEqual([[deviceId, "pc-17", ["sales"], []]]);
  expect(await catalog.devicePackages.ofDevice(deviceId)).toEqual([
    { packageName: "editor", packageVersion: "4.2", isCurrent: true },
  ]);
  expect(await catalog.packages.byId(packageId)).toMatchObject({
    name: "editor",
    version: "4.2",
    state: "ready",
  });
  expect(await catalog.tasks.byId(4)).toMatchObject({ command: "./setup", target: "all", state: "active" });
  expect((await catalog.tasks.reportsBy(deviceId)).get(4)).toMatchObject({ state: "complete", attempt: 1 });
  const report = (await catalog.tasks.progressFor(4, [deviceId])).get(deviceId)!.progress;
  expect(v.parse(progressSchema, report)).toMatchObject({
    bytesVerified: 2_500,
    reasons: [{ code: "problem", detail: "complete" }],
    wrongFrom: [],
    receivedFrom: [],
  });
  catalog.close();
  expect(versionOf(file)).toBe(catalogVersion);
});
