/** The device's judgement of answers, with a real ledger and real signatures. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLedger } from "../cache/disk/ledger-sqlite.ts";
import type { Ledger } from "../cache/index.ts";
import {
  rootFingerprint,
  signStatementOf,
  type Freshness,
  type Signed,
  type SigningKey,
  type TaskOrder,
  type TrustFile,
} from "../model/trust/index.ts";
import { newSigningKey, signedTrust, taskOrderOf, trustFileOf } from "../model/trust/testing-trust.ts";
import { selfOf } from "../model/target/testing-target.ts";
import { refusedMax } from "./refused-statements.ts";
import { TrustKeeper, type TrustedAnswer } from "./trust-keeper.ts";
import { keptOrdersMax, keptSettingsMax } from "./trust-record.ts";

const root = newSigningKey();
const newRoot = newSigningKey();
const operator = newSigningKey();
const narrow = newSigningKey();
const stranger = newSigningKey();
const startMs = 1_800_000_000_000;
const dayMs = 86_400_000;
const first = trustFileOf(
  { root, publisher: stranger, operator },
  {
    operators: [
      { key: operator.key, actions: [], target: "all", expiresAtMs: null },
      { key: narrow.key, actions: [], target: "os=windows", expiresAtMs: null },
    ],
  },
);
const next = (before: TrustFile, given: Partial<TrustFile>): TrustFile => ({
  ...before,
  version: before.version + 1,
  ...given,
});
const chain = [signedTrust(first, root)];
const keyOfTest = Buffer.alloc(16).toString("base64");

type Answer = Parameters<TrustKeeper["take"]>[0];
let folder: string;
let ledger: Ledger;
let wallMs: number;
let logged: object[];

beforeEach(() => {
  logged = [];
  folder = mkdtempSync(join(tmpdir(), "flockcast-keeper-"));
  wallMs = startMs + 1_000;
  ledger = openLedger(
    folder,
    () => wallMs,
    () => {},
  );
});
afterEach(() => {
  ledger.close();
  rmSync(folder, { recursive: true });
});

const keeperOf = (anchor = rootFingerprint(first.root) as string | null, deployment = 7): TrustKeeper =>
  new TrustKeeper({
    ledger,
    anchor: { deployment, root: anchor },
    wallMs: () => wallMs,
    self: () => selfOf(),
    log: { warn() {}, error: (fields) => void logged.push(fields) },
  });

const answerOf = (given: Partial<Answer> = {}, files: readonly Signed[] = chain): Answer => ({
  sourceTimeMs: wallMs,
  trust: { version: files.length, files: [...files], freshness: null },
  ownSetting: { name: "default" },
  settings: [],
  assignments: null,
  tasks: [],
  ...given,
});
const freshAnswer = (freshness: Signed): Answer =>
  answerOf({ trust: { version: 1, files: chain, freshness } });
const taskOf = (order: Partial<TaskOrder> = {}, signer: SigningKey = operator, attempt = 1) => {
  const stated = taskOrderOf(order);
  const signed = signStatementOf("task", stated, [signer]);
  return {
    id: stated.taskId,
    order: signed,
    attempt,
    paused: false,
    taskKey: keyOfTest,
    packageKey: keyOfTest,
    packageKeyBefore: null,
  };
};
const common = { format: 1, deployment: 7, issuedAtMs: startMs };
const settingOf = (name: string, sequence: number, given: object = {}, signer: SigningKey = operator) =>
  signStatementOf(
    "setting",
    {
      ...common,
      sequence,
      name,
      version: sequence,
      parent: name === "default" ? null : "default",
      differences: {},
      ...given,
    },
    [signer],
  );
const assignmentsOf = (
  sequence: number,
  list: readonly [setting: string, target: string][],
  signer = operator,
) =>
  signStatementOf(
    "assignments",
    { ...common, sequence, assignments: list.map(([setting, target]) => ({ setting, target })) },
    [signer],
  );
const freshnessOf = (given: Partial<Freshness> = {}, signer: SigningKey = operator): Signed =>
  signStatementOf(
    "freshness",
    { ...common, sequence: 1, trustVersion: 1, expiresAtMs: startMs + 14 * dayMs, ...given },
    [signer],
  );
const codesOf = ({ refused }: TrustedAnswer): string[] => refused.map(({ what, code }) => `${what}: ${code}`);
const commandOf = ({ tasks }: TrustedAnswer): string | null | undefined => tasks[0]?.command;

test.each<[what: string, settings: readonly [name: string, parent: string | null][]]>([
  [
    "in a cycle through default",
    [
      ["office", "default"],
      ["default", "office"],
    ],
  ],
  [
    "in a cycle",
    [
      ["office", "lab"],
      ["lab", "office"],
    ],
  ],
  ["beside default", [["office", null]]],
  [
    "too deep",
    Array.from({ length: 9 }, (_, at) => [
      at === 0 ? "office" : `s${at}`,
      at === 8 ? "default" : `s${at + 1}`,
    ]),
  ],
])("settings %s refuse the own setting, and no other statement", (_, stated) => {
  const settings = stated.map(([name, parent], at) => settingOf(name, at + 1, { parent }));
  const assignments = assignmentsOf(6, [["office", "all"]]);
  const own = { settings, assignments, ownSetting: { name: "office" } };
  const taken = keeperOf().take(answerOf({ ...own, tasks: [taskOf({ setting: "plain" })] }));
  expect(codesOf(taken)).toEqual(["own setting: malformed", "task 1: too-few-signatures"]);
});

test("of many refused orders some are kept, and few are logged", () => {
  const order = { payload: "{}", signatures: [] };
  const tasks = Array.from({ length: refusedMax + 50 }, (_, at) => ({ ...taskOf(), id: at + 1, order }));
  const keeper = keeperOf();
  expect(keeper.take(answerOf({ tasks })).refused.length).toBe(refusedMax);
  expect([keeper.status.refused.length, logged.length]).toEqual([refusedMax, 17]);
  expect(logged.at(-1)).toEqual({ more: refusedMax - 16 });
  keeper.take(answerOf({ tasks }));
  expect(logged.length).toBe(17);
});

test("orders of a later version in the ledger are left out, and taken again", () => {
  const given = {
    trust: { version: 1, files: chain, freshness: freshnessOf() },
    settings: [settingOf("office", 5)],
    assignments: assignmentsOf(6, [["office", "all"]]),
    ownSetting: { name: "office" },
  };
  keeperOf().take(answerOf(given));
  const stored = JSON.stringify(ledger.trust());
  ledger.saveTrust(
    JSON.parse(
      stored.replaceAll(
        '\\"format\\":1,\\"deployment\\":7,\\"issuedAtMs',
        '\\"format\\":2,\\"deployment\\":7,\\"issuedAtMs',
      ),
    ),
  );
  expect(JSON.stringify(ledger.trust())).not.toBe(stored);
  const keeper = keeperOf();
  expect([keeper.known, keeper.status.freshUntilMs]).toEqual([{ version: 1, assignments: 0 }, null]);
  expect(codesOf(keeper.take(answerOf(given)))).toEqual([]);
  expect(keeper.known.assignments).toBe(6);
});

describe("a trust file", () => {
  test("that the token's roots did not sign leaves the device without one", () => {
    const keeper = keeperOf();
    const answer = answerOf({ tasks: [taskOf()] }, [signedTrust(first, stranger)]);
    expect(codesOf(keeper.take(answer))).toEqual(["trust file: too-few-signatures", "task 1: wrong-root"]);
    expect([keeper.file, keeper.status.version, keeper.publisherKeys("editor")]).toEqual([null, 0, []]);
  });

  test("counts not at all for a token without roots", () => {
    expect(codesOf(keeperOf(null).take(answerOf({ tasks: [taskOf()] })))).toEqual([
      "trust file: wrong-root",
      "task 1: wrong-root",
    ]);
  });

  test("survives a restart, with the orders that the device has obeyed", () => {
    keeperOf().take(answerOf({ tasks: [taskOf({ sequence: 20 })] }));
    const restarted = keeperOf();
    expect(restarted.known.version).toBe(1);
    expect(codesOf(restarted.take(answerOf({ tasks: [taskOf({ sequence: 10 })] }, [])))).toEqual([
      "task 1: older",
    ]);
  });

  test("of the ledger does not count for another deployment, or for roots that a new token names", () => {
    keeperOf().take(answerOf());
    expect(keeperOf(rootFingerprint(first.root), 8).known.version).toBe(0);
    const other = trustFileOf({ root: newRoot, publisher: stranger, operator });
    const enrolledAgain = keeperOf(rootFingerprint(other.root));
    expect(enrolledAgain.known.version).toBe(0);
    expect(codesOf(enrolledAgain.take(answerOf({}, [signedTrust(other, newRoot)])))).toEqual([]);
  });

  test("goes back to a source that has an older one, and its versions alone", () => {
    const second = next(first, {});
    const third = next(second, {});
    const all = [...chain, signedTrust(second, root), signedTrust(third, root)];
    const keeper = keeperOf();
    keeper.take(answerOf({}, all));
    const handedBack = (version: number) =>
      keeper.take(answerOf({ trust: { version, files: [], freshness: null } })).handBack;
    expect([handedBack(1), handedBack(3), handedBack(9)]).toEqual([all.slice(1), [], []]);
  });

  test("of an old root does not follow the newer one", () => {
    const second = next(first, { root: { threshold: 1, keys: [newRoot.key] } });
    const keeper = keeperOf();
    keeper.take(answerOf({}, [...chain, signedTrust(second, root, newRoot)]));
    const taken = next(second, { root: { threshold: 1, keys: [stranger.key] } });
    const forged = signedTrust(taken, root, stranger);
    expect(codesOf(keeper.take(answerOf({}, [forged])))).toEqual(["trust file: too-few-signatures"]);
    // Nor does another version 2 of the old root, whatever follows it.
    const fork = next(first, { root: { threshold: 1, keys: [stranger.key] } });
    const forks = [...chain, signedTrust(fork, root, stranger), signedTrust(taken, stranger)];
    expect(codesOf(keeper.take(answerOf({}, forks)))).toEqual(["trust file: too-few-signatures"]);
    expect(keeper.file!.root.keys).toEqual([newRoot.key]);
  });

  test("without operators, or with a revoked one, ends settings, assignments and freshness", () => {
    const keeper = keeperOf();
    keeper.take({
      ...freshAnswer(freshnessOf()),
      settings: [settingOf("default", 5), settingOf("kiosk", 6)],
      assignments: assignmentsOf(7, [["kiosk", "all"]]),
      ownSetting: { name: "kiosk" },
    });
    expect([keeper.known.assignments, keeper.status.isStale]).toEqual([7, false]);
    const ended = keeper.take(
      answerOf({ tasks: [taskOf()] }, [signedTrust(next(first, { operators: [] }), root)]),
    );
    expect(codesOf(ended)).toEqual(["task 1: too-few-signatures"]);
    expect([keeper.known, keeper.status.isStale]).toEqual([{ version: 2, assignments: 0 }, true]);
  });
});

describe("an order", () => {
  test("is obeyed with the source's choices, never above the attempts that it allows", () => {
    const taken = keeperOf().take(answerOf({ tasks: [taskOf({ attempts: 2 }, operator, 99)] }));
    expect([codesOf(taken), taken.tasks[0]?.attempt, commandOf(taken)]).toEqual([[], 2, "./install.sh"]);
  });

  const cases: [what: string, code: string, order: Partial<TaskOrder>, signer: SigningKey][] = [
    ["of a stranger", "too-few-signatures", {}, stranger],
    ["of a key for other devices", "out-of-scope", {}, narrow],
    ["that has expired", "expired", { expiresAtMs: startMs + 1_000 }, operator],
    ["for other devices", "not-targeted", { target: "os=windows" }, operator],
    ["with a setting that no order states", "too-few-signatures", { setting: "kiosk" }, operator],
  ];
  test.each(cases)("%s is refused", (_, code, order, signer) => {
    expect(codesOf(keeperOf().take(answerOf({ tasks: [taskOf(order, signer)] })))).toEqual([
      `task 1: ${code}`,
    ]);
  });

  test("of another one's sequence is refused, also if its signer's scope would not allow it here", () => {
    const keeper = keeperOf();
    keeper.take(answerOf({ tasks: [taskOf({ sequence: 20 })] }));
    const evil = { sequence: 20, command: "evil" };
    expect(codesOf(keeper.take(answerOf({ tasks: [taskOf(evil, narrow)] })))).toEqual([
      "task 1: out-of-scope",
    ]);
    expect(codesOf(keeper.take(answerOf({ tasks: [taskOf(evil)] })))).toEqual(["task 1: older"]);
    expect(commandOf(keeper.take(answerOf({ tasks: [taskOf({ sequence: 20 })] })))).toBe("./install.sh");
    expect(commandOf(keeper.take(answerOf({ tasks: [taskOf({ ...evil, sequence: 21 })] })))).toBe("evil");
  });

  test("that was changed is not forgotten in a full ledger before the one before it has expired", () => {
    const keeper = keeperOf();
    const old = taskOf({ taskId: 1, sequence: 10, expiresAtMs: startMs + 900 * dayMs });
    keeper.take(answerOf({ tasks: [old] }));
    keeper.take(answerOf({ tasks: [taskOf({ taskId: 1, sequence: 20, expiresAtMs: startMs + dayMs })] }));
    const record = ledger.trust() as { orders: object };
    const others = Array.from({ length: keptOrdersMax - 1 }, (_, at) => [
      at + 10,
      { sequence: 1, expiresAtMs: startMs + 2 * dayMs, digest: "" },
    ]);
    ledger.saveTrust({ ...record, orders: { ...record.orders, ...Object.fromEntries(others) } });
    const restarted = keeperOf();
    restarted.take(answerOf({ tasks: [taskOf({ taskId: 9_000, expiresAtMs: startMs + 3 * dayMs })] }));
    const { orders } = ledger.trust() as { orders: object };
    expect(Object.keys(orders)).toHaveLength(keptOrdersMax);
    expect(codesOf(restarted.take(answerOf({ tasks: [old] })))).toEqual(["task 1: older"]);
  });

  test("does not count under the id of another task, or in a form of a later version", () => {
    const keeper = keeperOf();
    const moved = { ...taskOf(), id: 5 };
    const later = taskOf({ format: 2 as 1, taskId: 6 });
    // The row of such a task could not be read after a restart.
    const unnamed = taskOf({ packageName: "", taskId: 7 });
    expect(codesOf(keeper.take(answerOf({ tasks: [moved, later, unnamed] })))).toEqual([
      "task 5: malformed",
      "task 6: malformed",
      "task 7: malformed",
    ]);
  });
});

describe("a setting", () => {
  test("is the one that the assignments name, whatever the source says", () => {
    const keeper = keeperOf();
    const settings = [settingOf("default", 5), settingOf("kiosk", 6), settingOf("fast", 6)];
    const assignments = assignmentsOf(7, [
      ["fast", "tag=lab"],
      ["kiosk", "os=linux"],
      ["fast", "all"],
    ]);
    const given = (name: string, more: Partial<Answer> = {}) =>
      keeper.take(answerOf({ settings, ownSetting: { name }, ...more }));
    // Without assignments only the root setting counts.
    expect(codesOf(given("kiosk"))).toEqual(["own setting: not-targeted"]);
    expect(given("kiosk", { assignments }).ownSetting?.name).toBe("kiosk");
    // A tag is the source's to give: the device cannot know better.
    expect(given("fast").ownSetting?.name).toBe("fast");
    expect(codesOf(given("default"))).toEqual(["own setting: not-targeted"]);
    expect(codesOf(given("kiosk", { assignments: assignmentsOf(6, []) }))).toEqual(["assignments: older"]);
    expect(codesOf(given("kiosk", { assignments: assignmentsOf(7, []) }))).toEqual(["assignments: older"]);
    // Kept back assignments change nothing, also after a restart.
    expect(codesOf(keeperOf().take(answerOf({ ownSetting: { name: "default" } })))).toEqual([
      "own setting: not-targeted",
    ]);
  });

  test("of a key for some devices is refused: it counts on all", () => {
    const forged = [settingOf("default", 5, {}, narrow)];
    const taken = keeperOf().take(answerOf({ settings: forged, assignments: assignmentsOf(7, [], narrow) }));
    expect(codesOf(taken)).toEqual(["setting: out-of-scope", "assignments: out-of-scope"]);
  });

  test("stays the newest one, also after more settings than the device keeps", () => {
    const keeper = keeperOf();
    keeper.take(answerOf({ settings: [settingOf("default", 5), settingOf("kiosk", 9, { version: 2 })] }));
    expect(codesOf(keeper.take(answerOf({ settings: [settingOf("kiosk", 8)] })))).toEqual(["setting: older"]);
    expect(codesOf(keeper.take(answerOf({ settings: [settingOf("kiosk", 9, { version: 3 })] })))).toEqual([
      "setting: older",
    ]);
    const many = Array.from({ length: keptSettingsMax }, (_, at) => settingOf(`other-${at}`, 4));
    keeper.take(answerOf({ settings: many }));
    expect(codesOf(keeper.take(answerOf({ settings: [settingOf("kiosk", 8)] })))).toEqual(["setting: older"]);
    expect(codesOf(keeper.take(answerOf({ settings: [settingOf("kiosk", 9, { version: 2 })] })))).toEqual([]);
  });

  test("of a cycle, or without an order of its parent, does not count", () => {
    const keeper = keeperOf();
    const loop = [settingOf("a", 5, { parent: "b" }), settingOf("b", 5, { parent: "a" })];
    const orphan = settingOf("c", 5, { parent: "gone" });
    const unnamed = keeper.take(answerOf({ settings: [settingOf("__proto__", 5)] }));
    expect(codesOf(unnamed)).toEqual(["setting: malformed"]);
    const assignments = assignmentsOf(7, [
      ["a", "tag=1"],
      ["c", "all"],
    ]);
    const given = (name: string) =>
      codesOf(keeper.take(answerOf({ settings: [...loop, orphan], assignments, ownSetting: { name } })));
    expect([given("a"), given("c"), given("__proto__")]).toEqual([
      ["own setting: malformed"],
      ["own setting: too-few-signatures"],
      ["own setting: not-targeted"],
    ]);
  });
});

describe("freshness", () => {
  test.each<[what: string, code: string, given: Partial<Freshness>, signer: SigningKey]>([
    ["of a stranger", "too-few-signatures", {}, stranger],
    ["that keeps back a trust file", "gap", { trustVersion: 2 }, operator],
    ["of the future", "ahead", { issuedAtMs: startMs + 2 * dayMs }, operator],
    ["of a narrow key, for ever", "malformed", { expiresAtMs: startMs + 93 * dayMs }, narrow],
  ])("%s is refused", (_, code, given, signer) => {
    const keeper = keeperOf();
    expect(codesOf(keeper.take(freshAnswer(freshnessOf(given, signer))))).toEqual([`freshness: ${code}`]);
    expect([keeper.status.isStale, keeper.status.freshUntilMs]).toEqual([true, null]);
  });

  test("is not replaced by an older word, and ends", () => {
    const keeper = keeperOf();
    keeper.take(freshAnswer(freshnessOf({ issuedAtMs: startMs + 500 })));
    expect(codesOf(keeper.take(freshAnswer(freshnessOf())))).toEqual(["freshness: older"]);
    wallMs = startMs + 14 * dayMs;
    expect(keeper.status.isStale).toBe(true);
  });

  test("none was given: orders count, and the device says that nothing is fresh", () => {
    const keeper = keeperOf();
    expect(codesOf(keeper.take(answerOf({ tasks: [taskOf()] })))).toEqual([]);
    expect(keeper.status.isStale).toBe(true);
  });

  test("sets the time of a device whose clock begins in 1970, and no further", () => {
    const keeper = keeperOf();
    wallMs = 60_000;
    const sourceTimeMs = startMs + 5 * dayMs;
    const later = freshnessOf({ issuedAtMs: sourceTimeMs - 1_000, expiresAtMs: sourceTimeMs + dayMs });
    expect(codesOf(keeper.take({ ...freshAnswer(later), sourceTimeMs }))).toEqual([]);
    // An order that ended before the newest signed time is over.
    const old = taskOf({ expiresAtMs: startMs + 4 * dayMs });
    expect(codesOf(keeper.take(answerOf({ tasks: [old] })))).toEqual(["task 1: expired"]);
    const far = freshnessOf({ issuedAtMs: startMs + 900 * dayMs, expiresAtMs: startMs + 901 * dayMs });
    expect(codesOf(keeper.take({ ...freshAnswer(far), sourceTimeMs }))).toEqual(["freshness: ahead"]);
  });

  test("of a wrong clock is given up once the device's clock is right", () => {
    const keeper = keeperOf();
    wallMs = 60_000;
    const wrongMs = startMs + 900 * dayMs;
    const wrong = freshnessOf({ issuedAtMs: wrongMs, expiresAtMs: wrongMs + dayMs });
    keeper.take({ ...freshAnswer(wrong), sourceTimeMs: wrongMs });
    wallMs = startMs + 1_000;
    expect(codesOf(keeper.take(freshAnswer(freshnessOf())))).toEqual([]);
    expect(codesOf(keeper.take(answerOf({ tasks: [taskOf()] })))).toEqual([]);
  });
});

test("a statement that cannot be read is refused with a short text", () => {
  const long = signStatementOf("task", { ...taskOrderOf(), action: "x".repeat(100_000) }, [operator]);
  const task = { ...taskOf(), order: long };
  const [refused] = keeperOf().take(answerOf({ tasks: [task] })).refused;
  expect([refused?.code, refused!.text.length < 300]).toEqual(["malformed", true]);
});
