/**
 * Fuzz target of the agent's ledger and the source's catalog: rows with impossible values, invalid
 * saved tasks, and files with damaged pages. A file is opened as a whole, rebuilt, or refused with
 * a message. Nothing outside the data folder may change.
 */
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { problemReason } from "../../shared/model/reason.ts";
import { parseTaskRow, newTaskRow } from "../../shared/device/task-record.ts";
import { CacheError, openCache } from "../../shared/cache/index.ts";
import { openSqliteCatalog } from "../../shared/source/catalog/index.ts";
import { testKey, testPackage } from "../../shared/model/testing.ts";
import { systemClock } from "../../shared/platform/system-clock.ts";
import { agentTask } from "./bodies.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { mutated, mutatedValue } from "./mutate.ts";
import { promise, type Fuzzing, type Target } from "./target.ts";

const validRow = { ...newTaskRow(agentTask), life: "running", reason: problemReason("x") };

function taskRow(random: SeededRandom): string {
  const row = parseTaskRow(JSON.parse(JSON.stringify(mutatedValue(random, validRow)) ?? "null"));
  if (row === null) return "task row refused";
  promise(
    Bun.deepEquals(parseTaskRow(JSON.parse(JSON.stringify(row))), row),
    "a saved task is read as it was written",
  );
  return "task row read";
}

const open = (dir: string) =>
  openCache({
    dir,
    maxBytes: null,
    maxAgeMs: null,
    clock: { ...systemClock, wallMs: () => 1_000 },
    log: () => {},
  });

/** Creates a data folder with one complete and one partial package, which is not in use. */
async function makeFolder(dir: string): Promise<void> {
  const key = testKey();
  const cache = await open(dir);
  for (const [name, chunks] of [
    ["whole", [0, 1, 2]],
    ["part", [1]],
  ] as const) {
    const made = testPackage(key, { name, files: { "a.bin": 2_500, "b/c.bin": 500 } });
    const store = await cache.begin(made.signed, [key.publicKey], { id: 1, packageId: made.id });
    for (const chunk of chunks) await store.writeChunk(chunk, made.chunk(chunk), "wan");
    await store.flush();
    if (store.verified.isFull) await store.complete();
  }
  cache.ledger.saveTask(1, validRow);
  cache.ledger.saveIdentity({
    sourceUrl: "http://127.0.0.1:1",
    deviceId: "00000000000000aa",
    credential: "secret",
    deployment: 7,
    trustRoot: null,
    sourceIdentity: "5".repeat(64),
    tlsSpki: null,
    announcedUrl: null,
    formerUrls: [],
  });
  await cache.close();
}

const hostileCells = {
  "packages.name": ["../../outside", "..", ".trash", "", "a/b", "con", "x".repeat(999)],
  "packages.version": ["../../../outside", "1/../..", "", "nul"],
  "packages.id": ["../../outside", "", "g".repeat(64), "0".repeat(64)],
  "packages.size_bytes": [-1, 0, Number.MAX_SAFE_INTEGER],
  "packages.chunk_size_bytes": [-1, 0, 3],
  "packages.chunk_count": [-1, 0, 4_294_967_296],
  "packages.state": ["complete", "partial"],
  "packages.last_used_at": [-1, Number.MAX_SAFE_INTEGER],
  "chunks.chunk": [-1, 99, 4_294_967_296],
  "chunks.bytes": [-1, 0, Number.MAX_SAFE_INTEGER],
  "chunks.receipts": [-1, 0],
  "pins.task_id": [-1, Number.MAX_SAFE_INTEGER],
  "tasks.state": ["", "{", "null", "[]", '{"task":{}}'],
  "facts.value": ["", "{}", '{"deviceId":1}'],
} as const;
type Cell = keyof typeof hostileCells;

function corruptRows(file: string, random: SeededRandom): void {
  const database = new Database(file, { readwrite: true });
  database.run("PRAGMA foreign_keys = OFF");
  for (let cells = 1 + random.int(4); cells > 0; cells--) {
    const cell = random.pick(Object.keys(hostileCells) as Cell[]);
    const [table, column] = cell.split(".");
    const value = random.pick<string | number>(hostileCells[cell]);
    database.run(`UPDATE OR IGNORE ${table} SET ${column} = ?`, [value]);
  }
  database.close();
}

function corruptBytes(file: string, random: SeededRandom): void {
  const bytes = new Uint8Array(readFileSync(file));
  if (random.oneIn(4)) return writeFileSync(file, bytes.subarray(0, random.int(bytes.length)));
  const page = random.int(Math.ceil(bytes.length / 4_096)) * 4_096;
  const corrupted = mutated(random, bytes.subarray(page, page + 4_096));
  bytes.set(corrupted.subarray(0, bytes.length - page), page);
  writeFileSync(file, bytes);
}

async function ledgerFolder(template: string, root: string, random: SeededRandom): Promise<string> {
  const dir = join(root, "a", "b", "data");
  const outside = join(root, "a", "b", "outside");
  rmSync(join(root, "a"), { recursive: true, force: true });
  mkdirSync(join(outside, "1.0"), { recursive: true });
  writeFileSync(join(outside, "1.0", "mine"), "");
  Bun.spawnSync(["cp", "-a", template, dir]);
  const damage = random.oneIn(2) ? "rows" : "bytes";
  (damage === "rows" ? corruptRows : corruptBytes)(join(dir, "ledger.db"), random);
  let outcome = "opened";
  try {
    const cache = await open(dir);
    for (const { id } of cache.ledger.uses()) await cache.find(id);
    cache.ledger.tasks();
    cache.ledger.identity();
    await cache.close();
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    outcome = error.code;
  }
  promise(existsSync(join(outside, "1.0", "mine")), "files outside the data folder stay");
  return `ledger with wrong ${damage}: ${outcome}`;
}

async function catalogFile(template: string, root: string, random: SeededRandom): Promise<string> {
  const file = join(root, "catalog.db");
  for (const end of ["", "-wal", "-shm"]) rmSync(file + end, { force: true });
  writeFileSync(file, readFileSync(template));
  corruptBytes(file, random);
  try {
    const catalog = await openSqliteCatalog(file);
    catalog.close();
    return "catalog: opened";
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("Cannot open the catalog"))) throw error;
    return "catalog: refused";
  }
}

async function openLedgers(): Promise<Fuzzing> {
  const root = mkdtempSync(join(tmpdir(), "flockcast-fuzz-"));
  const [ledgerTemplate, catalogTemplate] = [join(root, "ledger"), join(root, "template.db")];
  await makeFolder(ledgerTemplate);
  const catalog = await openSqliteCatalog(catalogTemplate);
  catalog.close();
  return {
    run: (random) => {
      if (random.oneIn(200)) return ledgerFolder(ledgerTemplate, root, random);
      return random.oneIn(200) ? catalogFile(catalogTemplate, root, random) : taskRow(random);
    },
    close: () => rmSync(root, { recursive: true, force: true }),
  };
}

export const ledger: Target = {
  name: "ledger",
  about: "ledger rows, ledgers and catalogs with wrong rows or damaged pages",
  share: 50,
  open: openLedgers,
};
