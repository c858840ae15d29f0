/** Orders and the trust file at the source: a real catalog, real keys, and the API before them. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openFixture, type Fixture, type TestDevice } from "../app-fixture.ts";
import { restore } from "../backup/restore.ts";
import { openSqliteCatalog } from "../catalog/index.ts";
import { createLogger } from "../../log.ts";
import type { CheckInResponse } from "../../api/schema/agent.ts";
import type { NeededList } from "../../api/schema/trust.ts";
import {
  readOrder,
  signStatementOf,
  signText,
  type Freshness,
  type Signed,
  type SigningKey,
  type TrustFile,
} from "../../model/trust/index.ts";
import { newSigningKey } from "../../model/trust/testing-trust.ts";
import { inventoryOf } from "../app-fixture.ts";
import { Orders } from "./orders.ts";
import { signingKeysIn, type SigningKeys } from "./signing-keys.ts";
import { SourceTrust } from "./source-trust.ts";

const alice = newSigningKey();
const bob = newSigningKey();
const stranger = newSigningKey();
const dayMs = 86_400_000;
const operatorOf = ({ key }: SigningKey): TrustFile["operators"][number] => ({
  key,
  actions: [],
  target: "all",
  expiresAtMs: null,
});

let fixture: Fixture;
let keys: SigningKeys;
let device: TestDevice;

beforeEach(async () => {
  fixture = await openFixture();
  keys = (await signingKeysIn(fixture.folder))!;
  await writeFile(join(fixture.folder, "tool.bin"), "bytes");
  await publish("tool");
  device = await fixture.device("pc-1");
});
afterEach(() => fixture.close());

async function publish(name: string, keyFile?: string): Promise<number> {
  const path = join(fixture.folder, "tool.bin");
  const { json } = await fixture.signedPackage(path, { name, version: "1" }, keyFile);
  const answer = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${answer.body.packageId}/content`, { body: "bytes" });
  return answer.status;
}
const createTask = (json: object = {}) =>
  fixture.call<{ taskId: number; isSigned: boolean }>("POST", "/v1/tasks", {
    json: { package: "tool", action: "pre-cache", setting: null, target: "all", startAtMs: null, ...json },
  });
/** Changes the trust file, signed by the root; the source adds nothing once it is not embedded. */
async function changeFile(change: Partial<TrustFile>, root = keys.root): Promise<number> {
  const { file } = fixture.trust;
  const next = { ...file, ...change, version: file.version + 1, issuedAtMs: fixture.clock.nowMs };
  const files = [signStatementOf("trust", next, [root])];
  return (await fixture.call("POST", "/v1/trust/files", { json: { files } })).status;
}
const needed = async () => (await fixture.call<NeededList>("GET", "/v1/trust/needed")).body.needed;
async function signedNeeded(signers: readonly SigningKey[], sequence = fixture.clock.nowMs) {
  return (await needed()).map(({ kind, subject, content, pending }) => ({
    kind,
    subject,
    signed: pending
      ? signText(kind, pending.payload, signers)
      : signStatementOf(kind, { format: 1, ...content, sequence, issuedAtMs: fixture.clock.nowMs }, signers),
  }));
}
const give = (orders: readonly object[]) =>
  fixture.call<{ orders: { isComplete: boolean }[]; error: string }>("POST", "/v1/trust/orders", {
    json: { orders },
  });
const tasksOf = async (): Promise<number[]> =>
  (await fixture.checkIn(device, inventoryOf("pc-1"))).body.tasks.map(({ id }) => id);
const giveFreshness = (given: Partial<Freshness>, signer = alice) =>
  fixture.call<{ error: string }>("POST", "/v1/trust/freshness", {
    json: {
      signed: signStatementOf(
        "freshness",
        {
          format: 1,
          deployment: fixture.catalog.deployment,
          sequence: fixture.clock.nowMs,
          issuedAtMs: fixture.clock.nowMs,
          trustVersion: fixture.trust.file.version,
          expiresAtMs: fixture.clock.nowMs + dayMs,
          ...given,
        },
        [signer],
      ),
    },
  });

const stated = async () => readOrder("task", (await fixture.orders.signed("task", "1"))!);
const handBack = async (files: readonly Signed[]): Promise<number> =>
  (await fixture.raw("POST", "/v1/agent/trust", { credential: device.credential, json: { files } })).status;
