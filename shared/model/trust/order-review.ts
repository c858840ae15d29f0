/**
 * Decides whether a person may sign what the source states: the source may be in the hands of an
 * attacker. Each field has to be what was asked for, or that of the order before, which operators
 * signed; a few that do no harm are the source's. Pure: the command line and the console use it.
 */
import { foldedName } from "../glob.ts";
import { taskExpiryMs } from "../task-life.ts";
import {
  differencesOf,
  hasContent,
  hasOnlyKnownFields,
  readOrder,
  signerAheadMs,
  type OrderContent,
  type SettingOrder,
  type TaskOrder,
} from "./order.ts";
import { checkOrderWith } from "./order-check.ts";
import { ReviewError } from "./review-error.ts";
import type { Signed, SignersOf } from "./statement.ts";
import type { TrustFile } from "./trust-content.ts";
import { TrustError } from "./trust-error.ts";

/** Kinds of orders about records of the source. */
export type ReviewedKind = "task" | "setting" | "assignments";
/** `subject`: id of a task, name of a setting, or empty for the assignments. */
export type ReviewSubject = { readonly kind: ReviewedKind; readonly subject: string };
/** An order as the source states it. `pending` has signatures, but too few. */
export type StatedOrder = ReviewSubject & {
  readonly content: Readonly<Record<string, unknown>>;
  readonly pending: Signed | null;
};
export type ReviewedContent = OrderContent<ReviewedKind>;
type AllContent = OrderContent<"task"> & OrderContent<"setting"> & OrderContent<"assignments">;
/** Fields of an order; undefined: the source chooses the value. */
export type Wanted = { readonly [F in keyof AllContent]?: AllContent[F] | undefined };
/**
 * Request of a person.
 * - `new`: a record that was just created; `package`: the words that name it
 * - `changed`: the other fields have to be those of the order before
 */
export type Asked =
  | { readonly kind: "new"; readonly wanted: Wanted; readonly package?: string }
  | { readonly kind: "changed"; readonly wantedOf: (before: Wanted) => Wanted };

/** Fields that the source gives a record. The checks below bound `attempts` and the package. */
const ofTheSource: ReadonlySet<string> = new Set([
  "epoch",
  "createdAtMs",
  "afterEpoch",
  "attempts",
  "version",
  "packageId",
  "packageName",
  "packageVersion",
]);

export const subjectText = ({ kind, subject }: ReviewSubject): string =>
  kind === "assignments" ? "the assignments of settings" : `${kind} ${subject}`;

/**
 * Returns the fields that an order has to state, without any that this program does not know.
 * @throws ReviewError
 */
export function contentOf({ kind, content }: StatedOrder): ReviewedContent {
  const payload = JSON.stringify({ ...content, format: 1, sequence: 0, issuedAtMs: 0 });
  try {
    const order = readOrder(kind, { payload, signatures: [] });
    const { format: _, sequence: _sequence, issuedAtMs: _issuedAtMs, ...fields } = order;
    return fields as ReviewedContent;
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new ReviewError("unreadable", [error.message], error);
  }
}

/** Returns the order about a subject, which may have expired; null if no operators signed it. */
export function verifiedOrderWith(
  trust: TrustFile,
  { kind, subject }: ReviewSubject,
  signed: Signed | null,
  signersOf: SignersOf,
): Wanted | null {
  if (signed === null) return null;
  try {
    const order = checkOrderWith(kind, signed, { trust, nowMs: 0, device: null, signersOf });
    const own = order as Partial<TaskOrder & SettingOrder>;
    const stated = kind === "task" ? String(own.taskId) : kind === "setting" ? own.name : "";
    if (stated !== subject) return null;
    const { format: _, sequence: _sequence, issuedAtMs: _issuedAtMs, ...fields } = order;
    return fields as Wanted;
  } catch (error) {
    if (error instanceof TrustError) return null;
    throw error;
  }
}

export type Review = {
  readonly trust: TrustFile;
  readonly subject: ReviewSubject;
  readonly needed: StatedOrder;
  readonly asked: Asked;
  /** Newest order about the subject, as the source has it. */
  readonly before: Signed | null;
  readonly signersOf: SignersOf;
  /** Clock of the signer. */
  readonly nowMs: number;
};

/**
 * Returns what is to be signed; `checkReviewedPackage` checks the package of a task.
 * @throws ReviewError when the source states something else than was asked for
 */
