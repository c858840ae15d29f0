/** Sessions of people: a real source over https, and a browser with its cookies. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../api/testing-certificates.ts";
import type { AuditRow } from "../../model/audit.ts";
import type { CallerView, User } from "../../api/schema/users.ts";
import { createLogger } from "../../log.ts";
import { openFixture } from "../app-fixture.ts";
import { parseTrustedProxies } from "../client-address.ts";
import { permissions } from "../permissions.ts";
import { startSource, type RunningSource } from "../server.ts";
import { TestBrowser } from "../testing-browser.ts";

// Hashes of passwords take long on a busy machine.
setDefaultTimeout(60_000);

const password = "correct horse battery";
const other = "another staple entirely";
const clock = { nowMs: 1_800_000_000_000 };
let folder: string;
let source: RunningSource;
let token: string;
/** Number of the test: each has users of its own, whose failed attempts count for no other. */
let turn = 0;
let user: string;

const options = { listen: { host: "127.0.0.1", port: 0 }, log: createLogger("test", "silent") } as const;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-sessions-"));
  const files = await makeCertificate(folder, { name: "source", names: "IP:127.0.0.1" });
  const dataDir = join(folder, "data");
  source = await startSource({
    ...options,
    dataDir,
    tls: { kind: "files", ...files },
    nowMs: () => clock.nowMs,
  });
  token = (await readFile(join(dataDir, "admin.token"), "utf8")).trim();
});
afterAll(async () => {
  await source.stop();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  user = `user-${++turn}`;
  // Failed attempts of an address are forgotten after an hour.
  clock.nowMs += 3_600_001;
  const json = { name: user, role: "viewer", password };
  expect((await asAdmin("POST", "/v1/users", json)).status).toBe(200);
});

async function asAdmin(method: string, path: string, json?: unknown): Promise<Response> {
  return fetch(source.url + path, {
    method,
    tls: { rejectUnauthorized: false },
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
}

const signIn = (browser: TestBrowser, with_: string = password, name: string = user): Promise<Response> =>
  browser.send(`${source.url}/v1/session`, { method: "POST", json: { user: name, password: with_ } });
async function signedIn(): Promise<TestBrowser> {
  const browser = new TestBrowser();
  expect((await signIn(browser)).status).toBe(200);
  return browser;
}
const statusOf = async (browser: TestBrowser): Promise<number> =>
  (await browser.send(`${source.url}/v1/session`)).status;

/** Returns the newest rows of the audit, the newest first. */
const rowsOf = async (): Promise<AuditRow[]> =>
  ((await (await asAdmin("GET", "/v1/audit?limit=1000")).json()) as { rows: AuditRow[] }).rows;

describe("signing in", () => {
  test("begins a session, whose cookie no page can read and no other site can send", async () => {
    const browser = new TestBrowser();
    const answer = await signIn(browser);
    expect(await answer.json()).toMatchObject({ name: user, role: "viewer", scope: [], by: "session" });
    const [line = ""] = answer.headers.getSetCookie();
    expect(line).toMatch(/^__Host-flockcast=[\w-]{43}; /);
    for (const word of ["Secure", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"])
      expect(line.split("; ")).toContain(word);
    const caller = (await (await browser.send(`${source.url}/v1/session`)).json()) as CallerView;
    expect(caller.session).toEqual({
      beganAtMs: clock.nowMs,
      endsAtMs: clock.nowMs + 12 * 3_600_000,
      idleEndsAtMs: clock.nowMs + 30 * 60_000,
      signIn: "password",
    });
    expect((await browser.send(`${source.url}/v1/tasks`)).status).toBe(200);
    expect((await browser.send(`${source.url}/v1/tasks`, { from: "cross-site" })).status).toBe(401);
  });

  test("gives the role of the user, also after it has changed", async () => {
    const browser = await signedIn();
    const create = () =>
      browser.send(`${source.url}/v1/groups/group-${turn}`, { method: "PUT" }).then(({ status }) => status);
    expect(await create()).toBe(403);
    await asAdmin("PATCH", `/v1/users/${user}`, { role: "operator" });
    expect(await create()).toBe(200);
    expect((await browser.send(`${source.url}/v1/users`)).status).toBe(403);
  });

  test("answers an unknown user and a wrong password alike, and a token's own request without a session", async () => {
    const browser = new TestBrowser();
    const answers = [await signIn(browser, other), await signIn(browser, other, "nobody")];
    const bodies = await Promise.all(answers.map((one) => one.text()));
    expect(answers.map(({ status }) => status)).toEqual([401, 401]);
    expect(bodies[0]).toBe(bodies[1]!);
    const own = await asAdmin("GET", "/v1/session");
    expect(await own.json()).toMatchObject({ role: "administrator", by: "token", session: null });
    expect((await asAdmin("DELETE", "/v1/session")).status).toBe(409);
  });

  test("asks for a wait after five wrong passwords, also when the next one is right", async () => {
    const browser = new TestBrowser();
    const statuses = [];
    for (let index = 0; index < 5; index++) statuses.push((await signIn(browser, other)).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401]);
    const limited = await signIn(browser);
    expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "1"]);
    clock.nowMs += 1_000;
    expect((await signIn(browser)).status).toBe(200);
    expect((await signIn(browser, other)).status).toBe(401);
  });

  test("counts attempts that are made at the same time", async () => {
    const browser = new TestBrowser();
    const answers = await Promise.all(Array.from({ length: 9 }, () => signIn(browser, other)));
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429, 429]);
  });

  test("is refused to a page of another site, and to a disabled user", async () => {
    const json = { user, password };
    const path = `${source.url}/v1/session`;
    for (const from of ["cross-site", "same-site"] as const)
      expect((await new TestBrowser().send(path, { method: "POST", json, from })).status).toBe(403);
    await asAdmin("PATCH", `/v1/users/${user}`, { disabled: true });
    const refused = await signIn(new TestBrowser());
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ error: expect.stringContaining("disabled") });
    await asAdmin("PATCH", `/v1/users/${user}`, { disabled: false });
    expect((await signIn(new TestBrowser())).status).toBe(200);
  });
});