const nextFile = (change: Partial<TrustFile>, ...signers: SigningKey[]): Signed => {
  const { file } = fixture.trust;
  return signStatementOf("trust", { ...file, version: file.version + 1, ...change }, signers);
};

describe("two operators of two", () => {
  beforeEach(async () => {
    const change = { embedded: false, operators: [operatorOf(alice), operatorOf(bob)], orderThreshold: 2 };
    expect(await changeFile(change)).toBe(200);
    fixture.clock.nowMs += 1_000;
    for (const signers of [[alice], [bob]])
      expect((await give(await signedNeeded(signers))).status).toBe(200);
    expect(await needed()).toEqual([]);
  });

  test("sign a task one after the other, and devices obey both only", async () => {
    expect((await createTask()).body).toMatchObject({ taskId: 1, isSigned: false });
    const first = await give(await signedNeeded([alice]));
    expect(first.body.orders).toEqual([{ kind: "task", subject: "1", isComplete: false }] as never);
    expect(await tasksOf()).toEqual([]);
    // Once more by the same operator changes nothing.
    expect((await give(await signedNeeded([alice]))).body.orders[0]!.isComplete).toBe(false);
    const [waiting] = await needed();
    expect(waiting?.pending?.signatures.map(({ key }) => key)).toEqual([alice.key]);
    expect((await give(await signedNeeded([bob]))).body.orders[0]!.isComplete).toBe(true);
    expect(await tasksOf()).toEqual([1]);
  });

  test("are not kept from it by wrong signatures, nor by those of strangers", async () => {
    await createTask();
    const [order] = await signedNeeded([alice]);
    const wrong = { key: bob.key, signature: `${"A".repeat(86)}==` };
    const junk = Array.from({ length: 30 }, () => signText("task", order!.signed.payload, [newSigningKey()]));
    const signatures = [wrong, ...junk.flatMap((one) => one.signatures), ...order!.signed.signatures];
    await give([{ ...order, signed: { ...order!.signed, signatures } }]);
    expect((await needed())[0]!.pending!.signatures.map(({ key }) => key)).toEqual([alice.key]);
    expect((await give(await signedNeeded([bob]))).body.orders[0]!.isComplete).toBe(true);
  });

  test("lose a begun order when the record changes, and nothing else completes it", async () => {
    await createTask();
    const begun = await signedNeeded([alice]);
    await give(begun);
    await fixture.call("PATCH", "/v1/tasks/1", { json: { target: "os=linux" } });
    expect((await needed())[0]!.pending).toBe(null);
    const [{ kind, subject, signed }] = begun as [(typeof begun)[number]];
    const refused = await give([{ kind, subject, signed: signText(kind, signed.payload, [bob]) }]);
    expect([refused.status, refused.body.error]).toEqual([
      422,
      expect.stringContaining("differs from the record"),
    ]);
    expect(await tasksOf()).toEqual([]);
  });
});

