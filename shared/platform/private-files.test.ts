/** Private files and folders, with real files of this user, of root and of another user. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootTest, strangerId } from "../../tests/root-test.ts";
import { problemOf } from "./posix-access.ts";
import {
  AccessError,
  createPrivateFile,
  ensurePrivateFolder,
  openPrivateFile,
  preparePrivateDatabase,
  readPrivateFile,
  writePrivateFile,
} from "./private-files.ts";

let folder = "";
const at = (...parts: string[]): string => join(folder, ...parts);
const modeOf = (path: string): number => lstatSync(path).mode & 0o777;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flockcast-private-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Makes a file or folder with exactly this mode, whatever the umask is. */
function make(path: string, mode: number, text?: string): string {
  if (text === undefined) mkdirSync(path);
  else writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test("makes a folder and its parents with the mode 0700", async () => {
  await ensurePrivateFolder(at("a", "b", "data"));
  for (const path of [at("a"), at("a", "b"), at("a", "b", "data")]) expect(modeOf(path)).toBe(0o700);
});

test("takes the rights of others from an existing folder that they could only read", async () => {
  make(at("data"), 0o755);
  await ensurePrivateFolder(at("data"));
  expect(modeOf(at("data"))).toBe(0o700);
});

test("refuses a folder with contents that other users can write, and says how to correct it", async () => {
  make(at("data"), 0o777);
  make(at("data", "planted"), 0o644, "");
  await expect(ensurePrivateFolder(at("data"))).rejects.toThrow(
    `The data folder "${at("data")}" can be written by other users (mode 0777): after a look at the contents, chmod go-w "${at("data")}"`,
  );
  expect(modeOf(at("data"))).toBe(0o777);
});

test("refuses a folder below one that other users can write, and accepts one below a sticky one", async () => {
  make(at("shared"), 0o777);
  await expect(ensurePrivateFolder(at("shared", "data"))).rejects.toThrow(
    `the folder "${at("shared")}" can be written by other users (mode 0777)`,
  );
  chmodSync(at("shared"), 0o1777);
  await ensurePrivateFolder(at("shared", "data"));
});

test("takes an empty folder that other users could write, such as a new file system in memory", async () => {
  make(at("data"), 0o1777);
  make(at("data", "lost+found"), 0o700);
  await ensurePrivateFolder(at("data"));
  expect(modeOf(at("data"))).toBe(0o700);
});

test("refuses to close a folder of other programs to them", async () => {
  make(at("etc"), 0o755);
  make(at("etc", "passwd"), 0o644, "");
  await expect(ensurePrivateFolder(at("etc"), "data folder", ["ledger.db"])).rejects.toThrow(
    "holds files of other programs",
  );
  expect(modeOf(at("etc"))).toBe(0o755);
  make(at("etc", "ledger.db"), 0o644, "");
  await ensurePrivateFolder(at("etc"), "data folder", ["ledger.db"]);
  expect(modeOf(at("etc"))).toBe(0o700);
});

test("looks behind links on the way to the folder", async () => {
  make(at("wide"), 0o777);
  mkdirSync(at("wide", "real"), { mode: 0o700 });
  mkdirSync(at("safe"), { mode: 0o700 });
  symlinkSync(at("wide", "real"), at("safe", "link"));
  await expect(ensurePrivateFolder(at("safe", "link"))).rejects.toThrow(`"${at("wide")}" can be written`);
  chmodSync(at("wide"), 0o755);
  await ensurePrivateFolder(at("safe", "link"));
  await ensurePrivateFolder(at("safe", "link", "below"));
  expect(modeOf(at("wide", "real"))).toBe(0o700);
});

rootTest("refuses a folder, a parent and a link of another user", async () => {
  make(at("data"), 0o700);
  chownSync(at("data"), strangerId, strangerId);
  await expect(ensurePrivateFolder(at("data"))).rejects.toThrow(
    `belongs to the user with id ${strangerId}, and this program runs as 0`,
  );
  await expect(ensurePrivateFolder(at("data", "below"))).rejects.toThrow(
    `the folder "${at("data")}" belongs to the user with id ${strangerId}`,
  );
  mkdirSync(at("own"), { mode: 0o700 });
  symlinkSync(at("own"), at("link"));
  Bun.spawnSync(["chown", "-h", String(strangerId), at("link")]);
  await expect(ensurePrivateFolder(at("link", "below"))).rejects.toThrow(
    `The link "${at("link")}" belongs to`,
  );
});

test.each([
  ["a private group of the user", { uid: 1000, gid: 1000, mode: 0o40775 }, null],
  ["another group", { uid: 1000, gid: 50, mode: 0o40775 }, /other users \(mode 0775\)/],
  ["the group of root", { uid: 1000, gid: 0, mode: 0o40775 }, null],
  ["everybody", { uid: 1000, gid: 1000, mode: 0o40777 }, /other users/],
  ["root, who owns it", { uid: 0, gid: 0, mode: 0o40755 }, /belongs to the user with id 0/],
])("judges a data folder that %s can write", (_, found, expected) => {
  const problem = problemOf("/data", found, "own", { uid: 1000, gid: 1000 });
  if (expected === null) expect(problem).toBeNull();
  else expect(problem).toMatch(expected);
});

test("reads a secret of its owner only, and names the chmod that helps", async () => {
  const key = make(at("publisher.key"), 0o640, "secret");
  await expect(readPrivateFile(key, "publisher's key")).rejects.toThrow(
    `The publisher's key "${key}" can be used by other users (mode 0640): chmod 600 "${key}"`,
  );
  chmodSync(key, 0o600);
  expect(await readPrivateFile(key, "publisher's key")).toBe("secret");
  chmodSync(key, 0o400);
  symlinkSync(key, at("link"));
  expect(await readPrivateFile(at("link"), "publisher's key")).toBe("secret");
});

test("lets a group read a secret only where root chose the group", () => {
  const user = { uid: 1000, gid: 1000 };
  const found = { uid: 0, gid: 110, mode: 0o100640 };
  expect(problemOf("/key", found, "group-secret", user)).toBeNull();
  expect(problemOf("/key", found, "secret", user)).toContain("chmod 600");
  expect(problemOf("/key", { ...found, uid: 1000 }, "group-secret", user)).toContain("chmod 600");
  expect(problemOf("/key", { ...found, mode: 0o100644 }, "group-secret", user)).toContain("chmod 600");
});

test("replaces a link instead of writing what it leads to", async () => {
  const victim = make(at("victim"), 0o644, "untouched");
  for (const name of ["state", "state.new"]) symlinkSync(victim, at(name));
  await writePrivateFile(at("state"), "new");
  expect(readFileSync(victim, "utf8")).toBe("untouched");
  expect(readFileSync(at("state"), "utf8")).toBe("new");
  expect(lstatSync(at("state")).isFile()).toBe(true);
  expect(modeOf(at("state"))).toBe(0o600);
  expect(readdirSync(folder).toSorted()).toEqual(["state", "victim"]);
});

test("creates a file once, and never replaces it", async () => {
  expect(await createPrivateFile(at("key"), "first")).toBe(true);
  expect(await createPrivateFile(at("key"), "second")).toBe(false);
  expect(readFileSync(at("key"), "utf8")).toBe("first");
  expect(modeOf(at("key"))).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["key"]);
});

test("opens no link, and narrows a file that exists", () => {
  symlinkSync(make(at("victim"), 0o644, "untouched"), at("link"));
  expect(() => openPrivateFile(at("link"), constants.O_WRONLY | constants.O_TRUNC)).toThrow("ELOOP");
  make(at("log"), 0o644, "old");
  const file = openPrivateFile(at("log"), constants.O_WRONLY | constants.O_APPEND);
  writeSync(file, " new");
  closeSync(file);
  expect(modeOf(at("log"))).toBe(0o600);
  expect(readFileSync(at("log"), "utf8")).toBe("old new");
});

test("narrows a database and its side files, and refuses a link in their place", () => {
  for (const name of ["x.db", "x.db-wal", "x.db-shm"]) make(at(name), 0o644, "");
  preparePrivateDatabase(at("x.db"));
  for (const name of ["x.db", "x.db-wal", "x.db-shm"]) expect(modeOf(at(name))).toBe(0o600);
  rmSync(at("x.db-wal"));
  symlinkSync(at("elsewhere"), at("x.db-wal"));
  expect(() => preparePrivateDatabase(at("x.db"))).toThrow(AccessError);
  preparePrivateDatabase(at("new.db"));
  expect(modeOf(at("new.db"))).toBe(0o600);
});
