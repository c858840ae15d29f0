/**
 * Fuzz target of signed statements: trust files, orders and freshness with wrong texts, hostile
 * values that an operator has signed, and answers to a check-in. A device obeys nothing but texts
 * that were signed, and what it has accepted never goes back.
 */
import * as v from "valibot";
import {
  agentTaskSchema,
  checkInResponseSchema,
  type CheckInResponse,
} from "../../shared/api/schema/agent.ts";
import { TrustKeeper, type TrustedAnswer } from "../../shared/device/trust-keeper.ts";
import { readTrust } from "../../shared/device/trust-record.ts";
import {
  beginTrust,
  checkOrder,
  extendTrust,
  parseSigningKey,
  rootFingerprint,
  signedSchema,
  signStatementOf,
  TrustError,
  type OrderKind,
  type Signed,
  type SigningKey,
} from "../../shared/model/trust/index.ts";
import { signedTrust, taskOrderOf, trustFileOf } from "../../shared/model/trust/testing-trust.ts";
import { selfOf } from "../../shared/model/target/testing-target.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { mutatedValue } from "./mutate.ts";
import { declared, promise, type Target } from "./target.ts";

/** Returns the same key in each run, so that a case can be run again. */
function keyOf(byte: number): SigningKey {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, byte)]);
  return parseSigningKey(
    `-----BEGIN PRIVATE KEY-----\n${der.toString("base64")}\n-----END PRIVATE KEY-----\n`,
  );
}
const [root, nextRoot, operator, narrow] = [keyOf(1), keyOf(2), keyOf(3), keyOf(4)];
const nowMs = 1_800_000_001_000;
const anyone = { actions: [], target: "all", expiresAtMs: null };
const first = trustFileOf({ root, publisher: operator, operator });
const second = {
  ...first,
  version: 2,
  root: { threshold: 2, keys: [root.key, nextRoot.key] },
  operators: [
    { key: operator.key, ...anyone },
    { key: narrow.key, ...anyone, actions: ["pre-cache"], target: "os=windows" },
  ],
};
const files = [signedTrust(first, root), signedTrust(second, root, nextRoot)];
const anchor = { deployment: 7, root: rootFingerprint(first.root) };
const chain = beginTrust(files, anchor);

const common = { format: 1, deployment: 7, issuedAtMs: nowMs };
const differences = { lanRateBps: 1_000_000_000, wanSchedule: [] };
const statements = {
  task: taskOrderOf({ setting: "kiosk", notWhile: ["a"], after: 2, target: "os=linux and not tag=x" }),
  setting: { ...common, sequence: 9, name: "kiosk", version: 2, parent: "default", differences },
  assignments: {
    ...common,
    sequence: 9,
    assignments: [
      { setting: "kiosk", target: "tag=b7" },
      { setting: "default", target: "not os=linux" },
    ],
  },
  freshness: { ...common, sequence: 9, trustVersion: 2, expiresAtMs: nowMs + 86_400_000 },
} as const satisfies Record<OrderKind, object>;
const kinds = Object.keys(statements) as OrderKind[];
const signed = Object.fromEntries(
  kinds.map((kind) => [kind, signStatementOf(kind, statements[kind], [operator])]),
) as Record<OrderKind, Signed>;
const rootSetting = signStatementOf(
  "setting",
  { ...common, sequence: 5, name: "default", version: 1, parent: null, differences: {} },
  [operator],
);
const genuine: ReadonlySet<string> = new Set(
  [...files, ...Object.values(signed), rootSetting].map(({ payload }) => payload),
);

const self = selfOf();
const lanKey = Buffer.alloc(16).toString("base64");
const answer: CheckInResponse = {
  sourceTimeMs: nowMs,
  subnetId: null,
  trust: { version: 2, files, freshness: signed.freshness },
  ownSetting: { name: "kiosk" },
  settings: [rootSetting, signed.setting],
  assignments: signed.assignments,
  tasks: [
    {
      id: 1,
      order: signed.task,
      attempt: 1,
      paused: false,
      taskKey: lanKey,
      packageKey: lanKey,
      packageKeyBefore: null,
    },
  ],
  packageKeys: [],
  wakes: [{ id: "0123456789abcdef", macs: ["02:00:00:00:00:01"] }],
  killed: [],
  begun: [],
  probes: [],
  announcedUrl: null,
  approval: "active",
  logRequest: null,
};

/** A device; `stored` is its ledger. */
function device(stored: { record: unknown }): TrustKeeper {
  return new TrustKeeper({
    ledger: {
      trust: () => stored.record,
      saveTrust: (record) => (stored.record = JSON.parse(JSON.stringify(record))),
    },
    anchor,
    wallMs: () => nowMs,
    self: () => self,
    log: { warn() {}, error() {} },
  });
}