describe("a session", () => {
  test("ends after half an hour without use, and at the latest after twelve hours", async () => {
    const [idle, busy] = [await signedIn(), await signedIn()];
    for (let minutes = 29; minutes < 12 * 60; minutes += 29) {
      clock.nowMs += 29 * 60_000;
      expect(await statusOf(busy)).toBe(200);
    }
    expect(await statusOf(idle)).toBe(401);
    clock.nowMs += 29 * 60_000;
    const ended = await busy.send(`${source.url}/v1/session`);
    expect(ended.status).toBe(401);
    expect(await ended.json()).toEqual({ error: "The session has ended", hint: "sign in again" });
  });

  test("ends with the browser's own wish, at a removal and when the user is disabled", async () => {
    const browser = await signedIn();
    expect((await browser.send(`${source.url}/v1/session`, { method: "DELETE" })).status).toBe(200);
    expect(browser.cookie("__Host-flockcast")).toBeUndefined();
    const second = await signedIn();
    await asAdmin("PATCH", `/v1/users/${user}`, { disabled: true });
    expect(await statusOf(second)).toBe(401);
    await asAdmin("PATCH", `/v1/users/${user}`, { disabled: false });
    const third = await signedIn();
    expect((await asAdmin("DELETE", `/v1/users/${user}`)).status).toBe(200);
    expect(await statusOf(third)).toBe(401);
  });

  test("ends when the browser signs in again, and no other does", async () => {
    const [browser, elsewhere] = [await signedIn(), await signedIn()];
    const { value } = browser.cookie("__Host-flockcast")!;
    expect((await signIn(browser)).status).toBe(200);
    const stolen = new TestBrowser();
    stolen.plant({ name: "__Host-flockcast", value, host: "127.0.0.1" });
    expect([await statusOf(stolen), await statusOf(browser), await statusOf(elsewhere)]).toEqual([
      401, 200, 200,
    ]);
  });

  test("changes nothing for a page of another site or port, or without a word about the page", async () => {
    const browser = await signedIn();
    const path = `${source.url}/v1/session`;
    const change = (headers: Record<string, string>, from: "same-origin" | "same-site" = "same-origin") =>
      browser.send(path, { method: "DELETE", from, headers }).then(({ status }) => status);
    expect(await change({}, "same-site")).toBe(403);
    const cookie = browser.cookie("__Host-flockcast")!.value;
    const bare = (origin: Record<string, string>) =>
      fetch(path, {
        method: "DELETE",
        tls: { rejectUnauthorized: false },
        headers: { cookie: `__Host-flockcast=${cookie}`, ...origin },
      }).then(({ status }) => status);
    expect(await bare({})).toBe(403);
    const { port } = new URL(source.url);
    for (const origin of ["null", "https://127.0.0.1", `http://127.0.0.1:${port}`, "https://evil.example"])
      expect(`${origin}: ${await bare({ origin })}`).toBe(`${origin}: 403`);
    expect(await statusOf(browser)).toBe(200);
    expect(await bare({ origin: source.url })).toBe(200);
    expect(await statusOf(browser)).toBe(401);
  });

  test("counts only with the cookie of https, not with one that another port of the host can set", async () => {
    const browser = await signedIn();
    const { value } = browser.cookie("__Host-flockcast")!;
    const planted = new TestBrowser();
    planted.plant({ name: "flockcast", value, host: "127.0.0.1" });
    expect(await statusOf(planted)).toBe(401);
  });

  test("is stored as a digest only", async () => {
    const browser = await signedIn();
    const { value } = browser.cookie("__Host-flockcast")!;
    const files = await Promise.all(
      ["catalog.db", "catalog.db-wal"].map((name) =>
        readFile(join(folder, "data", name)).catch(() => Buffer.alloc(0)),
      ),
    );
    expect(Buffer.concat(files).includes(user)).toBe(true);
    expect(Buffer.concat(files).includes(value)).toBe(false);
    expect(Buffer.concat(files).includes(password)).toBe(false);
  });
});

