/** Single sign-on: a real source, a real provider in another process, and its login form. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../shared/api/testing-certificates.ts";
import type { AuditRow } from "../shared/model/audit.ts";
import type { CallerView, User } from "../shared/api/schema/users.ts";
import { createLogger } from "../shared/log.ts";
import { startSource, type RunningSource } from "../shared/source/server.ts";
import { TestBrowser } from "../shared/source/testing-browser.ts";

// Hashes of passwords take long on a busy machine.
setDefaultTimeout(60_000);

const clock = { nowMs: 1_800_000_000_000 };
const secret = "a secret of thirty characters!";
const accounts = {
  anna: { preferred_username: "anna", groups: ["staff", "it-admins"] },
  ben: { preferred_username: "ben", email: "ben@id.example", groups: "helpdesk" },
  fred: { preferred_username: "fred", groups: ["helpdesk"] },
  gina: { preferred_username: "gina", groups: [] },
  carl: { preferred_username: "carl", groups: ["staff"] },
  dora: { preferred_username: "dora" },
  local: { preferred_username: "local", groups: ["helpdesk"] },
  eve: { preferred_username: "eve", groups: ["it-admins"] },
  nested: {
    preferred_username: "nested",
    email: "nested@id.example",
    groups: [],
    realm: { roles: ["helpdesk"] },
  },
};
let folder: string;
let source: RunningSource;
let token: string;
let provider: Bun.Subprocess<"pipe", "pipe", "ignore">;
let issuer: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-oidc-"));
  const files = await makeCertificate(folder, { name: "source", names: "IP:127.0.0.1" });
  const dataDir = join(folder, "data");
  const listen = { host: "127.0.0.1", port: 0 };
  const log = createLogger("test", "silent");
  source = await startSource({
    dataDir,
    listen,
    tls: { kind: "files", ...files },
    log,
    nowMs: () => clock.nowMs,
  });
  token = (await readFile(join(dataDir, "admin.token"), "utf8")).trim();
  const client = (id: string) => ({
    client_id: id,
    client_secret: secret,
    redirect_uris: [`${source.url}/v1/sign-in/provider/callback`],
  });
  const config = JSON.stringify({ clients: [client("flockcast"), client("short")], accounts });
  provider = Bun.spawn([process.execPath, join(import.meta.dir, "openid-provider.mjs"), config], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  const reader = provider.stdout.getReader();
  issuer = new TextDecoder().decode((await reader.read()).value).trim();
  reader.releaseLock();
});
afterAll(async () => {
  await provider.stdin.end();
  await provider.exited;
  await source.stop();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  expect((await set()).status).toBe(200);
});

async function asAdmin(method: string, path: string, json?: unknown): Promise<Response> {
  return fetch(source.url + path, {
    method,
    tls: { rejectUnauthorized: false },
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
}
const set = (more: Record<string, unknown> = {}): Promise<Response> =>
  asAdmin("PUT", "/v1/single-sign-on", {
    issuer,
    clientId: "flockcast",
    clientSecret: secret,
    publicUrl: source.url,
    requested: ["openid", "profile", "groups"],
    roles: [
      { group: "it-admins", role: "administrator" },
      { group: "helpdesk", role: "operator", scope: ["b7"] },
    ],
    ...more,
  });
const usersOf = async (): Promise<User[]> =>
  ((await (await asAdmin("GET", "/v1/users")).json()) as { users: User[] }).users;

/** Returns the newest rows of the audit, the newest first. */
const rowsOf = async (): Promise<AuditRow[]> =>
  ((await (await asAdmin("GET", "/v1/audit?limit=1000")).json()) as { rows: AuditRow[] }).rows;

const isCallback = (url: string): boolean => url.startsWith(`${source.url}/v1/sign-in/provider/callback`);
/** Begins at the source. Returns the address at the provider. */
async function begin(browser: TestBrowser, path = ""): Promise<string> {
  const answer = await browser.send(`${source.url}/v1/sign-in/provider${path}`);
  expect(answer.status).toBe(303);
  return answer.headers.get("location")!;
}
/** Fills in the forms of the provider. Returns the address with which it leads back. */
async function atProvider(browser: TestBrowser, address: string, login: string): Promise<string> {
  let { url, response } = await browser.open(address, "cross-site", isCallback);
  while (response !== null) {
    const page = await response.text();
    const action = /action="([^"]+)"/.exec(page)?.[1];
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (action === undefined || prompt === undefined) throw new Error(`no form at ${url}: ${page}`);
    const form = { prompt, login, password: "any" };
    ({ url, response } = await browser.open(action, "same-origin", isCallback, { method: "POST", form }));
  }
  return url;
}
const comeBack = (browser: TestBrowser, url: string): Promise<Response> =>
  browser.send(url, { from: "cross-site" });
