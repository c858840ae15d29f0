/**
 * Agents whose ledger is damaged or lost: a command that was begun is not begun again, also where
 * the source does not know of it.
 */
import { Database } from "bun:sqlite";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import type { TaskDetail } from "../shared/api/schema/admin.ts";
import { openHarness, partOf, until, type Harness, type Peer } from "./harness.ts";

let harness: Harness;
let peer: Peer;
let packageId: string;
/** File to which each run of a command appends a line. */
let ran: string;

beforeEach(async () => {
  harness = await openHarness();
  peer = await harness.startPeer();
  ran = join(harness.folder, "ran");
  packageId = await harness.publish(await harness.makeFile("setup.bin", 1_000), {
    name: "setup",
    version: "1",
  });
});
afterEach(async () => harness[Symbol.asyncDispose]());

const createRun = (command: string): Promise<number> =>
  harness.createTask(packageId, { action: "run", command: `echo ran >> ${ran}; ${command}` });
const runs = (): number => (existsSync(ran) ? readFileSync(ran, "utf8").trim().split("\n").length : 0);
const isOver = ({ deviceList }: TaskDetail): boolean =>
  deviceList.every(({ state }) => state === "complete" || state === "failed");
const begun = (): Promise<true> =>
  until(
    () => "the command was not begun",
    30_000,
    () => runs() === 1 || null,
  );
const ledgerOf = ({ data }: Peer): string => join(data, "ledger.db");
const onLedger = (work: (ledger: Database) => void): void => {
  const ledger = new Database(ledgerOf(peer));
  work(ledger);
  ledger.run("PRAGMA wal_checkpoint(TRUNCATE)");
  ledger.close();
};

test("a row that cannot be read costs no result of a command that outlasted the agent", async () => {
  const taskId = await createRun("sleep 2; echo no licence; exit 7");
  await begun();
  await peer.kill();
  onLedger((ledger) => ledger.run('UPDATE tasks SET state = \'{"life": "ru\' WHERE task_id = ?', [taskId]));
  peer.restart();
  const part = partOf(await harness.waitForTask(taskId, isOver), peer);
  expect(reasonsText(part.reasons)).toContain('exit code 7: "no licence"');
  expect(runs()).toBe(1);
}, 90_000);

test("a row that cannot be read of a task that had not begun is taken up again", async () => {
  const first = await createRun("sleep 3");
  const second = await createRun("exit 0");
  await begun();
  await peer.kill();
  onLedger((ledger) =>
    ledger.run("UPDATE tasks SET state = json_remove(state, '$.task') WHERE task_id = ?", [second]),
  );
  peer.restart();
  const [one, two] = [await harness.waitForTask(first, isOver), await harness.waitForTask(second, isOver)];
  expect([partOf(one, peer).state, partOf(two, peer).state, runs()]).toEqual(["complete", "complete", 2]);
}, 90_000);

test("damaged pages of the ledger do not repeat a command that the source does not know of", async () => {
  const taskId = await createRun("exit 0");
  await begun();
  // The source does not get the report.
  await harness.source.program.stop("SIGKILL");
  await until(
    async () => `the task is not complete: ${JSON.stringify((await peer.status()).tasks)}`,
    30_000,
    async () => (await peer.status()).tasks.every(({ state }) => state === "complete") || null,
  );
  await peer.kill();
  let [from, to] = [0, 0];
  onLedger((ledger) => {
    const page = ledger
      .query<{ rootpage: number }, []>("SELECT rootpage FROM sqlite_schema WHERE name = 'tasks'")
      .get()!.rootpage;
    const size = ledger.query<{ page_size: number }, []>("PRAGMA page_size").get()!.page_size;
    [from, to] = [(page - 1) * size, page * size];
  });
  const bytes = readFileSync(ledgerOf(peer));
  writeFileSync(ledgerOf(peer), bytes.fill(0xff, from, to));
  await harness.source.restart();
  peer.restart();
  await until(
    () => "the damage was not found",
    30_000,
    () => existsSync(`${ledgerOf(peer)}.damaged-1`) || null,
  );
  const part = partOf(await harness.waitForTask(taskId, isOver), peer);
  expect([part.state, runs()]).toEqual(["complete", 1]);
}, 120_000);

test("a device whose ledger was removed keeps its id, and repeats no command", async () => {
  const taskId = await createRun("exit 7");
  await harness.waitForTask(taskId, isOver);
  await peer.kill();
  for (const ending of ["", "-wal", "-shm"]) rmSync(`${ledgerOf(peer)}${ending}`, { force: true });
  const again = await harness.startPeer({ name: "again", data: peer.data });
  // The source still has the report of the lost ledger.
  await until(
    () => "the agent does not look for the outcome",
    30_000,
    // The agent answers only some moments after its enrolment.
    async () => {
      const status = await again.status().catch(() => null);
      return status?.tasks.some(({ state }) => state === "failed") || null;
    },
  );
  const task = await harness.waitForTask(taskId, isOver);
  expect([again.id === peer.id, partOf(task, again).state, runs()]).toEqual([true, "failed", 1]);
  // The package was taken over once the publisher's key was known again.
  const [held] = await until(
    () => `the package is not complete: ${JSON.stringify(again.ledger())}`,
    30_000,
    () => {
      const packages = again.ledger();
      // Before the take-over no package is listed.
      return packages.length === 1 && packages[0]!.state === "complete" ? packages : null;
    },
  );
  expect(held!.originBytes.cache).toBe(1_000);
  await harness.client.retryTask(taskId);
  await until(
    () => "the retried task did not run",
    30_000,
    () => runs() > 1 || null,
  );
}, 120_000);

/** Copies the catalog. The result puts the copy back, and starts the stopped source. */
async function copiedCatalog(): Promise<() => Promise<void>> {
  await harness.source.program.stop();
  const catalog = join(harness.folder, "source", "catalog.db");
  const backup = readFileSync(catalog);
  await harness.source.restart();
  return async () => {
    writeFileSync(catalog, backup);
    for (const ending of ["-wal", "-shm"]) rmSync(`${catalog}${ending}`, { force: true });
    await harness.source.restart();
  };
}

test("the tasks of a source that was restored from a backup run, although their ids were used before", async () => {
  const first = await createRun("exit 0");
  await harness.waitForTask(first, ({ devices }) => devices.complete === 1);
  const restore = await copiedCatalog();
  const lost = await createRun("exit 0");
  await harness.waitForTask(lost, ({ devices }) => devices.complete === 1);
  await harness.source.program.stop();
  await restore();
  const given = await createRun("exit 0");
  await harness.waitForTask(given, ({ devices }) => devices.complete === 1, 90_000);
  expect([given, runs()]).toEqual([lost, 3]);
}, 180_000);

test("an end that a device has not reported does not count for the task that gets its id", async () => {
  const first = await createRun("exit 0");
  await harness.waitForTask(first, ({ devices }) => devices.complete === 1);
  const restore = await copiedCatalog();
  const lost = await createRun("sleep 2; exit 0");
  await until(
    () => "the command was not begun",
    30_000,
    () => runs() === 2 || null,
  );
  // The command ends while the source is away.
  await harness.source.program.stop("SIGKILL");
  await until(
    () => "the command did not end",
    30_000,
    async () => (await peer.status()).tasks.every(({ state }) => state === "complete") || null,
  );
  await restore();
  const given = await createRun("exit 0");
  await harness.waitForTask(given, ({ devices }) => devices.complete === 1, 90_000);
  expect([given, runs()]).toEqual([lost, 3]);
}, 180_000);
