import { expect, test } from "bun:test";
import { readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../model/testing.ts";
import { removeLogsWithoutTask, removeOldLogs } from "./task-logs.ts";

const day = 86_400;

/** Creates logs whose ages in days are given, removes the old ones, and returns the others. */
function keptOf(agesDays: readonly number[], nowSeconds: number): number[] {
  const { path, remove } = temporaryFolder("logs");
  writeFileSync(join(path, "notes.txt"), "");
  utimesSync(join(path, "notes.txt"), 0, 0);
  for (const [index, age] of agesDays.entries()) {
    const file = join(path, `${index + 1}.log`);
    writeFileSync(file, "");
    utimesSync(file, 2e9 - age * day, 2e9 - age * day);
  }
  removeOldLogs(path, nowSeconds * 1_000);
  const names = readdirSync(path);
  remove();
  expect(names).toContain("notes.txt");
  return names
    .filter((name) => name.endsWith(".log"))
    .map((name) => Number.parseInt(name, 10))
    .toSorted((a, b) => a - b);
}

test("keeps the newest hundred logs", () => {
  const ages = Array.from({ length: 150 }, (_, index) => 50 - index / 3);
  expect(keptOf(ages, 2e9)).toEqual(Array.from({ length: 100 }, (_, index) => index + 51));
});

test("keeps no log of more than 90 days but the newest ten, and these whatever the clock is", () => {
  const ages = Array.from({ length: 20 }, (_, index) => 100 - index);
  expect(keptOf(ages, 2e9)).toEqual(Array.from({ length: 10 }, (_, index) => index + 11));
  expect(keptOf([5, 4, 3], 3e9)).toEqual([1, 2, 3]);
});

test("removes the logs of tasks that the device does not list", () => {
  const { path, remove } = temporaryFolder("logs");
  for (const name of ["3.log", "14.log", "notes.txt"]) writeFileSync(join(path, name), "");
  removeLogsWithoutTask(path, new Map([[14, null]]));
  const names = readdirSync(path);
  remove();
  expect(names.toSorted()).toEqual(["14.log", "notes.txt"]);
});

test("removes nothing when there is no folder", () => {
  expect(() => removeOldLogs("/nonexistent/tasks", 0)).not.toThrow();
});
