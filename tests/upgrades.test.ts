/** Two versions on one subnet, and data folders of another version. */
import { Database } from "bun:sqlite";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import type { RoleName } from "../scripts/build/executable.ts";
import { runToEnd } from "../scripts/rig/process.ts";
import { programsFromSource, programsWithPreload } from "../scripts/rig/programs.ts";
import { openLedger } from "../shared/cache/disk/ledger-sqlite.ts";
import { openSqliteCatalog } from "../shared/source/catalog/index.ts";
import { createCleanups } from "./cleanups.ts";
import { bytesFrom, type Harness, type Peer } from "./harness.ts";

const sizeBytes = 6_000_000;
const { addCleanup, open } = createCleanups();

/** Returns programs of a later version (later-version.ts), and their environment. */
const laterProgram = (what: "additions" | "frames" | "source") => ({
  programs: programsWithPreload(join(import.meta.dir, "later-version.ts")),
  env: { FLOCKCAST_LATER: what },
});

async function distribute(harness: Harness, peers: readonly Peer[]) {
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  const task = await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  for (const peer of peers) expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
  return task;
}

/**
 * Agents and a source of a later version, whose messages have additions. The frame version is
 * equal.
 */
async function shareWithAdditions(): Promise<void> {
  const harness = await open({
    settings: ["wanRate=16mbit", "useDeputy=false"],
    ...laterProgram("source"),
  });
  const now = await harness.startPeers(2, { programs: programsFromSource, env: { FLOCKCAST_LATER: "" } });
  const next = await harness.startPeers(2, laterProgram("additions"));
  const task = await distribute(harness, [...now, ...next]);
  expect(bytesFrom(task, "wan")).toBe(sizeBytes);
  expect(task.deviceList.filter(({ from }) => from.multicast > 0.8 * sizeBytes)).toHaveLength(3);
  for (const peer of now) {
    const { dropped } = (await peer.status()).lan;
    expect(dropped["type"]!).toBeGreaterThan(0);
    expect(dropped["body"] ?? 0).toBe(0);
  }
}

/** Agents of two frame versions, which drop each other's frames and still share one download. */
async function shareWithAnotherFrameVersion(): Promise<void> {
  const harness = await open({ settings: ["wanRate=16mbit"] });
  const now = await harness.startPeers(2);
  const next = await harness.startPeers(1, laterProgram("frames"));
  const task = await distribute(harness, [...now, ...next]);
  expect(bytesFrom(task, "wan")).toBe(sizeBytes);
  for (const peer of [...now, ...next]) {
    expect((await peer.status()).lan.dropped["version"]!).toBeGreaterThan(0);
  }
}

test("shares one download between agents of this and a later version, also of another frame version", async () => {
  await Promise.all([shareWithAdditions(), shareWithAnotherFrameVersion()]);
}, 120_000);

async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-upgrades-"));
  addCleanup(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Sets the schema version of a database file to 99, and returns the file's bytes. */
async function makeLater(file: string): Promise<Buffer> {
  const database = new Database(file);
  database.run("PRAGMA user_version = 99");
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  return readFile(file);
}

const runProgram = (role: RoleName, ...words: readonly string[]) =>
  runToEnd([...programsFromSource.commandOf(role), ...words]);

test("refuses the ledger of a later version with what to do, and leaves it unchanged", async () => {
  const data = await openFolder();
  openLedger(data, Date.now, () => {}).close();
  const file = join(data, "ledger.db");
  const before = await makeLater(file);
  const run = ["run", "--source", "http://127.0.0.1:1", "--interface", "127.0.0.1"];
  await Promise.all(
    [run, ["status"], ["cache", "list"]].map(async (words) => {
      const { status, stdout, stderr } = await runProgram("peer", ...words, "--data", data);
      expect([words[0], status, stdout]).toEqual([words[0], 1, ""]);
      expect(stderr).toMatch(/schema version 99, this program knows \d+: run the newer flockcast/);
    }),
  );
  expect(Buffer.compare(await readFile(file), before)).toBe(0);
});

test("refuses the catalog of a later version with what to do, and leaves it unchanged", async () => {
  const data = await openFolder();
  (await openSqliteCatalog(join(data, "catalog.db"))).close();
  const before = await makeLater(join(data, "catalog.db"));
  const { status, stderr } = await runProgram("source", "serve", "--data", data, "--listen", "127.0.0.1:0");
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /catalog\.db.*version 99, this program knows \d+: use the newer program, or a backup/,
  );
  expect(Buffer.compare(await readFile(join(data, "catalog.db")), before)).toBe(0);
});
