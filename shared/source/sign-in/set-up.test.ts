/** Set-up and links to sign in: a real source, its log, and browsers with their cookies. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import type { AuditRow } from "../../model/audit.ts";
import type { CallerView, User } from "../../api/schema/users.ts";
import { startSource, type RunningSource } from "../server.ts";
import { browserUrl } from "./set-up.ts";
import { TestBrowser } from "../testing-browser.ts";

// Hashes of passwords take long on a busy machine.
setDefaultTimeout(60_000);

const password = "correct horse battery";
const clock = { nowMs: 1_800_000_000_000 };
let folder: string;
let source: RunningSource;
let lines: Record<string, unknown>[] = [];

const log = pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line)) });
const start = async (): Promise<void> => {
  lines = [];
  const listen = { host: "127.0.0.1", port: 0 };
  source = await startSource({ dataDir: join(folder, "data"), listen, log, nowMs: () => clock.nowMs });
};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-set-up-"));
  await start();
});
afterEach(async () => {
  await source.stop();
  await rm(folder, { recursive: true });
});

const link = (): string | undefined => lines.map((line) => line["link"] as string).find(Boolean);
const secretIn = (address: string | undefined): string => address?.split("/").at(-1) ?? "";
const post = (path: string, json: unknown, browser = new TestBrowser(), from?: "cross-site") =>
  browser.send(`${source.url}${path}`, { method: "POST", json, ...(from ? { from } : {}) });
const setUp = (secret: string, more: object = {}, browser?: TestBrowser): Promise<Response> =>
  post("/v1/set-up", { secret, name: "anna", password, ...more }, browser);
const stateOf = async (): Promise<unknown> =>
  (await (await new TestBrowser().send(`${source.url}/v1/set-up`)).json()) as unknown;

async function asAdmin(method: string, path: string, json?: unknown): Promise<Response> {
  const token = (await readFile(join(folder, "data", "admin.token"), "utf8")).trim();
  return fetch(source.url + path, {
    method,
    tls: { rejectUnauthorized: false },
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
}
const rowsOf = async (): Promise<AuditRow[]> =>
  ((await (await asAdmin("GET", "/v1/audit?limit=1000")).json()) as { rows: AuditRow[] }).rows;

test.each([
  ["of the listening address on loopback", "127.0.0.1", true, [], "https://127.0.0.1:7"],
  ["of one interface", "192.0.2.7", true, [], "https://192.0.2.7:7"],
  ["of the host for all interfaces", "0.0.0.0", true, [], `https://${hostname().toLowerCase()}:7`],
  ["given", "0.0.0.0", true, ["*.example", "source.example"], "https://source.example:7"],
  ["given as an address of IPv6", "::", true, ["2001:db8::7"], "https://[2001:db8::7]:7"],
  ["of the machine itself without TLS", "0.0.0.0", false, [], "http://127.0.0.1:7"],
] as const)("the address of a link has the name %s", (_, host, hasTls, names, address) => {
  expect(browserUrl({ host, port: 7, hasTls, names })).toBe(address);
});

describe("the link for the set-up", () => {
  test("has the address of the source and 256 bits, and adds an administrator who is signed in", async () => {
    expect(link()).toMatch(new RegExp(`^${source.url}/#/set-up/[\\w-]{43}$`));
    expect(await stateOf()).toEqual({
      state: "open",
      certificate: "own",
      isSafe: true,
      consoleUrl: null,
    });
    const browser = new TestBrowser();
    const answer = await setUp(secretIn(link()), {}, browser);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      name: "anna",
      role: "administrator",
      scope: [],
      dataFolder: join(folder, "data"),
    });
    const session = await browser.send(`${source.url}/v1/session`);
    expect((await session.json()) as CallerView).toMatchObject({ name: "anna", by: "session" });
    expect(await stateOf()).toMatchObject({ state: "done" });
  });

  test("counts once, also for two requests at the same time", async () => {
    const secret = secretIn(link());
    const names = ["anna", "bert", "carl"];
    const answers = await Promise.all(names.map((name) => setUp(secret, { name })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
    expect((await setUp(secret, { name: "dora" })).status).toBe(409);
    const { users } = (await (await asAdmin("GET", "/v1/users")).json()) as { users: User[] };
    expect(users.length).toBe(1);
    const added = (await rowsOf()).filter(
      ({ object, action }) => action === "POST /v1/set-up" && object === `user ${users[0]!.name}`,
    );
    // The user, and the session.
    expect(added.map(({ actor, kind }) => `${actor} ${kind}`)).toEqual(
      Array.from({ length: 2 }, () => `${users[0]!.name} session`),
    );
  });

  test("is in no row of the audit, and in one line of the log", async () => {
    const secret = secretIn(link());
    await setUp(secret);
    expect(JSON.stringify(await rowsOf())).not.toContain(secret);
    expect(lines.filter((line) => JSON.stringify(line).includes(secret)).length).toBe(1);
  });

  test("is another one after a start without users, and none once there is a user", async () => {
    const first = secretIn(link());
    await source.stop();
    await start();
    const second = secretIn(link());
    expect(second).not.toBe(first);
    expect((await setUp(first)).status).toBe(401);
    expect((await setUp(second)).status).toBe(200);
    await source.stop();
    await start();
    expect(link()).toBeUndefined();
    expect((await setUp(second)).status).toBe(409);
  });

  test("ends after 24 h, and with the first user that another way adds", async () => {
    clock.nowMs += 24 * 3_600_000;
    const late = await setUp(secretIn(link()));
    expect(late.status).toBe(401);
    expect(await late.text()).toContain("a start of the source without users logs one");
    await source.stop();
    await start();
    const json = { name: "bert", role: "viewer", password };
    expect((await asAdmin("POST", "/v1/users", json)).status).toBe(200);
    expect((await setUp(secretIn(link()))).status).toBe(409);
  });

  test("still counts after a password that breaks a rule, and after a name that cannot be one", async () => {
    const secret = secretIn(link());
    const short = await setUp(secret, { password: "short" });
    expect(short.status).toBe(422);
    expect(await short.text()).toContain("give at least 12");
    expect((await setUp(secret, { name: "-" })).status).toBe(400);
    expect((await setUp(secret)).status).toBe(200);
  });

  test("is refused to a page of another site", async () => {
    const json = { secret: secretIn(link()), name: "anna", password };
    expect((await post("/v1/set-up", json, new TestBrowser(), "cross-site")).status).toBe(403);
    expect(await stateOf()).toMatchObject({ state: "open" });
  });

  test("does not wait for the guesses of others, which wait and name nobody in the audit", async () => {
    const statuses: number[] = [];
    for (let at = 0; at < 8; at++) statuses.push((await setUp(`guess-${at}`)).status);
    expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
    expect(statuses.at(-1)).toBe(429);
    const refused = (await rowsOf()).filter(({ result }) => result.startsWith("refused"));
    expect(refused.map(({ actor, result }) => `${actor}:${result}`).toSorted()).toEqual([
      ":refused: too-many-attempts",
      ":refused: wrong-link",
    ]);
    expect((await setUp(secretIn(link()))).status).toBe(200);
  });
});

/** Returns the secret of a new link. */
const makeLink = async (name = "anna"): Promise<string> => {
  const answer = await asAdmin("POST", `/v1/users/${name}/sign-in-link`);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { secret: string }).secret;
};
const follow = (secret: string, browser?: TestBrowser): Promise<Response> =>
  post("/v1/sign-in/link", { secret }, browser);

