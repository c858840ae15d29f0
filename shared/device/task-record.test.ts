import { expect, test } from "bun:test";
import { mayHaveBegun, newTaskRow, parseTaskRow } from "./task-record.ts";
import { taskForTest } from "./testing.ts";

test("a row is read as it was written", () => {
  const row = newTaskRow(taskForTest());
  expect(parseTaskRow(JSON.parse(JSON.stringify(row)))).toEqual(row);
});

test.each<[row: unknown, mayHave: boolean]>([
  [{ life: "open", runs: 0, task: "of a later version" }, false],
  [{ life: "open" }, false],
  [{ life: "open", runs: 1 }, true],
  [{ life: "running", runs: 1 }, true],
  [{ life: "complete" }, true],
  [{ life: "of a later version" }, true],
  [{}, true],
  [null, true],
  ["half a row", true],
])("the command of an unreadable row %j may have begun: %p", (row, mayHave) => {
  expect(parseTaskRow(row)).toBeNull();
  expect(mayHaveBegun(row)).toBe(mayHave);
});
