/**
 * Decides whether an order counts: by the signatures of operator keys that may sign it, the
 * deployment, the times, and what a device knows of itself about the target. Pure: the runtime
 * gives the check of signatures.
 */
import {
  isWithinTarget,
  parseTarget,
  TargetError,
  truthOf,
  type TargetView,
  type Truth,
} from "../target/index.ts";
import {
  actionOf,
  freshnessValidityMaxMs,
  readOrder,
  type Freshness,
  type Order,
  type OrderKind,
  type Orders,
} from "./order.ts";
import type { Signed, SignersOf } from "./statement.ts";
import { TrustError } from "./trust-error.ts";
import type { Operator, TrustFile } from "./trust-content.ts";

const timeText = (ms: number): string => new Date(ms).toISOString();

const isAll = (target: string): boolean => {
  try {
    return parseTarget(target).kind === "all";
  } catch (error) {
    if (error instanceof TargetError) return false;
    throw error;
  }
};

export type OrderCheck = {
  readonly trust: TrustFile;
  readonly nowMs: number;
  /** The device that checks; null: the source, or a person. */
  readonly device: TargetView | null;
};

/**
 * Returns whether a target matches; null: not known. A text that cannot be read matches nothing.
 */
export function matchOf(text: string, device: TargetView): Truth {
  try {
    return truthOf(parseTarget(text), device);
  } catch (error) {
    if (error instanceof TargetError) return false;
    throw error;
  }
}

/**
 * Verifies an order and returns its content.
 * @throws TrustError
 */
export function checkOrderWith<K extends OrderKind>(
  kind: K,
  signed: Signed,
  check: OrderCheck & { readonly signersOf: SignersOf },
): Orders[K] {
  const order = readOrder(kind, signed);
  const { trust, nowMs, device } = check;
  if (order.deployment !== trust.deployment)
    throw new TrustError("other-deployment", "the order is for another deployment");
  checkSigners(kind, signed, order, check);
  if (kind === "freshness") checkValidity(order as Freshness);
  if (kind !== "task") return order;
  const task = order as Orders["task"];
  if (nowMs >= task.expiresAtMs)
    throw new TrustError(
      "expired",
      `the order expired at ${timeText(task.expiresAtMs)}; now is ${timeText(nowMs)}`,
    );
  if (device !== null && matchOf(task.target, device) === false)
    throw new TrustError("not-targeted", "the order is for other devices");
  return order;
}

/** A stolen key must not make devices content with silence for ever. */
function checkValidity({ issuedAtMs, expiresAtMs }: Freshness): void {
  if (expiresAtMs - issuedAtMs <= freshnessValidityMaxMs) return;
  throw new TrustError("malformed", "a statement of freshness is valid for 92 days at most");
}

function checkSigners(
  kind: OrderKind,
  signed: Signed,
  order: Order,
  check: OrderCheck & { readonly signersOf: SignersOf },
): void {
  const { operators, orderThreshold, version } = check.trust;
  const keys = operators.map(({ key }) => key);
  const found = check.signersOf(kind, signed, keys);
  const signers = operators.filter(({ key }) => found.has(key));
  const problems = signers.map((operator) => operatorProblem(operator, kind, order, check));
  // A key that is listed twice, with two scopes, is one signer.
  const count = new Set(signers.filter((_, at) => problems[at] === null).map(({ key }) => key)).size;
  // A statement of freshness allows nothing: one key is enough for it.
  const needed = kind === "freshness" ? 1 : orderThreshold;
  if (count >= needed) return;
  const problem = problems.find((one) => one !== null);
  if (problem) throw problem;
  throw new TrustError(
    "too-few-signatures",
    `${count} of ${needed} signatures of operator keys that version ${version} of the trust file lists`,
  );
}

/** Returns why a key does not count for an order; null: it does. */
export function operatorProblem(
  { expiresAtMs, actions, target }: Operator,
  kind: OrderKind,
  order: Order,
  { nowMs, device }: OrderCheck,
): TrustError | null {
  if (expiresAtMs !== null && nowMs >= expiresAtMs)
    return new TrustError("expired", "the operator's key has expired");
  const action = actionOf(kind, order);
  if (action !== null && actions.length > 0 && !actions.includes(action))
    return new TrustError("out-of-scope", `the operator's key may not sign: ${action}`);
  if (action === "settings" && !isAll(target))
    return new TrustError("out-of-scope", "settings are for all devices: the operator's key is for some");
  if (device === null || kind !== "task") return null;
  const truth = matchOf(target, device);
  if (truth === false)
    return new TrustError("out-of-scope", "the operator's key does not count for this device");
  // A device does not know its tags and sites: the order has to name those of the key.
  if (truth === null && !isWithinTarget((order as Orders["task"]).target, target))
    return new TrustError(
      "out-of-scope",
      `the operator's key is for ${target}, and the target of the task does not say so`,
    );
  return null;
}