async function signIn(login: string, browser = new TestBrowser()): Promise<Response> {
  return comeBack(browser, await atProvider(browser, await begin(browser), login));
}
const sessionOf = (browser: TestBrowser): Promise<Response> => browser.send(`${source.url}/v1/session`);

/** Expects a page for people, and no session. */
async function expectRefusal(answer: Response, status: number, text: string | RegExp): Promise<void> {
  const page = await answer.text();
  expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "text/html; charset=UTF-8"]);
  expect(page).toMatch(text);
  expect(answer.headers.getSetCookie().some((line) => line.startsWith("__Host-flockcast="))).toBe(false);
}

describe("a person with an account at the provider", () => {
  test("gets the role of the first group that has one, and the page from which the sign-in began", async () => {
    const browser = new TestBrowser();
    const address = await begin(browser, "?return=/tasks?state=open");
    const asked = new URL(address).searchParams;
    expect([asked.get("code_challenge_method"), asked.get("response_type")]).toEqual(["S256", "code"]);
    const back = await comeBack(browser, await atProvider(browser, address, "anna"));
    expect([back.status, back.headers.get("location")]).toEqual([303, "/tasks?state=open"]);
    expect(browser.cookie("__Host-flockcast-sign-in")).toBeUndefined();
    const caller = (await (await sessionOf(browser)).json()) as CallerView;
    expect(caller).toMatchObject({ name: "anna", role: "administrator", scope: [], by: "session" });
    expect(caller.session).toMatchObject({ signIn: "provider" });
    // The provider still knows the browser, and asks for nothing.
    const again = await browser.open(await begin(browser), "cross-site", isCallback);
    expect((await comeBack(browser, again.url)).status).toBe(303);
    expect((await usersOf()).find(({ name }) => name === "anna")).toMatchObject({ signIn: "provider" });
    const weak = await browser.send(`${source.url}/v1/session/password`, {
      method: "PUT",
      json: { current: "x", password: "correct horse battery" },
    });
    expect(weak.status).toBe(409);
  });

  test("gets the scope of the group, and another role when the groups of roles change", async () => {
    const browser = new TestBrowser();
    expect((await signIn("ben", browser)).status).toBe(303);
    expect(await (await sessionOf(browser)).json()).toMatchObject({ role: "operator", scope: ["b7"] });
    await set({ roles: [{ group: "helpdesk", role: "viewer" }] });
    expect((await sessionOf(browser)).status).toBe(401);
    expect((await signIn("ben", browser)).status).toBe(303);
    expect(await (await sessionOf(browser)).json()).toMatchObject({ role: "viewer", scope: [] });
    const edited = await asAdmin("PATCH", "/v1/users/ben", { role: "administrator" });
    expect(edited.status).toBe(409);
  });

  test("is named and grouped by the claims that are set", async () => {
    await set({ groupsClaim: "realm.roles", nameClaim: "email" });
    const browser = new TestBrowser();
    expect((await signIn("nested", browser)).status).toBe(303);
    expect(await (await sessionOf(browser)).json()).toMatchObject({
      name: "nested@id.example",
      role: "operator",
    });
  });

  test("is refused without a group that has a role, and without any claim of groups", async () => {
    await expectRefusal(await signIn("carl"), 403, "is in no group that has a role at this source");
    await expectRefusal(await signIn("dora"), 403, "gives no claim &quot;groups&quot; for &quot;dora&quot;");
    expect((await usersOf()).some(({ name }) => name === "carl" || name === "dora")).toBe(false);
  });

  test("is refused when a user with a password has the name", async () => {
    const user = { name: "LOCAL", role: "viewer", password: "correct horse battery" };
    expect((await asAdmin("POST", "/v1/users", user)).status).toBe(200);
    await expectRefusal(await signIn("local"), 409, "Another user is named");
    expect((await usersOf()).find(({ name }) => name === "LOCAL")).toMatchObject({ role: "viewer" });
  });

  test("is refused when disabled while at the provider, and loses the sessions", async () => {
    const browser = new TestBrowser();
    expect((await signIn("eve", browser)).status).toBe(303);
    const second = new TestBrowser();
    const callback = await atProvider(second, await begin(second), "eve");
    expect((await asAdmin("PATCH", "/v1/users/eve", { disabled: true })).status).toBe(200);
    expect((await sessionOf(browser)).status).toBe(401);
    await expectRefusal(await comeBack(second, callback), 403, "is disabled");
  });

  test("loses the session when single sign-on ends", async () => {
    const browser = new TestBrowser();
    expect((await signIn("anna", browser)).status).toBe(303);
    expect((await asAdmin("DELETE", "/v1/single-sign-on")).status).toBe(200);
    expect((await sessionOf(browser)).status).toBe(401);
    const start = await browser.send(`${source.url}/v1/sign-in/provider`);
    await expectRefusal(start, 404, "no single sign-on");
  });
});

