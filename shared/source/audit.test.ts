/** The audit, on the real app and catalog: a row for each change, the chain, and its end by age. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { AuditVerification } from "../api/schema/audit.ts";
import { AuditCheck, auditOrigin, type AuditRow } from "../model/audit.ts";
import { enrollToken, inventoryOf, openFixture, type Fixture, type TestDevice } from "./app-fixture.ts";
import { checkAuditFile } from "./commands/audit-file.ts";
import { permissions } from "./permissions.ts";
import { removeExpired } from "./retention.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

/** Returns all rows, the oldest first. */
const rows = (): Promise<AuditRow[]> => fixture.catalog.audit.after(0, 10_000);
const verified = async (query = ""): Promise<AuditVerification> =>
  (await fixture.call<AuditVerification>("GET", `/v1/audit/verification${query}`)).body;
/** Changes the stored catalog behind the source's back. */
async function tampered(sql: string): Promise<string> {
  const copy = join(fixture.folder, `copy-${crypto.randomUUID()}.db`);
  await fixture.catalog.snapshot(copy);
  const database = new Database(copy);
  database.run(sql);
  database.close();
  return copy;
}

const isChanging = (route: string): boolean => !route.startsWith("GET ") && !route.includes("/v1/agent/");

/** A device that waits for an approval, and one whose attempt of task 1 failed. */
async function prepare(): Promise<[TestDevice, string]> {
  const device = await fixture.device("pc-1");
  const terms = { kind: "enrolment", name: "w", needsApproval: true, uses: null, expiresAtMs: null };
  const { body: token } = await fixture.call<{ text: string }>("POST", "/v1/tokens", { json: terms });
  const json = { token: token.text, hostname: "pc-2", os: "linux", arch: "x64", agentVersion: "1" };
  const init = { credential: null, json };
  const { body } = await fixture.call<{ deviceId: string }>("POST", "/v1/agent/enroll", init);
  return [device, body.deviceId];
}

async function reportFailure({ credential }: TestDevice): Promise<void> {
  const report = {
    taskId: 1,
    state: "failed",
    role: "none",
    term: 0,
    bytesTotal: 5,
    bytesVerified: 0,
    from: { wan: 0, multicast: 0, peers: 0, cache: 0 },
    wanBytesFetched: 0,
    lanBytesSent: 0,
    rateBps: 0,
    reasons: [],
    command: null,
  };
  await fixture.call("POST", "/v1/agent/progress", { credential, json: { reports: [report] } });
}

