/** Passwords that an administrator changes while a request checks the earlier one. */
import { afterEach, beforeEach, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { openFixture, type Fixture } from "../app-fixture.ts";
import { PasswordHashes } from "./password-hashes.ts";

// Hashes of passwords take long on a busy machine.
setDefaultTimeout(60_000);

const here = "127.0.0.1";
const password = "correct horse battery";
const other = "another staple entirely";
const third = "a third one of the user";
let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
  const json = { name: "anna", role: "viewer", password };
  expect((await fixture.call("POST", "/v1/users", { json })).status).toBe(200);
});
afterEach(() => fixture.close());

const signIn = (with_: string): Promise<Response> =>
  fixture.raw("POST", "/v1/session", { credential: null, json: { user: "anna", password: with_ } }, here);

/** Changes the password as an administrator, once the method of the real store has been called. */
async function changedAfter<K extends "users" | "sessions">(
  store: K,
  method: keyof Fixture["catalog"][K] & string,
  send: () => Promise<Response>,
): Promise<number> {
  const hash = await new PasswordHashes().hash(other);
  const { id } = (await fixture.catalog.users.byName("anna"))!;
  const called = Promise.withResolvers<void>();
  const stores = fixture.catalog[store] as unknown as Record<string, (...words: never[]) => Promise<unknown>>;
  const real = stores[method]!;
  const spy = spyOn(stores, method).mockImplementation(async (...words) => {
    const result = await real(...words);
    called.resolve();
    return result;
  });
  const answer = send();
  await called.promise;
  spy.mockRestore();
  await fixture.catalog.users.setPassword(id, hash, null);
  return (await answer).status;
}

test("a sign-in with the earlier password begins no session", async () => {
  expect(await changedAfter("users", "byName", () => signIn(password))).toBe(401);
  const [anna] = await fixture.catalog.users.list(0, 0);
  expect(anna).toMatchObject({ name: "anna", sessions: 0 });
});

test("a user's own change does not replace the password of the administrator", async () => {
  const [cookie = ""] = (await signIn(password)).headers.getSetCookie()[0]!.split(";");
  const change = () =>
    fixture.raw(
      "PUT",
      "/v1/session/password",
      {
        credential: null,
        json: { current: password, password: third },
        headers: { cookie, "sec-fetch-site": "same-origin" },
      },
      here,
    );
  expect(await changedAfter("sessions", "bySecret", change)).toBe(401);
  expect([(await signIn(third)).status, (await signIn(other)).status]).toEqual([401, 200]);
});