export function reviewOrder(review: Review): ReviewedContent {
  const { trust, subject, needed, asked, nowMs } = review;
  if (needed.kind !== subject.kind || needed.subject !== subject.subject)
    throw new ReviewError("other-subject", [subjectText(needed)]);
  const content = contentOf(needed);
  const before =
    asked.kind === "new" ? {} : verifiedOrderWith(trust, subject, review.before, review.signersOf);
  if (before === null) throw new ReviewError("no-order-before", [subjectText(subject)]);
  const { version: _, attempts = 0, ...kept } = before;
  const wanted = asked.kind === "new" ? asked.wanted : asked.wantedOf(before);
  const all: Record<string, unknown> = {
    ...kept,
    ...ownFields(subject),
    ...wanted,
    deployment: trust.deployment,
  };
  const expected = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const chosen = Object.keys(content).filter(
    (field) => !Object.hasOwn(all, field) && !ofTheSource.has(field),
  );
  const differing = [...differencesOf(content as never, expected as never), ...chosen];
  if (differing.length > 0) throw new ReviewError("differs", [differing.join(", ")]);
  if (needed.kind !== "task") return content;
  const task = content as TaskOrder;
  if (task.attempts > attempts + 1)
    throw new ReviewError("attempts", [String(task.attempts), String(attempts + 1)]);
  checkTimes(task, expected, nowMs);
  return content;
}

const ownFields = ({ kind, subject }: ReviewSubject): Wanted =>
  kind === "task" ? { taskId: Number(subject) } : kind === "setting" ? { name: subject } : {};

/** Checks the times that the source chose. */
function checkTimes({ startAtMs, expiresAtMs }: TaskOrder, given: Wanted, nowMs: number): void {
  const isNow = Math.abs(startAtMs - nowMs) <= signerAheadMs;
  if (given.startAtMs === undefined && !isNow) throw new ReviewError("start", []);
  if (given.expiresAtMs === undefined && expiresAtMs - startAtMs > taskExpiryMs + signerAheadMs)
    throw new ReviewError("expiry", []);
}

/** Id, name and version of a manifest that a listed publisher signed. */
export type PackageFacts = { readonly id: string; readonly name: string; readonly version: string };

/** @throws ReviewError when the package is not the one of its name and version */
export function checkPackageFacts(order: PackageOfTask, facts: PackageFacts): void {
  const { packageId, packageName, packageVersion } = order;
  if (facts.id === packageId && facts.name === packageName && facts.version === packageVersion) return;
  const stated = `${packageName} ${packageVersion}`;
  throw new ReviewError("package", [packageId, `${facts.name} ${facts.version}`, stated]);
}

type PackageOfTask = Pick<TaskOrder, "packageId" | "packageName" | "packageVersion">;

/** @throws ReviewError when a new task is not about the package that the person named */
export function checkAskedPackage(order: PackageOfTask, asked: Asked): void {
  if (asked.kind !== "new" || asked.package === undefined || isPackage(order, asked.package)) return;
  throw new ReviewError("other-package", [`${order.packageName} ${order.packageVersion}`, asked.package]);
}

/** Whether a package is the one of an id, NAME or NAME@VERSION. */
function isPackage({ packageId, packageName, packageVersion }: PackageOfTask, words: string): boolean {
  if (/^[0-9a-f]{64}$/.test(words)) return packageId === words;
  const at = words.lastIndexOf("@");
  const isNamed = (name: string): boolean => foldedName(name) === foldedName(packageName);
  return at > 0 && isNamed(words.slice(0, at)) ? words.slice(at + 1) === packageVersion : isNamed(words);
}

/**
 * Whether another operator has begun this very order, so that the same text is to be signed. A text
 * of the source's own is not: it may state something else.
 */
export function isBegunOrder(
  { kind, pending }: StatedOrder,
  content: ReviewedContent,
  { trust, signersOf, nowMs }: Pick<Review, "trust" | "signersOf" | "nowMs">,
): boolean {
  if (pending === null) return false;
  try {
    const order = readOrder(kind, pending);
    const latestMs = nowMs + signerAheadMs;
    const operators = trust.operators.map(({ key }) => key);
    return (
      hasContent(order as never, content as never) &&
      hasOnlyKnownFields(pending, order) &&
      order.sequence <= latestMs &&
      order.issuedAtMs <= latestMs &&
      signersOf(kind, pending, operators).size > 0
    );
  } catch (error) {
    if (error instanceof TrustError) return false;
    throw error;
  }
}
