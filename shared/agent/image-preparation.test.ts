/** Real data folders with real ledgers, prepared for an image; also with interruptions. */
import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ledgerPath, openCache, openLedgerReadOnly, type Identity } from "../cache/index.ts";
import { cacheOptions } from "../cache/testing.ts";
import { temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { finishPreparation, foreignEntries, prepareImage, tokenIn } from "./image-preparation.ts";
import { machineDigest } from "./machine-identity.ts";

const secret = "credential-of-the-image";
const identity: Identity = {
  sourceUrl: "https://source.example:7443",
  deviceId: "aa".repeat(8),
  credential: secret,
  deployment: 7,
  trustRoot: null,
  sourceIdentity: "5".repeat(64),
  tlsSpki: null,
  announcedUrl: null,
  formerUrls: [],
};
const machine = (system: string, firmware = "f") => Promise.resolve({ system, firmware });

const ends: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).toReversed()) end();
});

const key = testKey();
const { id, signed, manifest, chunk } = testPackage(key, { name: "app", version: "1", files: { a: 3_000 } });

/** Returns the data folder of an enrolled device with a package, tasks and keys. */
async function deviceFolder(): Promise<string> {
  const { path, remove } = temporaryFolder("image");
  ends.push(remove);
  const cache = await openCache(cacheOptions(path));
  const store = await cache.begin(signed, [key.publicKey], { id: 3, packageId: id });
  for (let each = 0; each < 3; each++) await store.writeChunk(each, chunk(each), "wan");
  await store.complete();
  cache.ledger.saveIdentity(identity);
  cache.ledger.saveTask(3, { key: `${secret}-task` });
  cache.ledger.savePackageKeys([{ packageId: id, key: `${secret}-package` }]);
  cache.ledger.saveTrust({ settings: `${secret}-trust` });
  cache.ledger.beginAges(1);
  await cache.close();
  for (const name of ["machine.id", "ledger.db.damaged-1", "ledger.db.before-upgrade", "agent.json"])
    writeFileSync(join(path, name), secret);
  for (const name of ["tasks", "log"]) {
    mkdirSync(join(path, name));
    writeFileSync(join(path, name, "3.log"), secret);
  }
  writeFileSync(join(path, "enroll.token"), "token");
  writeFileSync(join(path, "note.txt"), "of a person");
  return path;
}

const contains = (folder: string, text: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(text))
    .map(({ name }) => name);

function rowsIn(folder: string) {
  const ledger = openLedgerReadOnly(folder);
  try {
    const [held] = ledger.packages();
    return { identity: ledger.identity(), tasks: ledger.tasks().length, held };
  } finally {
    ledger.close();
  }
}

test("a prepared folder has the package, the token and the files of a person, and no byte of the device", async () => {
  const folder = await deviceFolder();
  expect(contains(folder, secret).length).toBeGreaterThanOrEqual(6);
  const entries = [
    "agent.json",
    "ledger.db.before-upgrade",
    "ledger.db.damaged-1",
    "log",
    "machine.id",
    "tasks",
  ];
  expect(await prepareImage(folder, () => {}, machine("a"))).toEqual(entries);
  expect(contains(folder, secret)).toEqual([]);
  const { held, ...device } = rowsIn(folder);
  expect(device).toEqual({ identity: null, tasks: 0 });
  const originBytes = { wan: 0, multicast: 0, peers: 0, cache: manifest.sizeBytes };
  expect(held).toMatchObject({ id, state: "complete", bytesVerified: 3_000, pinnedBy: [], originBytes });
  expect([tokenIn(folder), foreignEntries(folder)]).toEqual([join(folder, "enroll.token"), ["note.txt"]]);
  expect(await prepareImage(folder, () => {}, machine("a"))).toEqual([]);

  const cache = await openCache(cacheOptions(folder));
  // The age of the package in the image does not count.
  expect(cache.ledger.package(id)?.unusedSinceMs).toBeNull();
  expect(await cache.verify()).toMatchObject([{ id, ok: true }]);
  await cache.close();
});

test("a folder is not prepared while an agent runs on it, and keeps everything", async () => {
  const folder = await deviceFolder();
  const cache = await openCache(cacheOptions(folder));
  await expect(prepareImage(folder, () => {}, machine("a"))).rejects.toMatchObject({ code: "locked" });
  await cache.close();
  expect(rowsIn(folder)).toMatchObject({ identity, tasks: 1 });
  expect(existsSync(join(folder, "machine.id"))).toBe(true);
});

test("a preparation that a reader of the ledger interrupts is finished by the next start of the agent", async () => {
  const folder = await deviceFolder();
  const reader = new Database(ledgerPath(folder), { readonly: true });
  reader.run("BEGIN");
  reader.query("SELECT * FROM tasks").all();
  await expect(prepareImage(folder, () => {}, machine("a"))).rejects.toMatchObject({ code: "in-use" });
  reader.close();
  expect(rowsIn(folder)).toMatchObject({ identity: null, tasks: 0 });
  expect(contains(folder, secret)).toContain("machine.id");
  expect(await finishPreparation(folder, () => {})).toBe(true);
  // The agent may be writing its log.
  expect(contains(folder, secret)).toEqual(["3.log"]);
  expect(await finishPreparation(folder, () => {})).toBe(false);
}, 30_000);

test("a preparation that a power cut ends at its first step leaves no identity after the next start", async () => {
  const folder = await deviceFolder();
  writeFileSync(join(folder, "image.json"), JSON.stringify({ format: 1, state: "begun", system: null }));
  expect(await finishPreparation(folder, () => {})).toBe(true);
  expect(rowsIn(folder)).toMatchObject({ identity: null, tasks: 0, held: { state: "complete" } });
});

test("copies with the machine id of their image are different machines, and each stays the same", async () => {
  const folder = await deviceFolder();
  const before = await machineDigest(folder, 7, machine("a"));
  await prepareImage(folder, () => {}, machine("a"));
  const copy = await machineDigest(folder, 7, machine("a"));
  expect(await machineDigest(folder, 7, machine("a"))).toBe(copy);
  await prepareImage(folder, () => {}, machine("a"));
  const other = await machineDigest(folder, 7, machine("a"));
  expect(new Set([before, copy, other]).size).toBe(3);
  // An id of its own tells a copy from all others, also without the file.
  const own = await machineDigest(folder, 7, machine("b"));
  await prepareImage(folder, () => {}, machine("a"));
  expect(await machineDigest(folder, 7, machine("b"))).toBe(own);
});
