import { expect, test } from "bun:test";
import { reasonText } from "../model/reason.ts";
import { CommandTurns } from "./command-turns.ts";
import { newTaskRow, type TaskLife, type TaskRow } from "./task-record.ts";
import { taskForTest } from "./testing.ts";

function turnsOf() {
  const rows = new Map<number, TaskRow>();
  const begun: number[] = [];
  const notes = new Map<number, string>();
  const turns = new CommandTurns((taskId) => rows.get(taskId) ?? null);
  const add = (
    id: number,
    after: number | null = null,
    life: TaskLife = "open",
    epochs: { epoch?: string; afterEpoch?: string } = {},
  ): TaskRow => {
    const row = { ...newTaskRow({ ...taskForTest(), id, after, ...epochs }), life };
    rows.set(id, row);
    return row;
  };
  const request = (row: TaskRow): void => {
    const { id } = row.task;
    turns.request({
      row,
      begin: () => void (begun.push(id), notes.delete(id)),
      wait: (note, isBlocked) => notes.set(id, `${isBlocked ? "blocked: " : ""}${reasonText(note)}`),
    });
  };
  const end = (id: number, life: TaskLife): void => {
    rows.get(id)!.life = life;
    turns.release(id);
  };
  return { turns, begun, notes, add, request, end };
}

test("tasks begin one at a time, the lowest id of those that wait first", () => {
  const { begun, notes, add, request, end } = turnsOf();
  for (const id of [5, 9, 7]) request(add(id));
  expect(begun).toEqual([5]);
  expect(Object.fromEntries(notes)).toEqual({
    7: "waits for the command of task 5",
    9: "waits for the command of task 5",
  });
  end(5, "failed");
  expect([begun, notes.get(9)]).toEqual([[5, 7], "waits for the command of task 7"]);
  request(add(8));
  end(7, "complete");
  end(8, "complete");
  expect(begun).toEqual([5, 7, 8, 9]);
});

test("a task whose command runs since an earlier process keeps its turn", () => {
  const { turns, begun, add, request, end } = turnsOf();
  add(4, null, "running");
  turns.take(4);
  request(add(3));
  expect(begun).toEqual([]);
  end(4, "complete");
  expect(begun).toEqual([3]);
});

test("a task that waits for another one does not hold up the others", () => {
  const { begun, notes, add, request, end } = turnsOf();
  add(1);
  request(add(2, 1));
  request(add(3));
  expect([begun, notes.get(2)]).toEqual([[3], "waits for task 1, which has to succeed first"]);
  end(1, "complete");
  expect(notes.get(2)).toBe("waits for the command of task 3");
  end(3, "complete");
  expect(begun).toEqual([3, 2]);
});

test.each<[life: TaskLife | null, begins: boolean, note: string | undefined]>([
  ["complete", true, undefined],
  ["superseded", true, undefined],
  ["cancelled", true, undefined],
  [null, true, undefined],
  ["running", false, "waits for task 1, which has to succeed first"],
  ["failed", false, "blocked: waits for task 1, which has to succeed first and has failed on this device"],
])("a task after one that is %p begins: %p", (life, begins, note) => {
  const { begun, notes, add, request } = turnsOf();
  if (life !== null) add(1, null, life);
  request(add(2, 1));
  expect(begun).toEqual(begins ? [2] : []);
  if (note === undefined) expect(notes.get(2)).toBeUndefined();
  else expect(notes.get(2)).toStartWith(note);
});

test("a task does not wait for one of another epoch that has the id of its predecessor", () => {
  const { begun, add, request } = turnsOf();
  add(1, null, "failed", { epoch: "aa".repeat(8) });
  request(add(2, 1, "open", { afterEpoch: "aa".repeat(8) }));
  expect(begun).toEqual([]);
  request(add(3, 1, "open", { afterEpoch: "bb".repeat(8) }));
  expect(begun).toEqual([3]);
});
