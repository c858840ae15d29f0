/** Tests of the trust file, its chain, and the check of orders. */
import { describe, expect, test } from "bun:test";
import {
  beginTrust,
  checkOrder,
  differencesOf,
  extendTrust,
  filesAfter,
  hasOnlyKnownFields,
  nextSequence,
  publisherKeysFor,
  readOrder,
  rootFingerprint,
  signersOf,
  signStatementOf,
  TrustError,
  withSignatures,
  type TrustFile,
} from "./index.ts";
import { selfOf } from "../target/testing-target.ts";
import type { TargetView } from "../target/index.ts";
import { newSigningKey, signedTrust, taskOrderOf, trustFileOf } from "./testing-trust.ts";

const root = newSigningKey();
const root2 = newSigningKey();
const root3 = newSigningKey();
const publisher = newSigningKey();
const operator = newSigningKey();
const operator2 = newSigningKey();
const stranger = newSigningKey();
const keys = { root, publisher, operator };
const first = trustFileOf(keys);
const anchor = { deployment: 7, root: rootFingerprint(first.root) };
const nowMs = 1_800_000_001_000;
const next = (before: TrustFile, given: Partial<TrustFile>): TrustFile => ({
  ...before,
  version: before.version + 1,
  ...given,
});
const codeOf = (make: () => unknown): string => {
  try {
    make();
  } catch (error) {
    if (error instanceof TrustError) return error.code;
    throw error;
  }
  return "accepted";
};
const me = selfOf();

describe("the chain of trust files", () => {
  test("begins with the roots of the token and follows every rotation while a device was offline", () => {
    const second = next(first, {
      root: { threshold: 2, keys: [root, root2, root3].map(({ key }) => key) },
    });
    const third = next(second, { operators: [{ ...first.operators[0]!, key: operator2.key }] });
    const fourth = next(third, { root: { threshold: 1, keys: [root3.key] } });
    const files = [
      signedTrust(first, root),
      signedTrust(second, root, root2),
      signedTrust(third, root2, root3),
      signedTrust(fourth, root, root3),
    ];
    expect(beginTrust(files, anchor).current).toEqual(fourth);
    const known = beginTrust(files.slice(0, 1), anchor);
    expect(extendTrust(known, files).files).toHaveLength(4);
    // A device that enrols later knows the newest roots only.
    expect(beginTrust(files, { deployment: 7, root: rootFingerprint(fourth.root) }).files).toHaveLength(1);
  });

  test.each<[string, string, () => unknown]>([
    [
      "other roots",
      "wrong-root",
      () => beginTrust([signedTrust(trustFileOf({ ...keys, root: stranger }), stranger)], anchor),
    ],
    [
      "roots that did not sign",
      "too-few-signatures",
      () => beginTrust([signedTrust(first, stranger)], anchor),
    ],
    [
      "another deployment",
      "other-deployment",
      () => beginTrust([signedTrust({ ...first, deployment: 8 }, root)], anchor),
    ],
    [
      "a version that the old roots did not sign",
      "too-few-signatures",
      () => {
        const taken = next(first, { root: { threshold: 1, keys: [stranger.key] } });
        return beginTrust([signedTrust(first, root), signedTrust(taken, stranger)], anchor);
      },
    ],
    [
      "one signature given twice for a threshold of two",
      "too-few-signatures",
      () => {
        const two = trustFileOf(keys, { root: { threshold: 2, keys: [root.key, root2.key] } });
        return beginTrust([signedTrust(two, root, root)], {
          deployment: 7,
          root: rootFingerprint(two.root),
        });
      },
    ],
    [
      "a root key named twice",
      "malformed",
      () => {
        const two = trustFileOf(keys, { root: { threshold: 2, keys: [root.key, root.key] } });
        return beginTrust([signedTrust(two, root)], { deployment: 7, root: rootFingerprint(two.root) });
      },
    ],
    [
      "a gap",
      "gap",
      () => beginTrust([signedTrust(first, root), signedTrust({ ...first, version: 3 }, root)], anchor),
    ],
  ])("refuses %s", (_, code, make) => {
    expect(codeOf(make)).toBe(code);
  });

  test("keeps the newer version when an older one is given", () => {
    const second = next(first, { operators: [] });
    const chain = beginTrust([signedTrust(first, root), signedTrust(second, root)], anchor);
    expect(extendTrust(chain, [signedTrust(first, root)]).current.version).toBe(2);
  });

  test("is sent in parts, from the newest one to a reader without any", () => {
    const files = Array.from({ length: 1_500 }, (_, at) => ({ payload: String(at + 1), signatures: [] }));
    const chain = { files, current: { ...first, version: 1_500 } };
    const sent = (version: number): [number, string | undefined, string | undefined] => {
      const part = filesAfter(chain, version);
      return [part.length, part[0]?.payload, part.at(-1)?.payload];
    };
    expect(sent(0)).toEqual([1_000, "501", "1500"]);
    expect(sent(3)).toEqual([1_000, "4", "1003"]);
    expect(sent(1_499)).toEqual([1, "1500", "1500"]);
    expect([sent(1_500), sent(9_999)]).toEqual([
      [0, undefined, undefined],
      [0, undefined, undefined],
    ]);
  });

  test("gives a publisher's key only the packages it is for", () => {
    const file = trustFileOf(keys, { publishers: [{ key: publisher.key, packages: ["office-*"] }] });
    expect(publisherKeysFor(file, "Office-Fonts")).toHaveLength(1);
    expect(publisherKeysFor(file, "editor")).toEqual([]);
  });
});