describe("every route that changes something", () => {
  type Step = { route: string; path?: string; json?: unknown; body?: string };
  const task = {
    package: "tool",
    action: "pre-cache",
    command: null,
    setting: null,
    target: "all",
    startAtMs: null,
  };
  const url = { url: "https://example.org/tool.bin" };
  const person = { kind: "person", name: "ci", role: "viewer", expiresAtMs: null };

  /** Requests that all succeed, in an order in which each finds what it changes. */
  async function stepsFor(device: TestDevice, suspended: string): Promise<Step[]> {
    const path = join(fixture.folder, "tool.bin");
    await Bun.write(path, "bytes");
    const { json, manifest } = await fixture.signedPackage(path, { name: "tool", version: "1" });
    expect(manifest.files).toHaveLength(1);
    const publish = { route: "POST /v1/packages", json };
    const at = (route: string, words: string, more: Partial<Step> = {}): Step => ({
      route,
      path: route.split(" ")[1]!.replace(/:\w+/, words),
      ...more,
    });
    return [
      publish,
      at("PUT /v1/packages/:id/content", "ID", { body: "bytes" }),
      at("POST /v1/packages/:id/urls", "tool@1", { json: url }),
      at("DELETE /v1/packages/:id/urls", "tool@1", { json: url }),
      { route: "POST /v1/tasks", json: task },
      at("PATCH /v1/tasks/:id", "1", { json: { target: "os=linux" } }),
      at("POST /v1/tasks/:id/pause", "1"),
      at("POST /v1/tasks/:id/resume", "1"),
      at("PATCH /v1/tasks/:id", "1", { json: { startAtMs: fixture.clock.nowMs + 3_600_000 } }),
      at("POST /v1/tasks/:id/start-now", "1"),
      at("POST /v1/tasks/:id/retry", "1"),
      at("POST /v1/tasks/:id/kill", "1"),
      at("DELETE /v1/tasks/:id", "1"),
      { route: "POST /v1/tasks", json: task },
      at("POST /v1/tasks/:id/cancel", "2"),
      at("DELETE /v1/packages/:id", "tool@1"),
      { route: "POST /v1/tags", json: { devices: device.id, add: ["x"] } },
      at("PUT /v1/groups/:name", "g"),
      at("DELETE /v1/groups/:name", "g"),
      at("PUT /v1/sites/:name", "s"),
      at("PATCH /v1/subnets/:id", device.subnetId, { json: { name: "floor", site: "s" } }),
      at("PATCH /v1/sites/:name", "s", { json: { name: "t" } }),
      at("DELETE /v1/sites/:name", "t"),
      { route: "POST /v1/settings", json: { name: "a", parent: "default", differences: {} } },
      at("PATCH /v1/settings/:name", "a", { json: { set: { lanRateBps: 5_000_000 }, inherit: [] } }),
      at("POST /v1/settings/:name/revert", "a", { json: { version: 1 } }),
      { route: "PUT /v1/setting-assignments", json: { setting: "a", target: "all", rank: null } },
      { route: "DELETE /v1/setting-assignments", json: { setting: "a", target: "all" } },
      at("POST /v1/settings/:name/rename", "a", { json: { name: "b" } }),
      at("DELETE /v1/settings/:name", "b"),
      { route: "POST /v1/tokens", json: person },
      at("DELETE /v1/tokens/:token", "ci"),
      { route: "POST /v1/users", json: { name: "anna", role: "viewer", password: "correct horse battery" } },
      at("PATCH /v1/users/:name", "anna", { json: { role: "operator" } }),
      at("PUT /v1/users/:name/password", "anna", { json: { password: "another staple entirely" } }),
      at("POST /v1/users/:name/sign-in-link", "anna"),
      at("DELETE /v1/users/:name", "anna"),
      { route: "POST /v1/webhooks", json: { name: "hook", url: "https://8.8.8.8/" } },
      at("DELETE /v1/webhooks/:webhook", "hook"),
      { route: "PUT /v1/source/address", json: { announcedUrl: "https://new.example:7443" } },
      { route: "POST /v1/backup" },
      at("POST /v1/devices/:device/approve", suspended),
      at("POST /v1/devices/:device/log", suspended),
      at("PATCH /v1/devices/:device", device.id, { json: { name: "Desk" } }),
      at("DELETE /v1/devices/:device", device.id),
    ];
  }

  /** Routes that change nothing that a person decides, and those of other tests. */
  const elsewhere = new Set([
    "POST /v1/tasks/dry-run",
    "POST /v1/packages/manifest",
    "POST /v1/tasks/:id/dry-run",
    // Need digests of files: browser-publishing.test.ts has them.
    "POST /v1/packages/sign",
    "PATCH /v1/packages/:id/content",
    // Need a web site: publications.test.ts has one.
    "POST /v1/publications",
    "DELETE /v1/publications/:id",
    // Needs subnets that two devices have merged: subnet-merging.test.ts has them.
    "POST /v1/subnets/:id/split",
    // Needs a receiver: webhooks/webhooks.test.ts has one.
    "POST /v1/webhooks/:webhook/test",
    // Need keys: trust/trust-audit.test.ts has them.
    "POST /v1/trust/files",
    "POST /v1/trust/orders",
    "POST /v1/trust/freshness",
    // Need a browser and a link: sign-in/set-up.test.ts.
    "POST /v1/set-up",
    "POST /v1/sign-in/link",
    // Need a browser, and a provider: sign-in/sessions.test.ts and tests/single-sign-on.test.ts.
    "POST /v1/session",
    "DELETE /v1/session",
    "PUT /v1/session/password",
    "PUT /v1/single-sign-on",
    "DELETE /v1/single-sign-on",
  ]);

  test("adds a row that names the actor, the address, the route and the object, in one chain", async () => {
    const [device, waiting] = await prepare();
    // A backup copies them.
    for (const name of ["admin.token", "enroll.token"]) await Bun.write(join(fixture.folder, name), "");
    const tried = new Set<string>();
    let packageId = "";
    for (const { route, path, json, body } of await stepsFor(device, waiting)) {
      tried.add(route);
      const [method = "", words = ""] = route.split(" ");
      if (route === "POST /v1/tasks/:id/retry") await reportFailure(device);
      const before = (await rows()).length;
      const init = { ...(json === undefined ? {} : { json }), ...(body === undefined ? {} : { body }) };
      const response = await fixture.raw(
        method,
        (path ?? words).replace("/ID/", `/${packageId}/`),
        init,
        "10.9.9.9",
      );
      const text = await response.text();
      expect(`${route} ${response.status} ${response.status === 200 ? "" : text}`).toBe(`${route} 200 `);
      if (route === "POST /v1/packages") packageId = (JSON.parse(text) as { packageId: string }).packageId;
      const added = (await rows()).slice(before);
      expect(`${route} ${added.length > 0}`).toBe(`${route} true`);
      for (const row of added)
        expect(row).toMatchObject({
          actor: "admin.token",
          kind: "token",
          address: "10.9.9.9",
          action: route,
          result: "done",
          atMs: fixture.clock.nowMs,
        });
    }
    const changing = [...permissions.keys()].filter((route) => isChanging(route) && !elsewhere.has(route));
    expect([...tried].toSorted()).toEqual(changing.toSorted());
    expect(await verified()).toMatchObject({ broken: null, rows: (await rows()).length });
  }, 30_000);
});