const known = { record: null as unknown };
device(known).take(answer);

/** Checks what holds after every answer, also a signed one. */
function kept(taken: TrustedAnswer, keeper: TrustKeeper, stored: { record: unknown }): void {
  for (const task of taken.tasks) {
    promise(v.is(agentTaskSchema, task), "a task that is obeyed can be saved");
    promise(task.attempt <= 1, "a source allows no attempt that no operator did");
  }
  promise(
    taken.refused.every(({ text }) => text.length <= 512),
    "a refusal is short",
  );
  promise(
    stored.record === null || Bun.deepEquals(readTrust(stored.record), stored.record),
    "a saved record is read as it was written",
  );
  promise(keeper.status.version === (keeper.file?.version ?? 0), "the status states the version");
}

/** A text that nobody signed: changed in its payload, its signatures or its kind. */
function unsigned(random: SeededRandom): string {
  const kind = random.pick(kinds);
  const given = v.safeParse(signedSchema, mutatedValue(random, signed[kind]));
  if (!given.success) return "no statement";
  return declared([TrustError], () => {
    checkOrder(random.oneIn(8) ? random.pick(kinds) : kind, given.output, {
      trust: chain.current,
      nowMs,
      device: random.oneIn(2) ? self : null,
    });
    promise(genuine.has(given.output.payload), "an order that counts was signed");
    return `${kind} counts`;
  });
}

function chained(random: SeededRandom): string {
  const given = v.safeParse(v.array(signedSchema), mutatedValue(random, files));
  if (!given.success) return "no statements";
  return declared([TrustError], () => {
    const found = random.oneIn(2)
      ? beginTrust(given.output, anchor)
      : extendTrust({ files: files.slice(0, 1), current: first }, given.output);
    promise(
      found.files.every(({ payload }) => genuine.has(payload)),
      "a file that counts was signed by the roots",
    );
    return `chain of ${found.files.length}`;
  });
}

/** Hostile values that a key has signed: a stolen one, or a program of another version. */
function operators(random: SeededRandom): string {
  const kind = random.pick(kinds);
  const signer = random.oneIn(4) ? narrow : operator;
  const order = signStatementOf(kind, mutatedValue(random, statements[kind]) as object, [signer]);
  const given = {
    ...answer,
    ...(kind === "task" ? { tasks: answer.tasks.map((task) => Object.assign({}, task, { order })) } : {}),
    ...(kind === "setting" ? { settings: [rootSetting, order] } : {}),
    ...(kind === "assignments" ? { assignments: order } : {}),
    ...(kind === "freshness" ? { trust: { ...answer.trust, freshness: order } } : {}),
  };
  const parsed = v.safeParse(checkInResponseSchema, given);
  if (!parsed.success) return "signed, and no statement";
  const stored = { record: random.oneIn(2) ? null : known.record };
  const keeper = device(stored);
  const taken = keeper.take(parsed.output);
  kept(taken, keeper, stored);
  promise(
    signer === operator || taken.tasks.every(({ command }) => command === statements.task.command),
    "a key for other devices and actions signs nothing here",
  );
  return `signed ${kind}: ${taken.refused[0]?.code ?? "obeyed"}`;
}

function answered(random: SeededRandom): string {
  let value: unknown = answer;
  for (let changes = 1 + random.int(3); changes > 0; changes--) value = mutatedValue(random, value);
  const parsed = v.safeParse(checkInResponseSchema, value);
  if (!parsed.success) return "no answer";
  const stored = { record: random.oneIn(2) ? null : known.record };
  const keeper = device(stored);
  const before = keeper.known;
  const taken = keeper.take(parsed.output);
  kept(taken, keeper, stored);
  promise(
    keeper.known.version >= before.version && keeper.known.assignments >= before.assignments,
    "what a device has accepted never goes back",
  );
  for (const task of taken.tasks)
    promise(
      task.command === statements.task.command && task.packageId === statements.task.packageId,
      "a task that is obeyed was signed",
    );
  promise(
    taken.ownSetting === null || ["default", "kiosk"].includes(taken.ownSetting.name),
    "the own setting was assigned",
  );
  return `answer: ${taken.refused[0]?.code ?? "obeyed"}`;
}

function run(random: SeededRandom): string {
  switch (random.int(8)) {
    case 0:
      return answered(random);
    case 1:
      return operators(random);
    case 2:
    case 3:
      return chained(random);
    default:
      return unsigned(random);
  }
}

export const trust: Target = {
  name: "trust",
  about: "trust files, orders, freshness, and what a device obeys of an answer",
  share: 50,
  open: () => ({ run }),
};
