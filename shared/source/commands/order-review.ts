/**
 * Review of orders on the command line: the checks of model/trust/order-review.ts, with what the
 * source answers and the cryptography of this process. A refusal is an error of the command.
 */
import { packageId as idOf } from "../../model/manifest-codec.ts";
import { verifySigned } from "../../model/signing.ts";
import {
  checkAskedPackage,
  checkPackageFacts,
  contentOf as statedContent,
  isBegunOrder,
  publisherKeysFor,
  ReviewError,
  reviewOrder,
  signersOf,
  subjectText,
  verifiedOrderWith,
  type Asked,
  type ReviewedContent,
  type Signed,
  type TaskOrder,
  type TrustFile,
  type Wanted,
} from "../../model/trust/index.ts";
import type { AdminClient } from "../../api/agent-client.ts";
import type { NeededView } from "../../api/schema/trust.ts";
import type { OrderSubject } from "../../api/trust-client.ts";
import { CommandError } from "./command-error.ts";

export { subjectText, type Asked, type Wanted };

/** Lets a refusal end the command. */
function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ReviewError)) throw error;
    throw new CommandError(error.message, 1, { cause: error });
  }
}

/**
 * Returns the fields that an order has to state, without any that this program does not know.
 * @throws CommandError
 */
export const contentOf = (needed: NeededView): ReviewedContent => refusing(() => statedContent(needed));

/** Returns the order about a subject, which may have expired; null if no operators signed it. */
export const verifiedOrder = (
  trust: TrustFile,
  subject: OrderSubject,
  signed: Signed | null,
): Wanted | null => verifiedOrderWith(trust, subject, signed, signersOf);

/**
 * Returns what is to be signed.
 * @throws CommandError when the source states something else than was asked for
 */
export async function reviewed(
  client: AdminClient,
  trust: TrustFile,
  {
    subject,
    needed,
    asked,
  }: { readonly subject: OrderSubject; readonly needed: NeededView; readonly asked: Asked },
): Promise<ReviewedContent> {
  const before = asked.kind === "new" ? null : await client.orderOf(subject);
  const nowMs = Date.now();
  const content = refusing(() => reviewOrder({ trust, subject, needed, asked, before, signersOf, nowMs }));
  if (needed.kind !== "task") return content;
  const task = content as TaskOrder;
  await checkPackage(client, trust, task);
  refusing(() => checkAskedPackage(task, asked));
  return content;
}

/** @throws CommandError when the package is not the one of its name and version */
export async function checkPackage(client: AdminClient, trust: TrustFile, order: TaskOrder): Promise<void> {
  const signed = await client.signedManifest(order.packageId);
  const { manifest } = await verifySigned(signed, publisherKeysFor(trust, order.packageName));
  const { name, version } = manifest;
  refusing(() => checkPackageFacts(order, { id: idOf(signed.manifest), name, version }));
}

/** Whether another operator has begun this very order, so that the same text is to be signed. */
export const isBegun = (needed: NeededView, content: ReviewedContent, trust: TrustFile): boolean =>
  isBegunOrder(needed, content, { trust, signersOf, nowMs: Date.now() });