describe("a row", () => {
  test("has what the change replaced and stored, and no secret", async () => {
    await fixture.call("PATCH", "/v1/settings/default", { json: { set: { wanAttempts: 3 }, inherit: [] } });
    await fixture.call("PATCH", "/v1/settings/default", { json: { set: { wanAttempts: 4 }, inherit: [] } });
    const row = (await rows()).at(-1)!;
    expect(row).toMatchObject({ object: "setting default" });
    expect(JSON.parse(row.before!)).toEqual({ wanAttempts: 3 });
    expect(JSON.parse(row.after!)).toEqual({ wanAttempts: 4 });
    const { text } = await fixture.token("viewer");
    const device = await fixture.device("pc-1");
    const stored = JSON.stringify(await rows());
    const secret = text.slice(4, 47);
    expect(secret).toHaveLength(43);
    for (const one of [secret, device.credential, "e".repeat(43)]) expect(stored).not.toContain(one);
  });

  test("of an enrolment names the token and the device, and one of a clone the device", async () => {
    const { id } = await fixture.device("pc-1");
    expect((await rows()).at(-1)).toMatchObject({
      actor: "enroll.token",
      kind: "token",
      action: "POST /v1/agent/enroll",
      object: `device ${id}`,
    });
  });

  test("is taken back with its change, and the change with its row", async () => {
    const before = await rows();
    const failing = fixture.catalog.settings.change("default", 0, () => {
      throw new Error("decided otherwise");
    });
    await expect(failing).rejects.toThrow("decided otherwise");
    expect(await rows()).toEqual(before);
    // A request that changes nothing has no row.
    await fixture.call("POST", "/v1/tags", { json: { devices: "all", add: ["x"] } });
    expect(await rows()).toEqual(before);
    // A row that cannot be stored takes the change back.
    const { id } = await fixture.device("pc-1");
    const enrolled = await rows();
    const unstorable = { add: ["x"], remove: [], size: 1n };
    await expect(fixture.catalog.labels.tag([id], unstorable)).rejects.toThrow("BigInt");
    expect((await fixture.catalog.devices.byId(id))!.tags).toEqual([]);
    expect(await rows()).toEqual(enrolled);
  });

  test("of a change by the source itself names the source", async () => {
    await fixture.device("pc-1");
    await fixture.catalog.life.remove(
      [(await fixture.catalog.deviceList.scan(null, 1))[0]!.id],
      "expired",
      1,
    );
    expect((await rows()).at(-1)).toMatchObject({ actor: "source", kind: "source", action: "life.remove" });
  });
});

