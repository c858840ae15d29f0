import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultSettingValues } from "../../model/setting.ts";
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
  expect(await first.settings.byName("default")).toEqual({
    name: "default",
    version: 1,
    values: defaultSettingValues,
  });
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
    await catalog.settings.put(`setting-${index}`, defaultSettingValues);
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

test("fills in the default of a field that an older setting lacks", async () => {
  const catalog = await openSqliteCatalog(path);
  const { lanRateBps: _gone, ...older } = { ...defaultSettingValues, wanAttempts: 3 };
  await catalog.settings.put("old", older as typeof defaultSettingValues);
  const found = await catalog.settings.byName("old");
  expect(found?.values).toEqual({ ...defaultSettingValues, wanAttempts: 3 });
  catalog.close();
});
