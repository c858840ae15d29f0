import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../model/testing.ts";
import { systemFiles } from "./disk/system-files.ts";
import { FilePool } from "./file-pool.ts";

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));

test("a file that an exclusive action has closed is not looked at while the others are closed", async () => {
  const { path, remove } = temporaryFolder("file-pool");
  cleanups.push(remove);
  for (const name of ["0", "1"]) writeFileSync(join(path, name), "x");
  const pathOf = (index: number): string => join(path, String(index));
  const retired: boolean[] = [];
  const open = async (index: number) => {
    const file = await systemFiles().open(pathOf(index), "read", 0o644);
    if (index === 0) return file;
    const close = async (): Promise<void> => {
      retired.push(await pool.retireUnnamed(0));
      await file.close();
    };
    return Object.assign(Object.create(file) as typeof file, { close });
  };
  const pool = new FilePool({ open, pathOf });
  for (const index of [0, 1]) await pool.use(index, "read", async () => {});
  await pool.exclusively(async () => {});
  expect(retired).toEqual([false]);
});