describe("a refused request", () => {
  test("is a row with who, where and why; repeated ones are counted in one row an hour later", async () => {
    const viewer = await fixture.token("viewer");
    const before = (await rows()).length;
    for (let at = 0; at < 20; at++)
      await fixture.call("PUT", "/v1/groups/g", { credential: viewer.text }, "10.7.7.7");
    const [first, ...others] = (await rows()).slice(before);
    expect(first).toMatchObject({
      actor: viewer.name,
      kind: "token",
      address: "10.7.7.7",
      action: "PUT /v1/groups/:name",
      object: "/v1/groups/g",
      result: "refused: wrong-role",
      count: 1,
    });
    expect(others).toEqual([]);
    fixture.clock.nowMs += 3_600_000;
    fixture.refusalAudit.flush(fixture.clock.nowMs);
    expect((await rows()).at(-1)).toMatchObject({ actor: viewer.name, count: 19 });
  });

  test("has rows for an expired token, an unknown one and too many enrolments", async () => {
    const expired = await fixture.token("administrator", { expiresInMs: 1_000 });
    fixture.clock.nowMs += 1_000;
    const before = (await rows()).length;
    await fixture.call("GET", "/v1/tasks", { credential: expired.text });
    await fixture.call("GET", "/v1/tasks", { credential: "unknown" });
    await fixture.call("GET", "/v1/tasks", { credential: null });
    const json = { token: enrollToken, hostname: "h", os: "l", arch: "x", agentVersion: "1" };
    for (let at = 0; at < 201; at++)
      await fixture.call("POST", "/v1/agent/enroll", { credential: null, json }, "10.8.8.8");
    const refused = (await rows()).slice(before).filter(({ result }) => result !== "done");
    expect(refused.map(({ actor, kind, result }) => [actor, kind, result])).toEqual([
      [expired.name, "token", "refused: ended-token"],
      ["", "nobody", "refused: unknown-credential"],
      ["", "nobody", "refused: no-credential"],
      ["", "nobody", "refused: too-many-enrolments"],
    ]);
  });

  test("of ever other addresses takes a bounded number of rows", async () => {
    const before = (await rows()).length;
    for (let at = 0; at < 2_000; at++)
      await fixture.call("GET", "/v1/tasks", { credential: "unknown" }, `10.${at >> 8}.${at & 255}.1`);
    fixture.clock.nowMs += 3_600_000;
    fixture.refusalAudit.flush(fixture.clock.nowMs);
    const added = (await rows()).slice(before);
    expect(added.length).toBe(101);
    expect(added.reduce((sum, { count }) => sum + count, 0)).toBe(2_000);
  });
});

