/** Backups of a real catalog, restored into folders. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openSqliteCatalog } from "../catalog/index.ts";
import { openFixture, type Fixture } from "../app-fixture.ts";
import { contentName } from "../data-files.ts";
import { writeArchive } from "./archive.ts";
import { restore } from "./restore.ts";

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
let fixture: Fixture;
let file: string;
let target: string;
let packageId: string;

beforeEach(async () => {
  fixture = await openFixture();
  for (const name of ["admin.token", "enroll.token"])
    await writeFile(join(fixture.folder, name), `text of ${name}`);
  await writeFile(join(fixture.folder, "tool.bin"), "the bytes");
  const { json } = await fixture.signedPackage(join(fixture.folder, "tool.bin"), {
    name: "tool",
    version: "1",
  });
  packageId = (await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json })).body.packageId;
  await fixture.call("PUT", `/v1/packages/${packageId}/content`, { body: "the bytes" });
  await fixture.device("pc-1");
  await fixture.call("POST", "/v1/tasks", {
    json: { package: "tool", action: "pre-cache", setting: null, target: "all", startAtMs: null },
  });
  [file, target] = [join(fixture.folder, "backup"), join(fixture.folder, "restored")];
});
afterEach(() => fixture.close());

async function store(query = ""): Promise<void> {
  const answer = await fixture.raw("POST", `/v1/backup${query}`);
  expect(answer.status).toBe(200);
  await writeFile(file, await answer.bytes());
}
const entry = (name: string) => ({ name, sizeBytes: 4, bytes: [new TextEncoder().encode("text")] });
const options = (more: Partial<Parameters<typeof restore>[0]> = {}) => ({
  file,
  dataFolder: target,
  replaces: false,
  pausesTasks: false,
  nowMs,
  ...more,
});
const errorOf = (more: Partial<Parameters<typeof restore>[0]> = {}): Promise<string> =>
  restore(options(more)).then(
    () => "no error",
    (error: unknown) => String(error),
  );

describe("a restored backup", () => {
  test("has devices, tasks, packages and tokens, and another epoch", async () => {
    await store();
    const { facts, openTasks } = await restore(options());
    expect(facts).toMatchObject({ devices: 1, tasks: 1, packages: [], packagesLeftOut: [{ name: "tool" }] });
    expect(openTasks).toEqual([1]);
    expect((await readdir(target)).toSorted()).toEqual([
      "admin.token",
      "catalog.db",
      "enroll.token",
      "identity.key",
      "signing.keys",
    ]);
    expect(await readFile(join(target, "admin.token"), "utf8")).toBe("text of admin.token");
    if (process.platform !== "win32")
      expect((await stat(join(target, "admin.token"))).mode & 0o777).toBe(0o600);
    const catalog = await openSqliteCatalog(join(target, "catalog.db"));
    expect(catalog.deployment).toBe(fixture.catalog.deployment);
    expect(catalog.epoch).not.toBe(fixture.catalog.epoch);
    const [task] = await catalog.tasks.list();
    expect([task?.state, task?.epoch]).toEqual(["active", fixture.catalog.epoch]);
    expect((await catalog.deviceList.scan(null, 9)).map(({ hostname }) => hostname)).toEqual(["pc-1"]);
    catalog.close();
  });

  test("has the users of the backup, and none of their sessions", async () => {
    const { users, sessions } = fixture.catalog;
    await users.add({ name: "anna", role: "viewer", scope: [], createdAtMs: 1, passwordHash: "hash" });
    const { id } = (await users.byName("anna"))!;
    const beganAtMs = fixture.clock.nowMs;
    await sessions.begin(id, { secretSha256: "digest", beganAtMs });
    await store();
    await restore(options());
    const catalog = await openSqliteCatalog(join(target, "catalog.db"));
    expect(await catalog.users.byName("anna")).toMatchObject({ lastLoginAtMs: beganAtMs });
    expect(await catalog.sessions.bySecret("digest")).toBeNull();
    catalog.close();
  });

  test("has the bytes of packages on request", async () => {
    await store("?packages=yes");
    const { facts } = await restore(options());
    expect(facts).toMatchObject({ packages: [{ id: packageId }], packagesLeftOut: [] });
    expect(await readFile(join(target, contentName(packageId)), "utf8")).toBe("the bytes");
  });

  test("has its open tasks paused on request", async () => {
    await store();
    await restore(options({ pausesTasks: true }));
    const catalog = await openSqliteCatalog(join(target, "catalog.db"));
    expect((await catalog.tasks.list()).map(({ state }) => state)).toEqual(["paused"]);
    catalog.close();
  });

  test("fills an empty folder", async () => {
    await store();
    await mkdir(target);
    await restore(options());
    expect((await readdir(target)).toSorted()).toEqual([
      "admin.token",
      "catalog.db",
      "enroll.token",
      "identity.key",
      "signing.keys",
    ]);
  });
});

describe("a restore", () => {
  test("refuses a folder with files, and replaces it on request", async () => {
    await store();
    await mkdir(target);
    await writeFile(join(target, "mine"), "mine");
    expect(await errorOf()).toContain("is not empty: name another folder, or use --replace");
    expect(await readdir(target)).toEqual(["mine"]);
    const { keptFolder } = await restore(options({ replaces: true }));
    expect(keptFolder).toBe(`${target}.replaced-20260102T030405Z`);
    expect(await readdir(keptFolder!)).toEqual(["mine"]);
    expect(existsSync(join(target, "catalog.db"))).toBe(true);
  });

  test("refuses to replace the folder of a running source", async () => {
    await store();
    expect(await errorOf({ dataFolder: fixture.folder, replaces: true })).toContain("A source runs on");
  });

  test("changes nothing for a damaged, a foreign or a missing backup", async () => {
    await store();
    const bytes = await readFile(file);
    const middle = bytes.indexOf("SQLite format 3") + 5_000;
    bytes[middle]! ^= 1;
    await writeFile(file, bytes);
    expect(await errorOf()).toContain(
      'is damaged: "catalog.db" does not have its digest; nothing was changed',
    );
    await writeFile(file, "hello");
    expect(await errorOf()).toContain("is not a backup of a flockcast source");
    expect(await errorOf({ file: join(fixture.folder, "gone") })).toContain("Cannot read the backup");
    expect((await readdir(fixture.folder)).filter((name) => name.startsWith("restored"))).toEqual([]);
  });

  test("refuses a backup without the file of the signing keys", async () => {
    const { deployment } = fixture.catalog;
    const facts = { createdAtMs: 1, version: "1", deployment, devices: 0, tasks: 0 };
    const names = ["catalog.db", "admin.token", "enroll.token", "identity.key"];
    const parts = writeArchive({ ...facts, packages: [], packagesLeftOut: [] }, names.map(entry));
    await writeFile(file, Buffer.concat(await Array.fromAsync(parts)));
    expect(await errorOf()).toContain('"signing.keys" is missing');
  });

  test("leaves orders out: devices may have newer ones", async () => {
    expect(await fixture.orders.signed("task", "1")).not.toBeNull();
    await store();
    await restore(options());
    const catalog = await openSqliteCatalog(join(target, "catalog.db"));
    expect([await catalog.trust.orders("task"), (await catalog.trust.files()).length]).toEqual([[], 2]);
    catalog.close();
  });

  test("refuses a catalog that cannot be opened, although its digest is right", async () => {
    const { deployment } = fixture.catalog;
    const facts = { createdAtMs: 1, version: "1", deployment, devices: 0, tasks: 0 };
    const parts = writeArchive({ ...facts, packages: [], packagesLeftOut: [] }, [
      entry("catalog.db"),
      entry("admin.token"),
      entry("enroll.token"),
      entry("identity.key"),
      entry("signing.keys"),
    ]);
    await writeFile(file, Buffer.concat(await Array.fromAsync(parts)));
    expect(await errorOf()).toContain("The catalog in");
    expect((await readdir(fixture.folder)).filter((name) => name.startsWith("restored"))).toEqual([]);
  });
});

test("a backup leaves no copy of the catalog at the source, also when its reader goes away", async () => {
  await store();
  const answer = await fixture.raw("POST", "/v1/backup");
  const reader = answer.body!.getReader();
  await reader.read();
  await reader.cancel();
  expect((await readdir(fixture.folder)).filter((name) => name.startsWith("backup-"))).toEqual([]);
});

test("a device gets no backup", async () => {
  const device = await fixture.device("pc-2");
  const answer = await fixture.raw("POST", "/v1/backup", { credential: device.credential });
  expect(answer.status).toBe(403);
});
