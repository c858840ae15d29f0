/** The data folder of an agent among other users of the machine: real files, real SQLite. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asStranger, rootTest, strangerId } from "../../tests/root-test.ts";
import { openCache } from "./index.ts";
import { cacheOptions } from "./testing.ts";

let folder = "";
const at = (...parts: string[]): string => join(folder, ...parts);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flockcast-data-"));
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("closes folders and files that were open to other users before", async () => {
  mkdirSync(at("data", "cache"), { recursive: true });
  chmodSync(at("data"), 0o755);
  for (const name of ["lock.db", "ledger.db"]) new Database(at("data", name)).close();
  const files = ["lock.db", "lock.pid", "ledger.db", "machine.id", "upgrade.json"];
  for (const name of files) {
    if (!existsSync(at("data", name))) writeFileSync(at("data", name), "");
    chmodSync(at("data", name), 0o644);
  }
  const cache = await openCache(cacheOptions(at("data")));
  for (const path of [at("data"), at("data", "cache")]) expect(statSync(path).mode & 0o777).toBe(0o700);
  for (const name of files) expect(statSync(at("data", name)).mode & 0o777).toBe(0o600);
  await cache.close();
});

test("does not close a folder of the system that was named by mistake", async () => {
  for (const name of ["cache", "lib", "log"]) mkdirSync(at("var", name), { recursive: true });
  chmodSync(at("var"), 0o755);
  await expect(openCache(cacheOptions(at("var")))).rejects.toThrow("holds files of other programs");
  expect(statSync(at("var")).mode & 0o777).toBe(0o755);
});

test("follows no link in the place of its own files", async () => {
  const victim = at("victim");
  writeFileSync(victim, "untouched");
  mkdirSync(at("data"), { mode: 0o700 });
  symlinkSync(victim, at("data", "lock.pid"));
  const cache = await openCache(cacheOptions(at("data")));
  expect(readFileSync(victim, "utf8")).toBe("untouched");
  await cache.close();
  symlinkSync(victim, at("link"));
  for (const name of ["ledger.db", "lock.db"]) {
    rmSync(at("data", name));
    symlinkSync(at("made"), at("data", name));
    await expect(openCache(cacheOptions(at("data")))).rejects.toThrow(`${name}" is not a file`);
    rmSync(at("data", name));
  }
  expect(existsSync(at("made"))).toBe(false);
});

rootTest("refuses a folder that another user made first, with what that user put into it", async () => {
  mkdirSync(at("data"));
  writeFileSync(at("victim"), "secret of root");
  symlinkSync(at("victim"), at("data", "lock.pid"));
  chownSync(at("data"), strangerId, strangerId);
  await expect(openCache(cacheOptions(at("data")))).rejects.toMatchObject({
    code: "unsafe",
    message: expect.stringContaining(`belongs to the user with id ${strangerId}`),
  });
  expect(readFileSync(at("victim"), "utf8")).toBe("secret of root");
});

rootTest("another user can neither lock nor read the folder", async () => {
  mkdirSync(at("data"));
  new Database(at("data", "lock.db")).close();
  for (const path of [at("public"), at("data", "lock.db")]) writeFileSync(path, "");
  chmodSync(at("data", "lock.db"), 0o644);
  const all = ["list:data", "read:data/lock.db", "write:data/new"];
  expect(await asStranger(folder, "read:public", "read:data/lock.db")).toEqual({
    "read:public": "done",
    "read:data/lock.db": "done",
  });
  const cache = await openCache(cacheOptions(at("data")));
  expect(Object.values(await asStranger(folder, ...all))).toEqual(["EACCES", "EACCES", "EACCES"]);
  const asked = (await asStranger(folder, "ask:data", "ask:."))["ask:data"];
  expect(asked).toContain('Only its owner may read "data": run this command as the user of the agent');
  // A user who may open the file may lock it. The mode bars it in a folder that was opened by hand.
  chmodSync(at("data"), 0o755);
  const names = ["lock.db", "lock.pid", "ledger.db", "ledger.db-wal"];
  const opened = await asStranger(folder, "list:data", ...names.map((name) => `read:data/${name}`));
  expect(Object.values(opened)).toEqual(["done", "EACCES", "EACCES", "EACCES", "EACCES"]);
  expect(await asStranger(at("data"), "list:cache")).toEqual({ "list:cache": "EACCES" });
  await cache.close();
});