describe("the chain", () => {
  beforeEach(async () => {
    for (const name of ["a", "b", "c", "d"]) await fixture.call("PUT", `/v1/groups/${name}`);
  });

  test.each([
    ["changed", "UPDATE audit SET object = 'group z' WHERE object = 'group b'"],
    ["removed", "DELETE FROM audit WHERE object = 'group b'"],
    ["changed with its hash", "UPDATE audit SET hash = upper(hash) || 'x' WHERE object = 'group b'"],
    ["removed from the beginning", "DELETE FROM audit WHERE sequence = 1"],
  ])("shows the first row that is not in order when one was %s", async (_, sql) => {
    const copy = await tampered(sql);
    const database = new Database(copy);
    const all = database
      .query(
        "SELECT *, at_ms AS atMs, before_json AS before, after_json AS after FROM audit ORDER BY sequence",
      )
      .all() as AuditRow[];
    database.close();
    const check = new AuditCheck(auditOrigin);
    const problems = all.map((row) => check.next(row)).filter((problem) => problem !== null);
    expect(problems.length).toBeGreaterThan(0);
  });

  test("verifies a head that was exported, and tells one that the source does not have", async () => {
    const { sequence, hash } = await fixture.catalog.audit.head();
    await fixture.call("PUT", "/v1/groups/e");
    expect(await verified(`?sequence=${sequence}&hash=${hash}`)).toMatchObject({ known: "unchanged" });
    expect(await verified(`?sequence=${sequence}&hash=${"0".repeat(64)}`)).toMatchObject({
      known: "changed",
    });
    expect(await verified(`?sequence=${sequence + 9}&hash=${hash}`)).toMatchObject({ known: "missing" });
  });

  test("is exported as lines that verify without the source, and not after a change", async () => {
    const file = join(fixture.folder, "audit.jsonl");
    const text = await (await fixture.raw("GET", "/v1/audit/export")).text();
    await Bun.write(file, text);
    const head = await fixture.catalog.audit.head();
    expect(await checkAuditFile(file)).toEqual({ rows: (await rows()).length, head, broken: null });
    const lines = text.trimEnd().split("\n");
    for (const wrong of [
      text.replace("group b", "group z"),
      lines.toSpliced(2, 1).join("\n"),
      lines.slice(0, -1).join("\n"),
      [...lines.slice(0, -2), lines.at(-1)].join("\n"),
      "{}",
      "",
    ]) {
      await Bun.write(file, wrong);
      expect((await checkAuditFile(file)).broken).toEqual(expect.any(String));
    }
  });

  test("begins later when rows end by age, with the hash of the last one removed", async () => {
    const old = await rows();
    fixture.clock.nowMs += 401 * 86_400_000;
    await fixture.call("PUT", "/v1/groups/e");
    await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
    const last = old.at(-1)!;
    expect(await fixture.catalog.audit.beginning()).toEqual({ sequence: last.sequence, hash: last.hash });
    const kept = await rows();
    expect(kept.map(({ action }) => action)).toContain("audit.removeBefore");
    expect(kept[0]!.sequence).toBe(last.sequence + 1);
    expect(await verified()).toMatchObject({ broken: null, rows: kept.length });
    expect(await verified(`?sequence=1&hash=${old[0]!.hash}`)).toMatchObject({ known: "removed-by-age" });
  });

  test.each([
    ["1970", 1_000],
    ["years ahead", 1_950_000_000_000],
  ])("keeps its newer rows when the clock was in %s for a row", async (_, wrongMs) => {
    const rightMs = fixture.clock.nowMs;
    fixture.clock.nowMs = wrongMs;
    await fixture.call("PUT", "/v1/groups/e");
    fixture.clock.nowMs = rightMs;
    await fixture.call("PUT", "/v1/groups/f");
    const before = await rows();
    await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
    expect(await rows()).toEqual(before);
    // The wrong time keeps no row for longer than the rows around it.
    fixture.clock.nowMs += 401 * 86_400_000;
    await fixture.call("PUT", "/v1/groups/g");
    await removeExpired({ ...fixture, nowMs: () => fixture.clock.nowMs });
    expect((await rows())[0]!.sequence).toBe(before.at(-1)!.sequence + 1);
    expect(await verified()).toMatchObject({ broken: null });
  });
});

test("the list filters by time, actor, action and object, and by the sequence before", async () => {
  const other = await fixture.token("operator");
  fixture.clock.nowMs += 1_000;
  const sinceMs = fixture.clock.nowMs;
  await fixture.call("PUT", "/v1/groups/a", { credential: other.text });
  await fixture.call("PUT", "/v1/sites/b");
  const list = async (query: string): Promise<string[]> =>
    (await fixture.call<{ rows: AuditRow[] }>("GET", `/v1/audit?${query}`)).body.rows.map(
      ({ object }) => object,
    );
  expect(await list(`since=${sinceMs}`)).toEqual(["site b", "group a"]);
  expect(await list(`actor=${other.name}`)).toEqual(["group a"]);
  expect(await list("action=put")).toEqual(["site b", "group a"]);
  expect(await list("object=SITE%20b")).toEqual(["site b"]);
  const { sequence } = await fixture.catalog.audit.head();
  expect(await list(`before=${sequence}&limit=1`)).toEqual(["group a"]);
  expect((await fixture.call("GET", "/v1/audit?limit=1001")).status).toBe(400);
});

test("a version of a setting has the name of the person who stored it", async () => {
  const device = await fixture.device("pc-1");
  await fixture.checkIn(device, inventoryOf("pc-1"));
  await fixture.call("PATCH", "/v1/settings/default", { json: { set: { wanAttempts: 3 }, inherit: [] } });
  const [newest, first] = await fixture.catalog.settings.versions("default");
  expect([newest!.changedBy, first!.changedBy]).toEqual(["admin.token", null]);
});