describe("an order", () => {
  const order = taskOrderOf();
  const check = (
    given: object = order,
    trust: TrustFile = first,
    signers = [operator],
    device: TargetView | null = me,
  ) => checkOrder("task", signStatementOf("task", given, signers), { trust, nowMs, device });

  test("of a listed operator is obeyed", () => {
    expect(check()).toEqual(order);
    expect(check({ ...order, later: "a field of a later version" })).toEqual(order);
  });

  const oneOperator = {
    key: operator.key,
    actions: [] as string[],
    target: "all",
    expiresAtMs: null as number | null,
  };
  test.each<[string, string, () => unknown]>([
    ["nobody signed", "too-few-signatures", () => check(order, first, [])],
    ["a stranger signed", "too-few-signatures", () => check(order, first, [stranger])],
    ["a publisher signed", "too-few-signatures", () => check(order, first, [publisher])],
    [
      "is signed as another kind",
      "too-few-signatures",
      () =>
        checkOrder("task", signStatementOf("setting", order, [operator]), {
          trust: first,
          nowMs,
          device: me,
        }),
    ],
    ["is of another deployment", "other-deployment", () => check({ ...order, deployment: 8 })],
    ["has expired", "expired", () => check({ ...order, expiresAtMs: nowMs })],
    [
      "was signed by a key that has expired",
      "expired",
      () => check(order, trustFileOf(keys, { operators: [{ ...oneOperator, expiresAtMs: nowMs }] })),
    ],
    [
      "was signed by a key for other actions",
      "out-of-scope",
      () => check(order, trustFileOf(keys, { operators: [{ ...oneOperator, actions: ["pre-cache"] }] })),
    ],
    [
      "was signed by a key for other devices",
      "out-of-scope",
      () => check(order, trustFileOf(keys, { operators: [{ ...oneOperator, target: "os=windows" }] })),
    ],
    [
      "was signed by a key for devices with a tag, and does not name the tag",
      "out-of-scope",
      () => check(order, trustFileOf(keys, { operators: [{ ...oneOperator, target: "tag=lab" }] })),
    ],
    [
      "was signed by a key for named devices, and names another one",
      "out-of-scope",
      () =>
        check(
          { ...order, target: "pc-3" },
          trustFileOf(keys, { operators: [{ ...oneOperator, target: "pc-8,pc-9" }] }),
        ),
    ],
    [
      "needs two signatures",
      "too-few-signatures",
      () => check(order, trustFileOf(keys, { orderThreshold: 2 })),
    ],
    [
      "one key signed that is listed twice, of two",
      "too-few-signatures",
      () => check(order, trustFileOf(keys, { orderThreshold: 2, operators: [oneOperator, oneOperator] })),
    ],
    ["names other device ids", "not-targeted", () => check({ ...order, target: "ffffffffffffffff" })],
    ["names another subnet", "not-targeted", () => check({ ...order, target: "subnet=10.9.0.0/16" })],
    ["names another system", "not-targeted", () => check({ ...order, target: "tag=lab and os=windows" })],
    ["has a target that cannot be read", "not-targeted", () => check({ ...order, target: "((" })],
    [
      "is not JSON",
      "malformed",
      () => checkOrder("task", { payload: "{", signatures: [] }, { trust: first, nowMs, device: me }),
    ],
    ["has no command field", "malformed", () => check({ ...order, command: undefined })],
  ])("that %s is refused", (_, code, make) => {
    expect(codeOf(make)).toBe(code);
  });

  test("counts where the device cannot know better: names, tags, results", () => {
    for (const target of ["other-name", "tag=lab", "not tag=lab", "site=none", "lacks=editor", "failed-in=3"])
      expect(codeOf(() => check({ ...order, target }))).toBe("accepted");
  });

  test("of a key for devices with a tag is obeyed if its target names the tag", () => {
    const trust = trustFileOf(keys, { operators: [{ ...oneOperator, target: "tag=lab" }] });
    for (const target of ["tag=lab", "group:LAB", "tag=lab and os=linux"])
      expect(codeOf(() => check({ ...order, target }, trust))).toBe("accepted");
  });

  test("of two operators passes a threshold of two, one after the other", () => {
    const trust = trustFileOf(keys, {
      orderThreshold: 2,
      operators: [oneOperator, { ...oneOperator, key: operator2.key }],
    });
    const begun = signStatementOf("task", order, [operator]);
    const whole = withSignatures(begun, signStatementOf("task", order, [operator2, operator]));
    expect(whole.signatures).toHaveLength(2);
    expect(checkOrder("task", whole, { trust, nowMs, device: null }).taskId).toBe(1);
  });

  test("that has a field of a later version is not signed unseen", () => {
    const known = [order, { ...order, shell: "evil" }].map((given) =>
      hasOnlyKnownFields(signStatementOf("task", given, []), order),
    );
    expect(known).toEqual([true, false]);
  });

  test("that was changed after it was signed has no signature", () => {
    const signed = signStatementOf("task", order, [operator]);
    const changed = { ...signed, payload: signed.payload.replace("./install.sh", "./remove.sh") };
    expect(signersOf("task", changed, [operator.key]).size).toBe(0);
  });

  test("differs from what is wanted only in fields that were named", () => {
    const { payload } = signStatementOf("task", order, []);
    const read = readOrder("task", { payload, signatures: [] });
    expect(differencesOf<"task">(read, { command: "./install.sh", notWhile: [] })).toEqual([]);
    expect(differencesOf<"task">(read, { command: "./other.sh", target: "all" })).toEqual(["command"]);
  });

  test("has a sequence that rises also when the clock was set back", () => {
    expect(nextSequence(5, 10)).toBe(10);
    expect(nextSequence(10, 5)).toBe(11);
  });
});
