import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Catalog } from "./index.ts";
import { openSqliteCatalog } from "./sqlite-catalog.ts";

let folder: string;
let catalog: Catalog;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-users-"));
  catalog = await openSqliteCatalog(join(folder, "catalog.db"));
});
afterEach(async () => {
  catalog.close();
  await rm(folder, { recursive: true });
});

const added = async (name: string): Promise<number> => {
  const user = { name, role: "viewer", scope: [], createdAtMs: 1, passwordHash: "hash" } as const;
  expect(await catalog.users.add(user)).toBe("added");
  return (await catalog.users.byName(name))!.id;
};
const begin = (userId: number, secretSha256: string, beganAtMs = 1): Promise<string> =>
  catalog.sessions.begin(userId, { secretSha256, beganAtMs });
const allowed = (): void => {};
const isThere = async (secretSha256: string): Promise<boolean> =>
  (await catalog.sessions.bySecret(secretSha256)) !== null;
const personOf = (subject: string, name: string) =>
  ({ issuer: "https://id.example", subject, name, role: "operator", scope: ["b7"] }) as const;

test("compares names of users without case, and keeps the first spelling", async () => {
  await added("Änna");
  const again = { name: "ÄNNA", role: "viewer", scope: [], createdAtMs: 1, passwordHash: "hash" } as const;
  expect(await catalog.users.add(again)).toBe("name-taken");
  expect(await catalog.users.byName("änna")).toMatchObject({ name: "Änna", passwordHash: "hash" });
});

test("keeps the 16 sessions of a user that were used last", async () => {
  const id = await added("anna");
  for (let index = 0; index < 16; index++) await begin(id, `s${index}`, 10 + index);
  await catalog.sessions.noteUse("s0", 100);
  await begin(id, "s16", 200);
  expect([await isThere("s0"), await isThere("s1"), await isThere("s16")]).toEqual([true, false, true]);
  expect(await catalog.users.list(50, 0)).toMatchObject([{ name: "anna", sessions: 2, lastLoginAtMs: 200 }]);
});

test("ends the sessions of a user who is disabled or removed, and the others at another password", async () => {
  const [anna, ben] = [await added("anna"), await added("ben")];
  for (const secret of ["a1", "a2"]) await begin(anna, secret);
  await begin(ben, "b1");
  expect(await catalog.users.setPassword(anna, "other", "a2")).toBe("anna");
  expect([await isThere("a1"), await isThere("a2"), await isThere("b1")]).toEqual([false, true, true]);
  await catalog.users.change("anna", { role: "operator" }, allowed);
  expect((await catalog.sessions.bySecret("a2"))?.user).toMatchObject({ role: "operator" });
  await begin(anna, "a3");
  expect([await catalog.sessions.end("a3"), await catalog.sessions.end("a3")]).toEqual(["anna", null]);
  await catalog.users.change("anna", { disabledAtMs: 5 }, allowed);
  expect(await isThere("a2")).toBe(false);
  expect(await catalog.users.remove("BEN")).toBe(true);
  expect(await isThere("b1")).toBe(false);
});

test("gives a user of the provider today's name and role, and never the row of another user", async () => {
  await added("anna");
  const { users } = catalog;
  expect(await users.recordProviderUser(personOf("7", "Anna"), 5)).toBe("name-taken");
  const first = await users.recordProviderUser(personOf("7", "anna@id.example"), 5);
  expect(first).toMatchObject({ name: "anna@id.example", role: "operator", passwordHash: null });
  const renamed = await users.recordProviderUser({ ...personOf("7", "Anne"), role: "viewer", scope: [] }, 6);
  expect(renamed).toMatchObject({ name: "Anne", role: "viewer", scope: [] });
  // The name of another user is left to that user.
  expect(await users.recordProviderUser(personOf("7", "anna"), 7)).toMatchObject({ name: "Anne" });
  await users.change("Anne", { disabledAtMs: 8 }, allowed);
  expect(await users.recordProviderUser(personOf("7", "Anne"), 9)).toBe("disabled");
});

test("removes users of the provider who do not sign in any more, except disabled ones", async () => {
  await added("anna");
  await catalog.users.recordProviderUser(personOf("1", "gone"), 5);
  await catalog.users.recordProviderUser(personOf("2", "barred"), 5);
  await catalog.users.change("barred", { disabledAtMs: 6 }, allowed);
  await catalog.users.removeProviderUsers(6);
  expect((await catalog.users.list(0, 0)).map(({ name }) => name)).toEqual(["anna", "barred"]);
});

test("ends the sessions of the provider's users only when the provider changes", async () => {
  const anna = await added("anna");
  const other = await catalog.users.recordProviderUser(personOf("1", "ben"), 5);
  if (typeof other === "string") throw new Error(other);
  await begin(anna, "a");
  await begin(other.id, "b");
  await catalog.singleSignOn.write(null);
  expect([await isThere("a"), await isThere("b")]).toEqual([true, false]);
});

test("checks the change of a user against the user of that moment, and keeps the user when it is refused", async () => {
  await added("anna");
  const toOperator = catalog.users.change("anna", { role: "operator" }, allowed);
  const toScope = catalog.users.change("anna", { scope: ["b7"] }, ({ role }) => {
    throw new Error(`no scope for the role ${role}`);
  });
  await toOperator;
  await expect(toScope).rejects.toThrow("no scope for the role operator");
  expect(await catalog.users.byName("anna")).toMatchObject({ role: "operator", scope: [] });
});
