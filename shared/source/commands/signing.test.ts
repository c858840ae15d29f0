/** Commands that sign, against a real source behind a proxy that changes its answers. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writePrivateFile } from "../../platform/private-files.ts";
import { openFixture, type Fixture } from "../app-fixture.ts";
import type { NeededView, OrdersBody, TrustView } from "../../api/schema/trust.ts";
import { readOrder, signStatementOf, type Signed } from "../../model/trust/index.ts";
import { newSigningKey } from "../../model/trust/testing-trust.ts";
import { formatToken } from "../../api/token.ts";
import { identityFingerprint } from "../../model/source-statement.ts";
import { loadOrCreateIdentityKey } from "../identity-key.ts";
import { createSetting, revertSetting, setSetting } from "./setting-changes.ts";
import { assignSetting } from "./setting-assignments.ts";
import { editTask, startTask } from "./task-changes.ts";
import { createTask } from "./tasks.ts";
import { freshText } from "./trust-show.ts";
import { addTrustKey, exportTrust, revokeTrustKey, signTrust } from "./trust.ts";

type Body = Record<string, unknown>;
type Lie = (body: Body, path: string) => Body;
const stranger = newSigningKey();

let fixture: Fixture;
let server: ReturnType<typeof Bun.serve>;
/** Change of every answer; the truth without one. */
let lie: Lie | null;
/** Orders that left the command, signed. */
let given: Signed[];
let options: { source: string; tokenFile: string; operatorKey: string[] };
let keys: string;

async function forward(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const body = await request.text();
  if (pathname === "/v1/trust/orders")
    given.push(...(JSON.parse(body) as OrdersBody).orders.map(({ signed }) => signed));
  const headers = { "content-type": "application/json" };
  const init = body === "" ? {} : { body, headers };
  const answer = await fixture.raw(request.method, pathname + search, init);
  const told = (await answer.json()) as Body;
  return Response.json(lie === null ? told : lie(told, pathname), { status: answer.status });
}

beforeEach(async () => {
  fixture = await openFixture({}, Date.now());
  [lie, given] = [null, []];
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: forward });
  keys = join(fixture.folder, "keys");
  options = {
    source: `http://127.0.0.1:${server.port}`,
    tokenFile: await writeToken(fixture),
    operatorKey: [join(keys, "operator.key")],
  };
  await writeFile(join(fixture.folder, "tool.bin"), "bytes");
  for (const [name, version] of [
    ["tool", "1"],
    ["tool", "2"],
    ["other", "1"],
  ] as const) {
    const path = join(fixture.folder, "tool.bin");
    const { json } = await fixture.signedPackage(path, { name, version });
    const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
    await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: "bytes" });
  }
  await exportTrust({ ...options, data: fixture.folder, out: keys });
  given = [];
});
afterEach(async () => {
  await server.stop(true);
  await fixture.close();
});

async function writeToken({ folder, trust }: Fixture): Promise<string> {
  const tokenFile = join(folder, "admin.token");
  const { publicKey } = await loadOrCreateIdentityKey(folder);
  const identity = identityFingerprint(publicKey);
  const token = formatToken({ kind: "person", secret: "a".repeat(43), identity, root: trust.root });
  await writePrivateFile(tokenFile, token);
  return tokenFile;
}

/** Puts another source, which holds its keys, behind the proxy. */
async function withNewSource(work: (other: Fixture) => Promise<void>): Promise<void> {
  const [real, { tokenFile }] = [fixture, options];
  fixture = await openFixture({}, Date.now());
  options.tokenFile = await writeToken(fixture);
  try {
    await work(fixture);
  } finally {
    await fixture.close();
    fixture = real;
    options.tokenFile = tokenFile;
  }
}

const run = (command = "./install") => createTask("tool@1", { ...options, action: "run", command });
/** Returns the error of a command; "" without one. */
const errorOf = (work: Promise<void>): Promise<string> =>
  work.then(
    () => "",
    (error: Error) => error.message,
  );
/** Changes what the source states about the orders that records need. */
const needed =
  (change: (one: NeededView) => object): Lie =>
  (body) =>
    "needed" in body
      ? { needed: (body["needed"] as NeededView[]).map((one) => Object.assign({}, one, change(one))) }
      : body;