test("every request that changes something is refused to a page of another site", async () => {
  const fixture = await openFixture();
  const here = "127.0.0.1";
  const json = { name: "root", role: "administrator", password };
  expect((await fixture.call("POST", "/v1/users", { json })).status).toBe(200);
  const signedInHere = await fixture.raw(
    "POST",
    "/v1/session",
    { credential: null, json: { user: "root", password } },
    here,
  );
  const [cookie = ""] = signedInHere.headers.getSetCookie()[0]?.split(";") ?? [];
  const asked = new Set<string>();
  for (const [route, { callers }] of permissions) {
    const [method = "", path = ""] = route.split(" ");
    if (method === "GET" || !callers.includes("administrator")) continue;
    const words = path.replaceAll(/:\w+/g, path.startsWith("/v1/tasks") ? "999" : "f".repeat(16));
    const send = (site: string) =>
      fixture.raw(method, words, { credential: null, headers: { cookie, "sec-fetch-site": site } }, here);
    for (const site of ["cross-site", "same-site", "none"]) {
      const refused = await send(site);
      expect([route, site, refused.status, await refused.json()]).toEqual([
        route,
        site,
        403,
        expect.objectContaining({ error: "A page of another site asked for this change" }),
      ]);
    }
    // The session would end; every other request reaches its route.
    if (route !== "DELETE /v1/session") expect((await send("same-origin")).status).not.toBe(403);
    asked.add(route);
  }
  expect(asked.size).toBeGreaterThan(30);
  await fixture.close();
});

test("the audit has who signed in, who could not, and what people did, without a secret", async () => {
  const before = (await rowsOf())[0]!.sequence;
  const browser = await signedIn();
  await signIn(new TestBrowser(), other);
  await signIn(new TestBrowser(), other, "a password in the wrong place");
  const path = `${source.url}/v1/session`;
  await browser.send(`${path}/password`, { method: "PUT", json: { current: password, password: other } });
  await browser.send(path, { method: "DELETE", from: "same-site" });
  await browser.send(path, { method: "DELETE" });
  const rows = (await rowsOf()).filter(({ sequence }) => sequence > before).toReversed();
  expect(
    rows.map(({ actor, kind, action, object, result }) => [actor, kind, action, object, result]),
  ).toEqual([
    [user, "session", "POST /v1/session", `user ${user}`, "done"],
    [user, "nobody", "POST /v1/session", "/v1/session", "refused: wrong-password"],
    ["", "nobody", "POST /v1/session", "/v1/session", "refused: wrong-password"],
    [user, "session", "PUT /v1/session/password", `user ${user}`, "done"],
    [user, "session", "DELETE /v1/session", "/v1/session", "refused: foreign-page"],
    [user, "session", "DELETE /v1/session", `user ${user}`, "done"],
  ]);
  for (const secret of [password, other, "a password in the wrong place"])
    expect(JSON.stringify(rows)).not.toContain(secret);
});

describe("another password", () => {
  test("of the user's own ends the other sessions, and needs the current one", async () => {
    const [browser, elsewhere] = [await signedIn(), await signedIn()];
    const change = (current: string, next: string) =>
      browser.send(`${source.url}/v1/session/password`, {
        method: "PUT",
        json: { current, password: next },
      });
    expect((await change(other, other)).status).toBe(403);
    const weak = await change(password, "short");
    expect([weak.status, await weak.json()]).toEqual([
      422,
      {
        error: expect.stringContaining("has 5 characters: give at least 12"),
        hint: "choose another password",
      },
    ]);
    expect((await change(password, other)).status).toBe(200);
    expect([await statusOf(browser), await statusOf(elsewhere)]).toEqual([200, 401]);
    expect((await signIn(new TestBrowser(), other)).status).toBe(200);
    expect((await signIn(new TestBrowser(), password)).status).toBe(401);
  });

  test("of an administrator ends all sessions of the user", async () => {
    const browser = await signedIn();
    expect((await asAdmin("PUT", `/v1/users/${user}/password`, { password: other })).status).toBe(200);
    expect(await statusOf(browser)).toBe(401);
  });
});

