import { afterEach, beforeEach, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLedger } from "./ledger-sqlite.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "flockcast-erasure-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const contains = (text: string): boolean =>
  readdirSync(dir).some((name) => readFileSync(join(dir, name)).includes(text));

test("no byte of rows that were replaced or removed is left in the ledger's files", () => {
  const ledger = openLedger(
    dir,
    () => 0,
    () => {},
  );
  const rows = Array.from({ length: 40 }, (_, taskId) => ({
    taskId,
    state: { key: `secret-${taskId}-`, text: "x".repeat(50 + taskId * 40) },
  }));
  ledger.saveTasks(rows);
  ledger.savePackageKeys([{ packageId: "a", key: "secret-of-package" }]);
  ledger.clearLog();
  expect([contains("secret-7-"), contains("secret-of-package")]).toEqual([true, true]);
  ledger.saveTasks(rows.slice(0, 30).map(({ taskId }) => ({ taskId, state: {} })));
  for (const { taskId } of rows.slice(30)) ledger.deleteTask(taskId);
  ledger.savePackageKeys([]);
  ledger.clearLog();
  expect(rows.filter(({ state }) => contains(state.key))).toEqual([]);
  expect(contains("secret-of-package")).toBe(false);
  ledger.close();
});

test("the log is cleared after a reader has ended, and does not wait for it", () => {
  const ledger = openLedger(
    dir,
    () => 0,
    () => {},
  );
  ledger.saveTask(1, { key: "secret-1-" });
  const reader = new Database(join(dir, "ledger.db"), { readonly: true });
  reader.run("BEGIN");
  reader.query("SELECT * FROM tasks").all();
  ledger.saveTask(1, {});
  expect([ledger.clearLog(), contains("secret-1-")]).toEqual([false, true]);
  reader.close();
  expect([ledger.clearLog(), contains("secret-1-")]).toEqual([true, false]);
  ledger.close();
});