const content = (change: object): Lie => needed((one) => ({ content: { ...one.content, ...change } }));
/** Changes the order before. */
const before =
  (change: (signed: Signed) => Signed | null): Lie =>
  (body) =>
    "signed" in body && body["signed"] !== null ? { signed: change(body["signed"] as Signed) } : body;
const forged = (change: object) => (signed: Signed) =>
  signStatementOf("task", { ...JSON.parse(signed.payload), ...change }, [stranger]);
const both =
  (...lies: Lie[]): Lie =>
  (body, path) =>
    lies.reduce((told, next) => next(told, path), body);
const packageOf = async (words: string): Promise<Body> => {
  const { body } = await fixture.call<{ packages: Body[] }>("GET", "/v1/packages");
  const [name, version] = words.split("@");
  const found = body.packages.find((one) => one["name"] === name && one["version"] === version)!;
  return { packageId: found["id"], packageName: name, packageVersion: version };
};

describe("nothing is signed for a new task when the source states", () => {
  const cases: [what: string, lie: () => Lie | Promise<Lie>, error: string][] = [
    ["another command", () => content({ command: "evil" }), "another command than was asked for"],
    ["another target", () => content({ target: "os=windows" }), "another target"],
    ["another end", () => content({ expiresAtMs: Date.now() + 900 * 86_400_000 }), "a later expiry"],
    ["another start", () => content({ startAtMs: Date.now() + 9 * 86_400_000 }), "another start"],
    ["a start by local time", () => content({ startIsLocal: true }), "another startIsLocal"],
    ["another package", async () => content(await packageOf("other@1")), "instead of tool@1"],
    ["another version", async () => content(await packageOf("tool@2")), "instead of tool@1"],
    ["a package of another name", async () => content({ packageName: "other" }), "nothing was signed"],
    ["more attempts", () => content({ attempts: 5 }), "5 attempts instead of 1"],
    ["another task", () => content({ taskId: 7 }), "another taskId"],
    ["another deployment", () => content({ deployment: 7 }), "another deployment"],
    [
      "an order of another kind",
      () => needed(() => ({ kind: "setting", subject: "default" })),
      "answers about",
    ],
    ["an order of no kind", () => content({ action: "explode" }), "cannot be read"],
    [
      "a setting with the fields of the task",
      () =>
        needed((one) => ({
          kind: "setting",
          content: { ...one.content, name: "default", version: 9, parent: null, differences: {} },
        })),
      "answers about setting",
    ],
  ];
  test.each(cases)("%s", async (_, change, error) => {
    lie = await change();
    expect(await errorOf(run())).toContain(error);
    expect(given).toEqual([]);
  });
});

test("nothing is changed when the operator's key cannot be read", async () => {
  const wrong = { ...options, operatorKey: [join(keys, "missing.key")] };
  const [task, setting] = [{ ...wrong, action: "pre-cache" as const }, "kiosk"];
  for (const work of [createTask("tool@1", task), createSetting(setting, [], wrong)])
    expect(await errorOf(work)).toContain("Cannot read the operator's key");
  expect((await fixture.call<{ tasks: Body[] }>("GET", "/v1/tasks")).body.tasks).toEqual([]);
});

test("a text that the source calls begun is not signed, and no field that is unknown", async () => {
  lie = both(
    needed((one) => ({
      pending: signStatementOf(
        "task",
        { format: 1, ...one.content, command: "evil", sequence: 1, issuedAtMs: 1 },
        [stranger],
      ),
    })),
    content({ shell: "evil" }),
  );
  await run();
  expect(given.map(({ payload }) => payload.includes("evil"))).toEqual([false]);
  expect(readOrder("task", given[0]!).command).toBe("./install");
});

