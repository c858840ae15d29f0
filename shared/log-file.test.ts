import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogFile } from "./log-file.ts";

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((path) => rmSync(path, { recursive: true })));
const newPath = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "flockcast-log-"));
  folders.push(folder);
  return join(folder, "log", "agent.log");
};
const lineOf = (number: number): string => `${String(number).padStart(9, "0")}\n`;

test("keeps the newest lines in five files of the given size, for their owner only", () => {
  const path = newPath();
  const file = new LogFile(path, 100);
  for (let number = 0; number < 95; number++) file.write(lineOf(number));
  expect(readdirSync(join(path, "..")).toSorted()).toEqual(
    ["", ".1", ".2", ".3", ".4"].map((end) => `agent.log${end}`),
  );
  const kept = [".4", ".3", ".2", ".1", ""].map((end) => readFileSync(`${path}${end}`, "utf8")).join("");
  expect(kept).toBe(Array.from({ length: 45 }, (_, at) => lineOf(50 + at)).join(""));
  expect(statSync(path).size).toBe(50);
  if (process.platform !== "win32") expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("continues the file of an earlier process, and one that was removed", () => {
  const path = newPath();
  new LogFile(path, 30).write(lineOf(1));
  const next = new LogFile(path, 30);
  next.write(lineOf(2));
  next.write(lineOf(3));
  expect(existsSync(`${path}.1`)).toBe(false);
  rmSync(path);
  next.write(lineOf(4));
  next.write(lineOf(5));
  expect(readFileSync(path, "utf8")).toBe(lineOf(4) + lineOf(5));
});
