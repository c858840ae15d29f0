import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guardSettings } from "../../model/guard-settings.ts";
import { defaultSettingValues } from "../../model/setting.ts";
import { migrate } from "./migrations.ts";
import { openSqliteCatalog } from "./sqlite-catalog.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-catalog-"));
  path = join(folder, "catalog.db");
});
afterEach(() => rm(folder, { recursive: true }));

test("begins another epoch each time it is opened", async () => {
  const epochs: string[] = [];
  for (let runs = 0; runs < 3; runs++) {
    const catalog = await openSqliteCatalog(path);
    epochs.push(catalog.epoch);
    catalog.close();
  }
  expect(epochs).toEqual(epochs.map(() => expect.stringMatching(/^[0-9a-f]{16}$/)));
  expect(new Set(epochs).size).toBe(3);
});

test("has a constant deployment and a setting named default when it is new", async () => {
  const first = await openSqliteCatalog(path);
  const { deployment } = first;
  expect(deployment).toBeInteger();
  const root = { name: "default", version: 1, parent: null, differences: {} };
  expect([...(await first.settings.tree()).values()]).toEqual([root]);
  first.close();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const again = await openSqliteCatalog(path);
  expect(again.deployment).toBe(deployment);
  again.close();
});

test("is refused when a newer program wrote it", async () => {
  (await openSqliteCatalog(path)).close();
  const database = new Database(path);
  database.run("PRAGMA user_version = 999");
  database.close();
  await expect(openSqliteCatalog(path)).rejects.toThrow(
    /version 999, this program knows \d+: use the newer program/,
  );
});

test("reports a file that is not a catalog, with its name and what to do", async () => {
  await writeFile(path, "this is not a database at all, but long enough to be looked at ".repeat(20));
  await expect(openSqliteCatalog(path)).rejects.toThrow(
    /Cannot open the catalog ".*catalog\.db".*restore a backup/,
  );
});

test("reports a damaged page, with the name of the file and what to do", async () => {
  const first = await openSqliteCatalog(path);
  first.close();
  const bytes = await readFile(path);
  for (let page = 1; page < bytes.length / 4_096; page++) {
    await writeFile(path, Buffer.from(bytes).fill(0xff, page * 4_096, page * 4_096 + 200));
    await expect(openSqliteCatalog(path)).rejects.toThrow(
      /Cannot open the catalog ".*damaged.*restore a backup/,
    );
  }
});

test("is not read as a whole at the start when it is large", async () => {
  const catalog = await openSqliteCatalog(path);
  for (let index = 0; index < 200; index++)
    await catalog.settings.change(`setting-${index}`, 1, () => ({
      parent: "default",
      differences: defaultSettingValues,
    }));
  catalog.close();
  const bytes = await readFile(path);
  // The last page belongs to the settings, which a start does not read all.
  await writeFile(path, Buffer.from(bytes).fill(0xff, bytes.length - 4_096, bytes.length - 3_000));
  await expect(openSqliteCatalog(path, bytes.length)).rejects.toThrow(/damaged/);
  (await openSqliteCatalog(path, bytes.length - 1)).close();
});

test("refuses a second source on the same folder", async () => {
  const running = await openSqliteCatalog(path);
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import { openSqliteCatalog } from ${JSON.stringify(join(import.meta.dir, "sqlite-catalog.ts"))};
       try { await openSqliteCatalog(${JSON.stringify(path)}); console.log("opened"); }
       catch (error) { console.log(error.message); }`,
    ],
    { stdout: "pipe", stderr: "inherit" },
  );
  expect(await new Response(child.stdout).text()).toContain("another source is running on this folder");
  running.close();
});

/** Number of steps before settings have parents. */
const stepsBeforeParents = 12;

test("keeps the differences of settings of an earlier version, and makes default their parent", async () => {
  const database = new Database(path, { strict: true });
  migrate(database, stepsBeforeParents);
  const addedLater = new Set<string>(["deviceExpiryMs", "shareLog", "wakeOnLan", "wakeLeadMs"]);
  for (const { field } of Object.values(guardSettings)) addedLater.add(field);
  const builtIn = Object.fromEntries(
    Object.entries(defaultSettingValues).filter(([field]) => !addedLater.has(field)),
  );
  const older = { ...builtIn, wanAttempts: 5, lanRateBps: 1_000_000 };
  const slow: Record<string, unknown> = { ...older, wanRateBps: 2_000_000, cacheMaxAgeMs: null };
  delete slow["lanRateBps"];
  const add = database.query("INSERT INTO settings (name, version, values_json) VALUES ($name, 4, $values)");
  add.run({ name: "default", values: JSON.stringify(older) });
  add.run({ name: "slow", values: JSON.stringify(slow) });
  database.close();
  const migrated = await openSqliteCatalog(path);
  expect([...(await migrated.settings.tree()).values()]).toEqual([
    { name: "default", version: 4, parent: null, differences: { wanAttempts: 5, lanRateBps: 1_000_000 } },
    {
      name: "slow",
      version: 4,
      parent: "default",
      differences: { wanRateBps: 2_000_000, cacheMaxAgeMs: null },
    },
  ]);
  expect(await migrated.settings.versions("slow")).toMatchObject([{ version: 4, changedAtMs: null }]);
  migrated.close();
});

test("renames a setting in its children, assignments, versions and tasks, and removes an unused one", async () => {
  const catalog = await openSqliteCatalog(path);
  const { settings } = catalog;
  await settings.change("a", 1, () => ({ parent: "default", differences: { wanAttempts: 3 } }));
  await settings.change("b", 2, () => ({ parent: "a", differences: {} }));
  await settings.changeAssignments(() => [{ setting: "a", target: "all" }]);
  await settings.rename("a", "c");
  expect((await settings.tree()).get("b")?.parent).toBe("c");
  expect(await settings.assignments()).toEqual([{ setting: "c", target: "all" }]);
  expect(await settings.versions("c")).toMatchObject([{ version: 1, changedAtMs: 1 }]);
  expect(await settings.remove("c")).toEqual({ tasks: [], children: ["b"], targets: ["all"] });
  expect((await settings.tree()).has("c")).toBe(true);
  await settings.changeAssignments(() => []);
  await settings.remove("b");
  expect(await settings.remove("c")).toEqual({ tasks: [], children: [], targets: [] });
  expect([...(await settings.tree()).keys()]).toEqual(["default"]);
  expect(await settings.versions("c")).toEqual([]);
  catalog.close();
});