describe("a link to sign in", () => {
  beforeEach(async () => {
    await asAdmin("POST", "/v1/users", { name: "anna", role: "operator", password });
  });

  test("signs its user in once, also for two requests at the same time", async () => {
    const secret = await makeLink();
    const answers = await Promise.all([follow(secret), follow(secret)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401]);
    const good = answers.find(({ status }) => status === 200)!;
    expect(await good.json()).toMatchObject({ name: "anna", role: "operator", by: "session" });
    expect(JSON.stringify(await rowsOf())).not.toContain(secret);
    const acts = (await rowsOf()).map(({ actor, action, object }) => `${actor} ${action} ${object}`);
    expect(acts).toContain("admin.token POST /v1/users/:name/sign-in-link user anna");
    expect(acts).toContain("anna POST /v1/sign-in/link user anna");
  });

  test("ends after 10 minutes, with another password, and with the user", async () => {
    const late = await makeLink();
    clock.nowMs += 600_000;
    expect((await follow(late)).status).toBe(401);
    const before = await makeLink();
    await asAdmin("PUT", "/v1/users/anna/password", { password: "another staple entirely" });
    expect((await follow(before)).status).toBe(401);
    const disabled = await makeLink();
    await asAdmin("PATCH", "/v1/users/anna", { disabled: true });
    expect((await follow(disabled)).status).toBe(401);
    expect((await asAdmin("POST", "/v1/users/anna/sign-in-link")).status).toBe(409);
    expect((await asAdmin("POST", "/v1/users/nobody/sign-in-link")).status).toBe(404);
  });
});
