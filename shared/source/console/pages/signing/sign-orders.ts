/**
 * Signs the orders of changes that the person of this browser made. The source states each order;
 * the checks of model/trust/order-review.ts decide whether it is what the person asked for.
 */
import type { NeededList, NeededView, OrdersAnswer, TrustView } from "../../../../api/schema/trust.ts";
import type { manifestResponseSchema } from "../../../../api/schema/agent.ts";
import type * as v from "valibot";
import { base64Bytes, hexOf } from "../../../../model/byte-text.ts";
import { ManifestError } from "../../../../model/manifest-error.ts";
import { readManifestHead } from "../../../../model/manifest-head.ts";
import {
  freshnessValidityMs,
  nextSequence,
  signerAheadMs,
  type TaskOrder,
} from "../../../../model/trust/order.ts";
import { checkOrderWith } from "../../../../model/trust/order-check.ts";
import {
  checkAskedPackage,
  checkPackageFacts,
  contentOf,
  isBegunOrder,
  reviewOrder,
  type Asked,
  type PackageFacts,
  type ReviewedContent,
  type ReviewSubject,
} from "../../../../model/trust/order-review.ts";
import { ReviewError } from "../../../../model/trust/review-error.ts";
import type { Signed } from "../../../../model/trust/statement.ts";
import { publishersFor } from "../../../../model/trust/trust-content.ts";
import { TrustError } from "../../../../model/trust/trust-error.ts";
import { ask, ConsoleError, RequestError } from "../request.ts";
import { may } from "../session.ts";
import { isOperator, openSigner, type Signer } from "./signer.ts";
import { isManifestSignature, packageIdOf, signTextWith, verifiedSigners } from "./statements.ts";
import { signingMessages } from "./words.ts";

type ManifestResponse = v.InferOutput<typeof manifestResponseSchema>;

/**
 * - `signed`: devices get the order
 * - `begun`: it needs the signatures of further operators
 * - `waiting`: this browser has no key that may sign
 */
export type SignOutcome = "signed" | "begun" | "waiting";

/** An order as the source states it, and what was read of it. */
export type ReadOrder = { readonly needed: NeededView; readonly content: ReviewedContent };

const maySign = (): boolean => may("POST /v1/trust/orders") && may("GET /v1/trust/needed");

/** Returns the signer if the trust file lists the key of this browser as an operator's. */
async function operatorSigner(): Promise<Signer | null> {
  if (!maySign()) return null;
  const signer = await openSigner();
  return signer !== null && isOperator(signer.trust, signer.key.key, Date.now()) ? signer : null;
}

const queryOf = ({ kind, subject }: ReviewSubject): string =>
  new URLSearchParams({ kind, subject }).toString();

/** Shows refusals of the checks in the language of the viewer. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  const words = signingMessages.value;
  try {
    return await work();
  } catch (error) {
    if (error instanceof ReviewError)
      throw new ConsoleError(words.refusals[error.code](error.words), words.refusedHint);
    if (error instanceof TrustError || error instanceof ManifestError)
      throw new ConsoleError(words.refused(error.message), words.refusedHint);
    throw error;
  }
}

/**
 * Signs the order of a change, if this browser holds a key for it.
 * @throws ConsoleError when the source states something else than was asked for
 */
export function signChange(subject: ReviewSubject, asked: Asked): Promise<SignOutcome> {
  return refusing(async () => {
    const signer = await operatorSigner();
    if (signer === null) return "waiting";
    const { trust } = signer;
    const { needed: list } = await ask<NeededList>("GET", `/v1/trust/needed?${queryOf(subject)}`);
    const [needed] = list;
    if (needed === undefined) return "signed";
    const before =
      asked.kind === "new"
        ? null
        : (await ask<{ signed: Signed | null }>("GET", `/v1/trust/order?${queryOf(subject)}`)).signed;
    const signersOf = await verifiedSigners(before === null ? [] : [[subject.kind, before]]);
    const content = reviewOrder({ trust, subject, needed, asked, before, signersOf, nowMs: Date.now() });
    if (needed.kind === "task") {
      checkAskedPackage(content as TaskOrder, asked);
      await checkPackage(signer, content as TaskOrder);
    }
    return give(signer, [{ needed, content }]);
  });
}

/** As `signChange`, for a change that the source has stored already: a problem is an outcome. */
export const signStored = (subject: ReviewSubject, asked: Asked): Promise<SignOutcome | RequestError> =>
  signChange(subject, asked).catch((problem: unknown) => {
    if (problem instanceof RequestError) return problem;
    throw problem;
  });

/** @throws ReviewError or ManifestError when the package is not the one of its name and version */
async function checkPackage({ trust }: Signer, order: TaskOrder): Promise<void> {
  checkPackageFacts(order, await packageFacts(order, publishersFor(trust, order.packageName)));
}

