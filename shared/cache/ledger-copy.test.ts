import { Database } from "bun:sqlite";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "bun:test";
import { openLedger } from "./disk/ledger-sqlite.ts";
import { copyLedger, removeLedgerCopy, restoreLedger } from "./disk/ledger-copy.ts";
import { ledgerPath } from "./disk/ledger-file.ts";

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((path) => rmSync(path, { recursive: true })));

function newLedger(): string {
  const folder = mkdtempSync(join(tmpdir(), "flockcast-ledger-copy-"));
  folders.push(folder);
  saveTask(folder, "before");
  return folder;
}

function saveTask(folder: string, state: string): void {
  const ledger = openLedger(folder, Date.now, () => {});
  ledger.saveTask(1, state);
  ledger.close();
}

function stateIn(folder: string): unknown {
  const ledger = openLedger(folder, Date.now, () => {});
  const [task] = ledger.tasks();
  ledger.close();
  return task?.state;
}

function migrate(folder: string): void {
  const database = new Database(ledgerPath(folder));
  database.run("PRAGMA user_version = 99");
  database.close();
}

test("the copy takes the place of a ledger that a later version has migrated", () => {
  const folder = newLedger();
  copyLedger(folder);
  expect(statSync(`${ledgerPath(folder)}.before-upgrade`).mode & 0o777).toBe(0o600);
  saveTask(folder, "after");
  migrate(folder);
  expect(restoreLedger(folder)).toBe(true);
  expect(stateIn(folder)).toBe("before");
  expect(statSync(ledgerPath(folder)).mode & 0o777).toBe(0o600);
});

test("a ledger that this version can open is kept, with what was saved after the copy", () => {
  const folder = newLedger();
  copyLedger(folder);
  saveTask(folder, "after");
  expect(restoreLedger(folder)).toBe(false);
  expect(stateIn(folder)).toBe("after");
});

test("nothing is restored without a copy", () => {
  const folder = newLedger();
  copyLedger(folder);
  removeLedgerCopy(folder);
  migrate(folder);
  expect(restoreLedger(folder)).toBe(false);
  expect(existsSync(`${ledgerPath(folder)}.before-upgrade`)).toBe(false);
});