describe("an order that is given", () => {
  beforeEach(async () => {
    const operators = [operatorOf(alice), { ...operatorOf(bob), actions: ["pre-cache"] }];
    expect(await changeFile({ embedded: false, operators })).toBe(200);
    fixture.clock.nowMs += 1_000;
    await give(await signedNeeded([alice]));
    await createTask({ action: "run", command: "x" });
  });
  const edited = async (change: object, signer = alice): Promise<Signed> => {
    const [{ content }] = (await needed()) as [NeededList["needed"][number]];
    const { nowMs } = fixture.clock;
    return signStatementOf("task", { format: 1, ...content, sequence: nowMs, issuedAtMs: nowMs, ...change }, [
      signer,
    ]);
  };
  const cases: [what: string, change: object, signer: SigningKey, error: string][] = [
    ["of a stranger", {}, stranger, "0 of 1 signatures"],
    ["of a key for other actions", {}, bob, "may not sign: run"],
    ["with another command", { command: "y" }, alice, "differs from the record"],
    ["of another deployment", { deployment: 1 }, alice, "differs from the record"],
    ["of a clock far ahead", { sequence: 1_800_000_000_000 + 2 * dayMs }, alice, "check the signer's clock"],
  ];
  test.each(cases)("%s is refused", async (_, change, signer, error) => {
    const answer = await give([{ kind: "task", subject: "1", signed: await edited(change, signer) }]);
    expect([answer.status, answer.body.error]).toEqual([422, expect.stringContaining(error)]);
    expect(await tasksOf()).toEqual([]);
  });

  test("is refused for another record, and when an older one than the source's", async () => {
    const signed = await edited({});
    expect((await give([{ kind: "task", subject: "2", signed }])).status).toBe(422);
    expect((await give([{ kind: "setting", subject: "default", signed }])).status).toBe(422);
    expect((await give([{ kind: "task", subject: "1", signed }])).status).toBe(200);
    expect(await tasksOf()).toEqual([1]);
    const again = await give([{ kind: "task", subject: "1", signed }]);
    expect([again.status, again.body.error]).toEqual([422, expect.stringContaining("not newer")]);
  });

  test.each<[what: string, given: Partial<Freshness>, signer: SigningKey, error: string]>([
    ["of a stranger", {}, stranger, "0 of 1 signatures"],
    ["of the future", { issuedAtMs: 1_800_000_000_000 + 3 * dayMs }, alice, "a day ahead"],
    ["about orders of the future", { sequence: Number.MAX_SAFE_INTEGER }, alice, "a day ahead"],
    ["without end", { expiresAtMs: 1_900_000_000_000 }, alice, "92 days"],
    ["about an older trust file", { trustVersion: 1 }, alice, "the trust file has version"],
    ["about older orders", { sequence: 1 }, alice, "newer orders"],
  ])("freshness %s is refused", async (_, given, signer, error) => {
    expect((await giveFreshness({})).status).toBe(200);
    const answer = await giveFreshness({ issuedAtMs: fixture.clock.nowMs + 1, ...given }, signer);
    expect([answer.status, answer.body.error]).toEqual([422, expect.stringContaining(error)]);
  });

  test("freshness wakes the devices if none counted before, and no device otherwise", async () => {
    const reader = fixture.changeHub.open(device.id).getReader();
    let events = 0;
    void (async () => {
      for (let one = await reader.read(); !one.done; one = await reader.read()) events += 1;
    })();
    const wakesAfter = async (given: Partial<Freshness>): Promise<number> => {
      await Bun.sleep(0);
      const before = events;
      fixture.clock.nowMs += 1_000;
      expect((await giveFreshness(given)).status).toBe(200);
      await Bun.sleep(0);
      return events - before;
    };
    expect(await wakesAfter({})).toBe(1);
    expect(await wakesAfter({ expiresAtMs: fixture.clock.nowMs + 2_000 })).toBe(0);
    fixture.clock.nowMs += 5_000;
    expect(await wakesAfter({})).toBe(1);
  });

  test("a device gets nothing of this", async () => {
    for (const [method, path] of [
      ["GET", "/v1/trust"],
      ["GET", "/v1/trust/needed"],
      ["GET", "/v1/trust/order?kind=task&subject=1"],
      ["POST", "/v1/trust/files"],
      ["POST", "/v1/trust/orders"],
      ["POST", "/v1/trust/freshness"],
    ] as const)
      for (const [credential, status] of [
        [device.credential, 403],
        [null, 401],
      ] as const)
        expect([path, (await fixture.raw(method, path, { credential })).status]).toEqual([path, status]);
  });
});