test("the audit has the provider without its secret, and each sign-in with its name", async () => {
  await set({ clientSecret: "another secret of the client", groupsClaim: "roles" });
  const [changed] = await rowsOf();
  expect(changed).toMatchObject({
    actor: "admin.token",
    action: "PUT /v1/single-sign-on",
    object: "single sign-on",
    before: '{"groupsClaim":"groups"}',
    after: '{"groupsClaim":"roles"}',
  });
  await set();
  const before = (await rowsOf())[0]!.sequence;
  await signIn("fred");
  await signIn("fred");
  await signIn("gina");
  const rows = (await rowsOf()).filter(({ sequence }) => sequence > before).toReversed();
  const action = "GET /v1/sign-in/provider/callback";
  expect(rows.map((row) => [row.actor, row.kind, row.action, row.object, row.result])).toEqual([
    ["fred", "session", action, "user fred", "done"],
    ["fred", "session", action, "user fred", "done"],
    ["fred", "session", action, "user fred", "done"],
    ["gina", "nobody", action, "/v1/sign-in/provider/callback", "refused: no-role"],
  ]);
  expect(rows.map(({ after }) => after).slice(1, 3)).toEqual(['{"session":"began"}', '{"session":"began"}']);
  await asAdmin("DELETE", "/v1/single-sign-on");
  const all = await rowsOf();
  expect(all[0]).toMatchObject({ action: "DELETE /v1/single-sign-on", after: null });
  expect(JSON.stringify(all)).not.toContain("secret of");
});

