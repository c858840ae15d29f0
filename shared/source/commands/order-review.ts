/**
 * Decides whether a person may sign what the source states: the source may be in the hands of an
 * attacker. Each field has to be what was asked for, or that of the order before, which operators
 * signed; a few that do no harm are the source's.
 */
import { foldedName } from "../../model/glob.ts";
import { packageId as idOf } from "../../model/manifest-codec.ts";
import { verifySigned } from "../../model/signing.ts";
import { taskExpiryMs } from "../../model/task-life.ts";
import {
  checkOrder,
  differencesOf,
  hasContent,
  hasOnlyKnownFields,
  publisherKeysFor,
  readOrder,
  signerAheadMs,
  signersOf,
  TrustError,
  type OrderContent,
  type SettingOrder,
  type Signed,
  type TaskOrder,
  type TrustFile,
} from "../../model/trust/index.ts";
import type { AdminClient } from "../../api/agent-client.ts";
import type { NeededView } from "../../api/schema/trust.ts";
import type { OrderSubject } from "../../api/trust-client.ts";
import { CommandError } from "./command-error.ts";

type Content = OrderContent<NeededView["kind"]>;
type AllContent = OrderContent<"task"> & OrderContent<"setting"> & OrderContent<"assignments">;
/** Fields of an order; undefined: the source chooses the value. */
export type Wanted = { readonly [F in keyof AllContent]?: AllContent[F] | undefined };
/**
 * Request of a person.
 * - `new`: a record that the command has just created; `package`: the words that name it
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

export const subjectText = ({ kind, subject }: OrderSubject): string =>
  kind === "assignments" ? "the assignments of settings" : `${kind} ${subject}`;

/**
 * Returns the fields that an order has to state, without any that this program does not know.
 * @throws CommandError
 */
export function contentOf({ kind, content }: NeededView): Content {
  const payload = JSON.stringify({ ...content, format: 1, sequence: 0, issuedAtMs: 0 });
  try {
    const order = readOrder(kind, { payload, signatures: [] });
    const { format: _, sequence: _sequence, issuedAtMs: _issuedAtMs, ...fields } = order;
    return fields as Content;
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new CommandError(`The source states an order that cannot be read: ${error.message}`, 1, {
      cause: error,
    });
  }
}

/** Returns the order about a subject, which may have expired; null if no operators signed it. */
export function verifiedOrder(
  trust: TrustFile,
  { kind, subject }: OrderSubject,
  signed: Signed | null,
): Wanted | null {
  if (signed === null) return null;
  try {
    const order = checkOrder(kind, signed, { trust, nowMs: 0, device: null });
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
): Promise<Content> {
  if (needed.kind !== subject.kind || needed.subject !== subject.subject)
    throw new CommandError(`The source answers about ${subjectText(needed)}: nothing was signed`);
  const content = contentOf(needed);
  const before = asked.kind === "new" ? {} : verifiedOrder(trust, subject, await client.orderOf(subject));
  if (before === null)
    throw new CommandError(
      `No order of ${subjectText(subject)} is there whose other fields could be compared: trust sign --all shows what the source wants signed`,
    );
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
  if (differing.length > 0)
    throw new CommandError(
      `The source states another ${differing.join(", ")} than was asked for: nothing was signed`,
    );
  if (needed.kind !== "task") return content;
  const task = content as TaskOrder;
  if (task.attempts > attempts + 1)
    throw new CommandError(
      `The source states ${task.attempts} attempts instead of ${attempts + 1}: nothing was signed`,
    );
  checkTimes(task, expected);
  await checkPackage(client, trust, task);
  if (asked.kind === "new" && asked.package !== undefined && !isPackage(task, asked.package))
    throw new CommandError(
      `The source states package ${task.packageName} ${task.packageVersion} instead of ${asked.package}: nothing was signed`,
    );
  return content;
}

const ownFields = ({ kind, subject }: OrderSubject): Wanted =>
  kind === "task" ? { taskId: Number(subject) } : kind === "setting" ? { name: subject } : {};

/** Whether a package is the one of an id, NAME or NAME@VERSION. */
function isPackage({ packageId, packageName, packageVersion }: TaskOrder, words: string): boolean {
  if (/^[0-9a-f]{64}$/.test(words)) return packageId === words;
  const at = words.lastIndexOf("@");
  const isNamed = (name: string): boolean => foldedName(name) === foldedName(packageName);
  return at > 0 && isNamed(words.slice(0, at)) ? words.slice(at + 1) === packageVersion : isNamed(words);
}

/** Checks the times that the source chose. */
function checkTimes({ startAtMs, expiresAtMs }: TaskOrder, given: Wanted): void {
  const isNow = Math.abs(startAtMs - Date.now()) <= signerAheadMs;
  if (given.startAtMs === undefined && !isNow)
    throw new CommandError("The source states another start than now: check this machine's clock");
  if (given.expiresAtMs === undefined && expiresAtMs - startAtMs > taskExpiryMs + signerAheadMs)
    throw new CommandError("The source states a later expiry than 90 days after the start");
}

/** @throws CommandError when the package is not the one of its name and version */
export async function checkPackage(client: AdminClient, trust: TrustFile, order: TaskOrder): Promise<void> {
  const signed = await client.signedManifest(order.packageId);
  const { manifest } = await verifySigned(signed, publisherKeysFor(trust, order.packageName));
  const isIt =
    idOf(signed.manifest) === order.packageId &&
    manifest.name === order.packageName &&
    manifest.version === order.packageVersion;
  if (isIt) return;
  throw new CommandError(
    `Package ${order.packageId} is ${manifest.name} ${manifest.version}, not ${order.packageName} ${order.packageVersion}: nothing was signed`,
  );
}

/**
 * Whether another operator has begun this very order, so that the same text is to be signed. A text
 * of the source's own is not: it may state something else.
 */
export function isBegun({ kind, pending }: NeededView, content: Content, trust: TrustFile): boolean {
  if (pending === null) return false;
  try {
    const order = readOrder(kind, pending);
    const latestMs = Date.now() + signerAheadMs;
    return (
      hasContent(order as never, content as never) &&
      hasOnlyKnownFields(pending, order) &&
      order.sequence <= latestMs &&
      order.issuedAtMs <= latestMs &&
      signersOf(
        kind,
        pending,
        trust.operators.map(({ key }) => key),
      ).size > 0
    );
  } catch (error) {
    if (error instanceof TrustError) return false;
    throw error;
  }
}