describe("the source's own orders", () => {
  test("state the last one of many edits at once, and rise", async () => {
    await createTask({ action: "run", command: "x" });
    const targets = Array.from({ length: 12 }, (_, at) => `pc-${at}`);
    await Promise.all(targets.map((target) => fixture.call("PATCH", "/v1/tasks/1", { json: { target } })));
    expect((await stated()).target).toBe((await fixture.catalog.tasks.byId(1))!.target);
    const { sequence } = await stated();
    await fixture.call("PATCH", "/v1/tasks/1", { json: { target: "all" } });
    expect((await stated()).sequence).toBeGreaterThan(sequence);
    expect(await needed()).toEqual([]);
  });

  test("wait when the trust file wants another operator's, and the source starts all the same", async () => {
    await changeFile({ operators: [...fixture.trust.file.operators, operatorOf(alice)], orderThreshold: 2 });
    expect((await createTask()).body.isSigned).toBe(false);
    expect(await tasksOf()).toEqual([]);
    const { catalog, clock, folder, log } = fixture;
    const nowMs = () => clock.nowMs;
    const trust = await SourceTrust.open({ catalog, dataFolder: folder, nowMs, log });
    await new Orders({ catalog, trust, nowMs }).signAll();
    fixture.clock.nowMs += 1_000;
    expect((await give(await signedNeeded([keys.operator, alice]))).status).toBe(200);
    expect(await tasksOf()).toEqual([1]);
  });

  test("are newer than those of the devices after a backup was restored", async () => {
    await createTask();
    const file = join(fixture.folder, "backup");
    for (const name of ["admin.token", "enroll.token"]) await writeFile(join(fixture.folder, name), "text");
    await writeFile(file, await (await fixture.raw("POST", "/v1/backup")).bytes());
    fixture.clock.nowMs += 1_000;
    await fixture.call("PATCH", "/v1/tasks/1", { json: { target: "os=linux" } });
    const before = (await stated()).sequence;
    const target = join(fixture.folder, "restored");
    await restore({
      file,
      dataFolder: target,
      replaces: false,
      pausesTasks: false,
      nowMs: fixture.clock.nowMs,
    });
    const catalog = await openSqliteCatalog(join(target, "catalog.db"));
    const nowMs = () => fixture.clock.nowMs + 1_000;
    const log = createLogger("test", "silent");
    const trust = await SourceTrust.open({ catalog, dataFolder: target, nowMs, log });
    const orders = new Orders({ catalog, trust, nowMs });
    await orders.signAll();
    const restored = readOrder("task", (await orders.signed("task", "1"))!);
    expect([restored.target, restored.sequence > before]).toEqual(["all", true]);
    catalog.close();
  });

  test("freshness of a clock that was ahead is given up", async () => {
    fixture.clock.nowMs += 900 * dayMs;
    await fixture.orders.renewFreshness();
    fixture.clock.nowMs -= 900 * dayMs;
    const { body } = await fixture.call<CheckInResponse>("POST", "/v1/agent/check-in", {
      credential: device.credential,
      json: { inventory: inventoryOf("pc-1") },
    });
    expect(readOrder("freshness", body.trust.freshness!).issuedAtMs).toBe(fixture.clock.nowMs);
  });
});

describe("the trust file of the source", () => {
  test("of the embedded mode is not replaced by a device", async () => {
    const { version } = fixture.trust.file;
    const taken = nextFile({ operators: [operatorOf(stranger)] }, stranger);
    const own = nextFile({ root: { threshold: 1, keys: [stranger.key] } }, stranger);
    expect([await handBack([taken]), await handBack([own])]).toEqual([422, 422]);
    expect([fixture.trust.file.version, await signingKeysIn(fixture.folder)]).toEqual([version, keys]);
  });

  test("is taken from many devices that hand it back at once, and takes the keys away", async () => {
    const second = nextFile({ embedded: false }, keys.root);
    const results = await Promise.all(Array.from({ length: 8 }, () => handBack([second])));
    expect(new Set(results)).toEqual(new Set([200]));
    expect(await readFile(join(fixture.folder, "signing.keys"), "utf8")).toContain('"keys": null');
    expect((await createTask()).body.isSigned).toBe(false);
  });

  test("of a clock far ahead is refused: devices would take no order any more", async () => {
    const { file } = fixture.trust;
    fixture.clock.nowMs += 2 * dayMs;
    const status = changeFile({});
    fixture.clock.nowMs -= 2 * dayMs;
    expect([await status, fixture.trust.file]).toEqual([422, file]);
  });

  test("keeps the good ones of several versions when a later one is refused", async () => {
    const { version } = fixture.trust.file;
    const second = nextFile({}, keys.root);
    const third = nextFile({ version: version + 2 }, stranger);
    expect(await handBack([second, third])).toBe(422);
    expect(await handBack([second])).toBe(200);
    expect(fixture.trust.file.version).toBe(version + 1);
  });

  test("lists a publisher for some packages only, and publishing follows", async () => {
    const keyFile = join(fixture.folder, "office.key");
    await fixture.signedPackage(join(fixture.folder, "tool.bin"), { name: "x", version: "1" }, keyFile);
    expect(await publish("office-fonts", keyFile)).toBe(409);
    const { envelope } = await fixture.signedPackage(
      join(fixture.folder, "tool.bin"),
      { name: "x", version: "1" },
      keyFile,
    );
    const key = Buffer.from(envelope.publisherKey).toString("hex");
    await changeFile({ publishers: [...fixture.trust.file.publishers, { key, packages: ["office-*"] }] });
    expect([await publish("Office-Fonts", keyFile), await publish("editor", keyFile)]).toEqual([200, 409]);
  });
});