/** @throws ManifestError when no listed publisher signed the manifest */
async function packageFacts(
  { packageId }: Pick<TaskOrder, "packageId">,
  publishers: readonly string[],
): Promise<PackageFacts> {
  const answer = await ask<ManifestResponse>("GET", `/v1/packages/${packageId}/manifest`);
  const [manifest, signature] = [base64Bytes(answer.manifest), base64Bytes(answer.signature)];
  const key = hexOf(base64Bytes(answer.publisherKey));
  const isSigned = publishers.includes(key) && (await isManifestSignature(manifest, key, signature));
  if (!isSigned) throw new ManifestError("no publisher of the trust file has signed the package");
  return { id: await packageIdOf(manifest), ...readManifestHead(manifest) };
}

/**
 * Reads the orders that records need, for a person who decides whether to sign them. The words that
 * are shown come from `content`, which is what `signRead` signs.
 */
export function readOrders(list: readonly NeededView[]): Promise<ReadOrder[]> {
  return refusing(async () => list.map((needed) => ({ needed, content: contentOf(needed) })));
}

/**
 * Signs orders that a person has read.
 * @throws ConsoleError for an order of another deployment, or a package that is another one
 */
export function signRead(orders: readonly ReadOrder[]): Promise<SignOutcome> {
  return refusing(async () => {
    const signer = await operatorSigner();
    return signer === null ? "waiting" : signAllRead(signer, orders);
  });
}

async function signAllRead(signer: Signer, orders: readonly ReadOrder[]): Promise<SignOutcome> {
  for (const { content, needed } of orders) {
    if (content.deployment !== signer.trust.deployment) throw new ReviewError("differs", ["deployment"]);
    if (needed.kind === "task") await checkPackage(signer, content as TaskOrder);
  }
  return give(signer, orders);
}

/** Signs all orders that a source needs which held the keys until now. */
export function signAllOf(signer: Signer): Promise<SignOutcome> {
  return refusing(async () => {
    const { needed } = await ask<NeededList>("GET", "/v1/trust/needed");
    return signAllRead(signer, await readOrders(needed));
  });
}

/** Orders of one request. */
const ordersMax = 200;

async function give(signer: Signer, orders: readonly ReadOrder[]): Promise<SignOutcome> {
  let isComplete = true;
  let { lastSequence } = signer;
  for (let at = 0; at < orders.length; at += ordersMax) {
    const given = await signedOrders({ ...signer, lastSequence }, orders.slice(at, at + ordersMax));
    const answer = await ask<OrdersAnswer>("POST", "/v1/trust/orders", { orders: given });
    isComplete &&= answer.orders.every((one) => one.isComplete);
    lastSequence = (await ask<TrustView>("GET", "/v1/trust")).lastSequence;
  }
  await renewFreshness({ ...signer, lastSequence });
  return isComplete ? "signed" : "begun";
}

type GivenOrder = ReviewSubject & { readonly signed: Signed };

async function signedOrders(
  { key, trust, lastSequence }: Signer,
  orders: readonly ReadOrder[],
): Promise<GivenOrder[]> {
  const nowMs = Date.now();
  if (lastSequence > nowMs + signerAheadMs) throw new ConsoleError(signingMessages.value.problems.ahead);
  let sequence = lastSequence;
  const given: GivenOrder[] = [];
  for (const { needed, content } of orders) {
    const { kind, subject, pending } = needed;
    const begun = await verifiedSigners(pending === null ? [] : [[kind, pending]]);
    const isBegun = isBegunOrder(needed, content, { trust, signersOf: begun, nowMs });
    if (!isBegun) sequence = nextSequence(sequence, nowMs);
    const payload = isBegun
      ? pending!.payload
      : JSON.stringify({ format: 1, ...content, sequence, issuedAtMs: nowMs });
    const signed = await signTextWith(kind, payload, key);
    // The rights of the key are checked before the source sees a signature.
    const signersOf = await verifiedSigners([[kind, signed]]);
    try {
      checkOrderWith(kind, signed, { trust, nowMs, device: null, signersOf });
    } catch (error) {
      if (!(error instanceof TrustError) || error.code !== "too-few-signatures") throw error;
    }
    given.push({ kind, subject, signed });
  }
  return given;
}

/** Signs the word that nothing newer was kept back. @returns its end */
export async function renewFreshness({ key, trust, lastSequence: sequence }: Signer): Promise<number> {
  const issuedAtMs = Date.now();
  const expiresAtMs = issuedAtMs + freshnessValidityMs;
  const { deployment, version: trustVersion } = trust;
  const statement = { format: 1, deployment, sequence, issuedAtMs, trustVersion, expiresAtMs };
  const signed = await signTextWith("freshness", JSON.stringify(statement), key);
  await ask("POST", "/v1/trust/freshness", { signed });
  return expiresAtMs;
}

/** As `renewFreshness`, with the key of this browser. @returns null: it has none that may sign */
export async function renewOwnFreshness(): Promise<number | null> {
  const signer = await operatorSigner();
  return signer === null ? null : renewFreshness(signer);
}