test("users are added once, with a scope of their role only, and listed with their last login", async () => {
  await signedIn();
  const refusals = [
    [{ name: user.toUpperCase(), role: "viewer", password }, 409],
    [{ name: "new user", role: "viewer", password }, 400],
    [{ name: "new", role: "root", password }, 400],
    [{ name: "new", role: "viewer", password: "short" }, 422],
    [{ name: "new", role: "viewer", password: "ä".repeat(129) }, 400],
    [{ name: "new", role: "publisher", scope: ["b7"], password }, 422],
    // A scope under a wrong name must not give all devices.
    [{ name: "new", role: "viewer", scopes: ["b7"], password }, 400],
  ] as const;
  for (const [json, status] of refusals) {
    const answer = await asAdmin("POST", "/v1/users", json);
    expect(`${JSON.stringify(json)}: ${answer.status}`).toBe(`${JSON.stringify(json)}: ${status}`);
  }
  const listed = (await (await asAdmin("GET", "/v1/users")).json()) as { users: User[] };
  expect(listed.users.find(({ name }) => name === user)).toEqual({
    name: user,
    role: "viewer",
    scope: [],
    signIn: "password",
    disabled: false,
    createdAtMs: clock.nowMs,
    lastLoginAtMs: clock.nowMs,
    sessions: 1,
  });
});

describe("without TLS", () => {
  test("a browser on the same machine keeps a cookie of another name", async () => {
    const dataDir = join(folder, "plain");
    const plain = await startSource({ ...options, tls: { kind: "none" }, dataDir, nowMs: () => clock.nowMs });
    try {
      const bearer = (await readFile(join(dataDir, "admin.token"), "utf8")).trim();
      await fetch(`${plain.url}/v1/users`, {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
        body: JSON.stringify({ name: user, role: "viewer", password }),
      });
      const browser = new TestBrowser();
      const signInPath = `${plain.url}/v1/session`;
      const answer = await browser.send(signInPath, { method: "POST", json: { user, password } });
      expect([answer.status, browser.refused]).toEqual([200, []]);
      expect(browser.cookie("flockcast")).toMatchObject({ isSecure: false, sameSite: "strict" });
      expect((await browser.send(signInPath)).status).toBe(200);
      // A name that an attacker's server resolves to this machine is not this machine.
      const host = { host: "evil.example" };
      const foreign = await new TestBrowser().send(signInPath, {
        method: "POST",
        json: { user, password },
        headers: host,
      });
      expect(foreign.status).toBe(403);
    } finally {
      await plain.stop();
    }
  });

  test("nobody signs in from another machine", async () => {
    const fixture = await openFixture();
    const json = { user: "anna", password };
    const answer = await fixture.call("POST", "/v1/session", { credential: null, json }, "192.0.2.7");
    expect(answer).toMatchObject({ status: 403, body: { error: expect.stringContaining("needs TLS") } });
    await fixture.close();
  });

  test("a trusted proxy vouches for the TLS of its client, and nobody else does", async () => {
    const dataDir = join(folder, "proxied");
    const trustedProxies = parseTrustedProxies(["127.0.0.1"]);
    const proxied = await startSource({
      ...options,
      tls: { kind: "none" },
      dataDir,
      trustedProxies,
      nowMs: () => clock.nowMs,
    });
    try {
      const signInThrough = async (headers: Record<string, string>) => {
        const answer = await fetch(`${proxied.url}/v1/session`, {
          method: "POST",
          headers: { "content-type": "application/json", host: "source.example", ...headers },
          body: JSON.stringify({ user: "nobody", password }),
        });
        return answer.status;
      };
      const stated = { "x-forwarded-for": "192.0.2.7" };
      expect(await signInThrough({ ...stated, "x-forwarded-proto": "https" })).toBe(401);
      expect(await signInThrough({ forwarded: "for=192.0.2.8;proto=https" })).toBe(401);
      expect(await signInThrough({ ...stated, "x-forwarded-proto": "https, http" })).toBe(403);
      expect(await signInThrough(stated)).toBe(403);
      expect(await signInThrough({ forwarded: "for=192.0.2.8;proto=https, for=192.0.2.7" })).toBe(403);
    } finally {
      await proxied.stop();
    }
  });
});