describe("an answer of the provider is refused", () => {
  test("with another state", async () => {
    const browser = new TestBrowser();
    const callback = new URL(await atProvider(browser, await begin(browser), "anna"));
    callback.searchParams.set("state", "another");
    await expectRefusal(
      await comeBack(browser, callback.href),
      403,
      /does not belong to this sign-in.*state/,
    );
  });

  test("with another nonce", async () => {
    const browser = new TestBrowser();
    const address = new URL(await begin(browser));
    address.searchParams.set("nonce", "of-another-sign-in");
    const callback = await atProvider(browser, address.href, "anna");
    await expectRefusal(await comeBack(browser, callback), 403, /does not belong to this sign-in.*nonce/);
  });

  test("with a code for another verifier", async () => {
    const browser = new TestBrowser();
    const address = new URL(await begin(browser));
    address.searchParams.set("code_challenge", "A".repeat(43));
    const callback = await atProvider(browser, address.href, "anna");
    await expectRefusal(await comeBack(browser, callback), 403, "invalid_grant");
  });

  test("with a code that has expired, or was used", async () => {
    const used = new TestBrowser();
    const first = await begin(used);
    const pending = used.cookie("__Host-flockcast-sign-in")!;
    const callback = await atProvider(used, first, "anna");
    expect((await comeBack(used, callback)).status).toBe(303);
    used.plant(pending);
    await expectRefusal(await comeBack(used, callback), 403, "invalid_grant");

    await set({ clientId: "short" });
    const late = new TestBrowser();
    const lateCallback = await atProvider(late, await begin(late), "anna");
    await Bun.sleep(2_100);
    await expectRefusal(await comeBack(late, lateCallback), 403, "invalid_grant");
  });

  test("in a browser that did not begin the sign-in, or began it too long ago", async () => {
    const browser = new TestBrowser();
    const callback = await atProvider(browser, await begin(browser), "anna");
    await expectRefusal(await comeBack(new TestBrowser(), callback), 403, "no sign-in that waits");
    const forger = new TestBrowser();
    await begin(forger);
    const { value } = forger.cookie("__Host-flockcast-sign-in")!;
    forger.plant({ name: "__Host-flockcast-sign-in", value: `${value.slice(0, -4)}AAAA`, host: "127.0.0.1" });
    await expectRefusal(await comeBack(forger, callback), 403, "no sign-in that waits");
    clock.nowMs += 600_000;
    await expectRefusal(await comeBack(browser, callback), 403, "no sign-in that waits");
  });

  test("when the person refuses there, with the provider's reason as text", async () => {
    const browser = new TestBrowser();
    await begin(browser);
    const state = new URL(await begin(browser)).searchParams.get("state")!;
    const callback = new URL(`${source.url}/v1/sign-in/provider/callback`);
    const answer = { state, error: "access_denied", error_description: "<b>no</b>", iss: issuer };
    for (const [name, value] of Object.entries(answer)) callback.searchParams.set(name, value);
    const refusal = await comeBack(browser, callback.href);
    await expectRefusal(refusal, 403, /access_denied: &lt;b&gt;no&lt;\/b&gt;/);
  });

  test("when the secret of the client is wrong", async () => {
    expect((await set({ clientSecret: undefined })).status).toBe(200);
    expect((await signIn("anna")).status).toBe(303);
    expect((await set({ clientSecret: undefined, clientId: "short" })).status).toBe(422);
    await set({ clientSecret: "another secret of the client" });
    await expectRefusal(await signIn("anna"), 503, "does not accept the client id or the client secret");
  });
});

describe("single sign-on", () => {
  test("is shown without the secret, and announced to the page that signs in", async () => {
    const shown = await (await asAdmin("GET", "/v1/single-sign-on")).text();
    expect(shown).not.toContain(secret);
    expect(JSON.parse(shown)).toMatchObject({
      provider: { issuer, redirectUrl: `${source.url}/v1/sign-in/provider/callback` },
    });
    const ways = await new TestBrowser().send(`${source.url}/v1/sign-in`);
    expect(await ways.json()).toEqual({
      password: true,
      provider: { issuer, path: "/v1/sign-in/provider" },
      signedIn: false,
      sourceUrl: null,
    });
  });

  test("is not set for a provider without TLS on another machine, or one that does not answer", async () => {
    const closed = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("not it") });
    const refusals = [
      [{ issuer: "http://id.example" }, 422, "no TLS"],
      [{ publicUrl: "http://source.example" }, 422, "no TLS"],
      [{ issuer: closed.url.origin }, 503, "cannot be used"],
      [{ issuer: `${issuer}/elsewhere` }, 503, "cannot be used"],
      [{ requested: ["profile"] }, 422, "openid"],
      [{ roles: [] }, 400, "at least one group"],
      [{ roles: [{ group: "g", role: "administrator", scope: ["b7"] }] }, 422, "concerns all devices"],
    ] as const;
    for (const [more, status, text] of refusals) {
      const answer = await set(more);
      const { error } = (await answer.json()) as { error: string };
      expect([JSON.stringify(more), answer.status, error]).toEqual([
        JSON.stringify(more),
        status,
        expect.stringContaining(text),
      ]);
    }
    await closed.stop(true);
    expect(await (await asAdmin("GET", "/v1/single-sign-on")).json()).toMatchObject({ provider: { issuer } });
  });

  test("leads back to a page of this source only", async () => {
    for (const path of ["https://evil.example", "//evil.example", "/\\evil.example", "/%0d", ""]) {
      const query = `?return=${path === "/%0d" ? "/%0d%0ax" : encodeURIComponent(path)}`;
      const answer = await new TestBrowser().send(`${source.url}/v1/sign-in/provider${query}`);
      expect(`${path}: ${answer.status}`).toBe(`${path}: 400`);
    }
  });
});