describe("nothing is signed for a changed task when", () => {
  const cases: [what: string, lie: () => Lie, error: string][] = [
    ["the source states another command", () => content({ command: "evil" }), "another command"],
    ["the source states more attempts", () => content({ attempts: 3 }), "3 attempts instead of 2"],
    [
      "the source hides the order before",
      () =>
        both(
          content({ command: "evil" }),
          before(() => null),
        ),
      "trust sign --all",
    ],
    [
      "the source forges the order before",
      () => both(content({ command: "evil" }), before(forged({ command: "evil" }))),
      "trust sign --all",
    ],
  ];
  test.each(cases)("%s", async (_, change, error) => {
    await run();
    given = [];
    lie = change();
    expect(await errorOf(editTask("1", { ...options, target: "os=linux" }))).toContain(error);
    expect(await errorOf(startTask("1", options))).not.toBe("");
    expect(given).toEqual([]);
  });

  test("the source shows the order of another task", async () => {
    await run();
    await run("./second");
    given = [];
    const second = (await fixture.orders.signed("task", "2"))!;
    const { format: _, sequence: _s, issuedAtMs: _i, ...stated } = JSON.parse(second.payload) as Body;
    lie = both(
      needed(() => ({ content: { ...stated, target: "os=linux" } })),
      before(() => second),
    );
    expect(await errorOf(editTask("1", { ...options, target: "os=linux" }))).toContain("trust sign --all");
    expect(given).toEqual([]);
  });
});

test("a task like another one is signed as that one's order states it", async () => {
  await run();
  given = [];
  lie = (body) => (body["command"] === "./install" ? { ...body, command: "evil" } : body);
  await createTask(undefined, { ...options, from: "1" });
  expect(given.map((signed) => readOrder("task", signed).command)).toEqual(["./install"]);
  given = [];
  lie = before(() => null);
  expect(await errorOf(createTask(undefined, { ...options, from: "1" }))).toContain("has no valid order");
  expect(given).toEqual([]);
});

test("settings and assignments are signed as the order before, with the change that was asked for", async () => {
  await createSetting("kiosk", ["lanRate=50mbit"], options);
  given = [];
  const evil = { differences: { lanRateBps: 1_000_000_000 } };
  lie = both(
    content(evil),
    before((signed) => forged(evil)(signed)),
  );
  expect(await errorOf(setSetting("kiosk", ["useMulticast=no"], options))).toContain("trust sign --all");
  lie = content(evil);
  expect(await errorOf(setSetting("kiosk", ["useMulticast=yes"], options))).toContain("another differences");
  lie = (body) => ("needed" in body ? body : "assignments" in body ? { ...body, assignments: [] } : body);
  lie = content({ assignments: [{ setting: "kiosk", target: "all" }] });
  const target = { ...options, target: "os=linux" };
  expect(await errorOf(assignSetting("kiosk", target))).toContain("another assignments");
  expect(given).toEqual([]);
  lie = null;
  await setSetting("kiosk", ["useMulticast=no"], options);
  await revertSetting("kiosk", { ...options, version: "1" });
  expect(given).toHaveLength(1);
});

const isSigned = async (): Promise<boolean> =>
  (await fixture.call<{ isSigned: boolean }>("GET", "/v1/tasks/1")).body.isSigned;

describe("trust sign --all", () => {
  test("signs only the list that a person has read", async () => {
    await createTask("tool@1", { ...options, operatorKey: [], action: "run", command: "./install" });
    expect(await isSigned()).toBe(false);
    const all = (confirm?: string) => errorOf(signTrust(undefined, { ...options, all: true, confirm }));
    const code = /--confirm ([0-9a-f]{16})/.exec(await all())![1]!;
    lie = content({ command: "evil" });
    expect(await all(code)).toContain("Nothing was signed");
    lie = content({ deployment: 7 });
    expect(await all(code)).toContain("another deployment");
    expect(given).toEqual([]);
    lie = null;
    expect(await all(code)).toBe("");
    expect(given.map((signed) => readOrder("task", signed).command)).toEqual(["./install"]);
    expect(await isSigned()).toBe(true);
  });
});

test("trust show says since when the source is stale, and what ends it", () => {
  const untilMs = Date.parse("2030-01-31T00:00:00Z");
  expect(freshText(untilMs, untilMs - 1)).toBe("until 2030-01-31T00:00:00.000Z");
  expect(freshText(untilMs, untilMs)).toMatch(/STALE since 2030-01-31T00:00:00.000Z .*trust sign --fresh/);
  expect(freshText(null, untilMs)).toContain("trust sign --fresh");
});

const root = () => ({ ...options, rootKey: [join(keys, "root.key")] });

