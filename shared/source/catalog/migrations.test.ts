/** A catalog of an earlier version is upgraded with its data. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "./migrations.ts";
import { openSqliteCatalog } from "./sqlite-catalog.ts";

/** Number of steps before epochs and the WAN account by hours. */
const stepsBefore = 9;

test("bytes of an earlier WAN account count once, for the tasks whose devices fetched them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-migration-"));
  const path = join(folder, "catalog.db");
  const database = new Database(path);
  migrate(database, stepsBefore);
  database.run("INSERT INTO settings VALUES ('default', 1, '{}')");
  for (const [id, subnet] of [
    ["a", "east"],
    ["b", "west"],
  ])
    database.run(
      `INSERT INTO devices (id, credential_sha256, hostname, os, arch, agent_version, enrolled_at_ms,
         last_seen_at_ms, subnet_id, subnet_cidr, subnet_site) VALUES (?, ?, 'h', 'o', 'a', '1', 0, 0, ?, '10.0.0.0/24', '')`,
      [id!, id!, subnet!],
    );
  const task = `INSERT INTO tasks (version, package_id, package_name, package_version, package_bytes, action,
    allow_downgrade, setting_name, target, state, created_at_ms, start_at_ms, expires_at_ms, task_key)
    VALUES (1, 'tool', 'tool', '1', 100, 'pre-cache', 0, 'default', 'all', 'active', 0, 0, 9, x'00')`;
  for (let tasks = 0; tasks < 2; tasks++) database.run(task);
  const report = (taskId: number, device: string, state: string, wanBytesFetched: number): void =>
    void database.run("INSERT INTO progress VALUES (?, ?, 1, ?, 0, 0, ?)", [
      taskId,
      device,
      state,
      JSON.stringify({ wanBytesFetched }),
    ]);
  report(1, "a", "complete", 100);
  report(1, "b", "downloading", 40);
  report(2, "a", "complete", 0);
  database.run("INSERT INTO wan_account VALUES ('tool', 'east', 100), ('tool', 'west', 40)");
  database.close();

  const catalog = await openSqliteCatalog(path);
  expect(await catalog.wan.totals()).toEqual({
    sourceBytes: 140,
    webBytes: 0,
    crossedBytes: 140,
    directBytes: 100,
  });
  const ofTask = async (id: number) => Object.fromEntries(await catalog.wan.ofTask(id));
  expect([await ofTask(1), await ofTask(2)]).toEqual([{ east: 100, west: 40 }, { east: 0 }]);
  const range = { sinceMs: 0, untilMs: 1e14 };
  expect(await catalog.wan.report("package", range)).toMatchObject([{ name: "tool 1", crossedBytes: 140 }]);
  // Tasks of earlier versions have no epoch.
  expect((await catalog.tasks.list()).map(({ epoch }) => epoch)).toEqual(["", ""]);
  catalog.close();
  await rm(folder, { recursive: true });
});

test("the number of devices follows enrolments, removals and returns, also of an earlier file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-count-"));
  const path = join(folder, "catalog.db");
  const database = new Database(path);
  migrate(database, stepsBefore);
  const insert = (id: string): void =>
    void database.run(
      `INSERT INTO devices (id, credential_sha256, hostname, os, arch, agent_version, enrolled_at_ms,
         last_seen_at_ms) VALUES (?, ?, 'h', 'o', 'a', '1', 0, 0)`,
      [id, id],
    );
  insert("a");
  insert("b");
  migrate(database);
  const counts: number[] = [];
  const note = (): void => {
    const [row] = database.query<{ devices: number }, []>("SELECT devices FROM device_count").all();
    counts.push(row!.devices);
  };
  note();
  insert("c");
  note();
  for (const atMs of [1, 2]) database.run("UPDATE devices SET removed_at_ms = ? WHERE id = 'a'", [atMs]);
  note();
  database.run("UPDATE devices SET removed_at_ms = NULL WHERE id = 'a'");
  note();
  database.run("UPDATE devices SET removed_at_ms = 3 WHERE id = 'b'");
  database.run("DELETE FROM devices WHERE id IN ('b', 'c')");
  note();
  expect(counts).toEqual([2, 3, 2, 3, 1]);
  database.close();
  const catalog = await openSqliteCatalog(path);
  expect(await catalog.devices.count()).toBe((await catalog.deviceList.scan(null, 9)).length);
  catalog.close();
  await rm(folder, { recursive: true });
});
