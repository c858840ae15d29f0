/** Rows of the audit for the routes of trust, on the real app and catalog. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { openFixture, type Fixture } from "../app-fixture.ts";
import type { NeededList } from "../../api/schema/trust.ts";
import { signStatementOf, type SigningKey } from "../../model/trust/index.ts";
import { newSigningKey } from "../../model/trust/testing-trust.ts";
import { signingKeysIn } from "./signing-keys.ts";

const operator = newSigningKey();
let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

const rows = () => fixture.catalog.audit.after(0, 10_000);
const isRow = (action: string, object: string) =>
  expect.objectContaining({ actor: "admin.token", kind: "token", action, object, result: "done" });
const newFile = (root: SigningKey) => {
  const { file } = fixture.trust;
  const operators = [{ key: operator.key, actions: [], target: "all", expiresAtMs: null }];
  const next = { ...file, version: file.version + 1, embedded: false, operators };
  return signStatementOf("trust", next, [root]);
};
const post = async (path: string, json: object): Promise<number> =>
  (await fixture.raw("POST", path, { json })).status;

test("a trust file, an order and a freshness each add a row that names who gave them", async () => {
  const { root } = (await signingKeysIn(fixture.folder))!;
  expect(await post("/v1/trust/files", { files: [newFile(root)] })).toBe(200);
  const files = await rows();
  expect(files).toContainEqual(isRow("POST /v1/trust/files", "trust file 2"));
  // Orders of the source's own operator, whom the new file does not list, have gone with it.
  expect(files).toContainEqual(isRow("POST /v1/trust/files", "order setting default"));

  const nowMs = (fixture.clock.nowMs += 1_000);
  const dated = (sequence: number) => ({ format: 1, sequence, issuedAtMs: nowMs });
  const { needed } = (await fixture.call<NeededList>("GET", "/v1/trust/needed")).body;
  expect(needed.length).toBeGreaterThan(0);
  const orders = needed.map(({ kind, subject, content }) => ({
    kind,
    subject,
    signed: signStatementOf(kind, { ...content, ...dated(nowMs) }, [operator]),
  }));
  expect(await post("/v1/trust/orders", { orders })).toBe(200);
  const [order] = needed;
  const added = (await rows()).slice(files.length);
  expect(added).toContainEqual(isRow("POST /v1/trust/orders", `order ${order!.kind} ${order!.subject}`));
  const lastSequence = await fixture.catalog.trust.lastSequence();
  const { deployment } = fixture.trust.file;
  const state = { ...dated(lastSequence), deployment, trustVersion: 2, expiresAtMs: nowMs + 86_400_000 };
  const signed = signStatementOf("freshness", state, [operator]);
  expect(await post("/v1/trust/freshness", { signed })).toBe(200);
  const last = (await rows()).at(-1);
  expect(last).toEqual(isRow("POST /v1/trust/freshness", "order freshness"));
  expect(await fixture.catalog.audit.after(0, 1)).toHaveLength(1);
});

test("what is refused adds nothing but a row of its refusal", async () => {
  const before = await rows();
  const { root } = (await signingKeysIn(fixture.folder))!;
  const later = signStatementOf("trust", { ...fixture.trust.file, version: 9 }, [root]);
  expect(await post("/v1/trust/files", { files: [later] })).toBe(422);
  const added = (await rows()).slice(before.length);
  expect(added.map(({ result }) => result)).not.toContain("done");
  expect(fixture.trust.file.version).toBe(1);
});