describe("the keys of a source", () => {
  const otherKey = newSigningKey().key;

  test("sign no second version of the trust file, which would bring a revoked key back", async () => {
    await addTrustKey(otherKey, { ...root(), role: "operator" });
    await revokeTrustKey(otherKey, root());
    const { files } = (await fixture.call<TrustView>("GET", "/v1/trust")).body;
    expect(files).toHaveLength(5);
    lie = (body, path) =>
      path === "/v1/trust" ? { ...body, files: (body["files"] as Signed[]).slice(0, 4) } : body;
    expect(await errorOf(addTrustKey(stranger.key, { ...root(), role: "operator" }))).toContain(
      "has signed version 5",
    );
  });

  test("are asked for by name when another key is given, or a key that is not listed", async () => {
    const wrong = { ...options, role: "operator" as const, rootKey: [join(keys, "operator.key")] };
    expect(await errorOf(addTrustKey(otherKey, wrong))).toMatch(/operator\.key" has key .* not a root key/);
    expect(await errorOf(revokeTrustKey("00112233aabbccdd", root()))).toContain("is not listed");
    expect(await errorOf(addTrustKey(otherKey, { ...wrong, rootKey: [] }))).toContain(
      "signature of 1 more root key is needed",
    );
  });

  test("are refused a draft that does not follow, or has fields that nobody sees", async () => {
    const draft = join(fixture.folder, "draft.json");
    const { file } = fixture.trust;
    for (const change of [{ version: file.version + 2 }, { version: file.version + 1, later: 1 }]) {
      await writeFile(draft, JSON.stringify(signStatementOf("trust", { ...file, ...change }, [])));
      expect(await errorOf(signTrust(draft, root()))).toContain("does not follow version");
    }
    const good = { ...file, version: file.version + 1, orderThreshold: 2 };
    await writeFile(draft, JSON.stringify(signStatementOf("trust", good, [])));
    expect(await errorOf(signTrust(draft, root()))).toBe("");
    expect(fixture.trust.file.orderThreshold).toBe(2);
  });

  test("want two operators for an order, and keep as many", async () => {
    const more = { ...root(), role: "operator" as const, orderThreshold: "2" };
    await addTrustKey(otherKey, more);
    expect(fixture.trust.file.orderThreshold).toBe(2);
    expect(await errorOf(revokeTrustKey(otherKey, root()))).toContain(
      "2 operators have to sign, and 1 would be left",
    );
    await createTask("tool@1", { ...options, action: "pre-cache" });
    expect((await fixture.orders.needed({ kind: "task", subject: "1" }))?.pending?.signatures).toHaveLength(
      1,
    );
    await revokeTrustKey(otherKey, { ...root(), orderThreshold: "1" });
    expect(fixture.trust.file.operators).toHaveLength(1);
  });

  test("are not taken from the folder of another source, which would give its own up for them", async () => {
    await withNewSource(async (other) => {
      const foreign = await openFixture({}, Date.now());
      const wrong = { ...options, data: foreign.folder, out: join(other.folder, "out") };
      expect(await errorOf(exportTrust(wrong))).toContain("is the data folder of another source");
      expect([other.trust.file.embedded, existsSync(wrong.out)]).toEqual([true, false]);
      await foreign.close();
    });
  });

  test("that an interrupted export has written are used by the next one", async () => {
    await withNewSource(async (other) => {
      const out = join(other.folder, "out");
      const text = await readFile(join(other.folder, "signing.keys"), "utf8");
      const { root: pem } = (JSON.parse(text) as { keys: { root: string } }).keys;
      await mkdir(out);
      await writePrivateFile(join(out, "root.key"), pem);
      expect(await errorOf(exportTrust({ ...options, data: other.folder, out }))).toBe("");
      expect([await readFile(join(out, "root.key"), "utf8"), other.trust.file.embedded]).toEqual([
        pem,
        false,
      ]);
    });
  });

  test("stay at the source, and in the files, when the source does not answer any more", async () => {
    await withNewSource(async (other) => {
      const out = join(other.folder, "out");
      lie = (body, path) => (path === "/v1/trust/files" ? {} : body);
      const taken = exportTrust({ ...options, data: other.folder, out });
      expect(await errorOf(taken)).not.toBe("");
      expect(await readFile(join(out, "root.key"), "utf8")).toContain("PRIVATE KEY");
      lie = null;
      // The source had taken the new version: its answer was lost.
      const again = exportTrust({ ...options, data: other.folder, out });
      expect(await errorOf(again)).toContain("trust sign --all signs what waits");
    });
  });
});
