/**
 * Signatures of the command line under orders. The source states what a record needs; the command
 * compares this with what was asked for before it signs, because the source may lie.
 */
import { packageId as idOf } from "../../model/manifest-codec.ts";
import { verifySigned } from "../../model/signing.ts";
import { taskExpiryMs } from "../../model/task-life.ts";
import {
  beginTrust,
  checkOrder,
  differencesOf,
  freshnessValidityMs,
  nextSequence,
  publisherKeysFor,
  readOrder,
  signStatementOf,
  signText,
  TrustError,
  type OrderContent,
  type Signed,
  type SigningKey,
  type TaskOrder,
  type TrustFile,
} from "../../model/trust/index.ts";
import type { OrderSubject } from "../../api/trust-client.ts";
import type { NeededView } from "../../api/schema/trust.ts";
import type { AdminClient } from "../../api/agent-client.ts";
import { printNote } from "../../standard-output.ts";
import { CommandError } from "./command-error.ts";
import { readKeyFiles } from "./key-files.ts";

export type SignOptions = { readonly operatorKey?: readonly string[] | undefined };

/** A signer's clock may differ this much from the source's. */
const clockDifferenceMs = 86_400_000;

/** Returns the key files of `--operator-key`, or of the environment. */
export function operatorKeyFiles({ operatorKey }: SignOptions): readonly string[] {
  if (operatorKey !== undefined && operatorKey.length > 0) return operatorKey;
  const file = process.env["FLOCKCAST_OPERATOR_KEY"];
  return file ? [file] : [];
}

/**
 * Returns the trust file of the source, by the roots that the token names.
 * @throws CommandError when no version has these roots
 */
export async function trustOf(client: AdminClient): Promise<TrustFile> {
  const { files, file } = await client.trust();
  if (client.root === null)
    throw new CommandError("The token names no roots of the trust file: copy the text of admin.token again");
  try {
    return beginTrust(files, { deployment: file.deployment, root: client.root }).current;
  } catch (error) {
    if (error instanceof TrustError)
      throw new CommandError(`The trust file of this source does not count: ${error.message}`, 1, {
        cause: error,
      });
    throw error;
  }
}

/** Fields of an order that were asked for; others have to be those of the order before. */
type Wanted = {
  readonly [F in keyof AllContent]?: AllContent[F] | undefined;
};
type AllContent = Omit<OrderContent<"task">, "version"> &
  OrderContent<"setting"> &
  OrderContent<"assignments">;

/**
 * Signs the order of a record if the source could not, or tells how to sign it.
 * @param wanted fields that the person asked for
 * @throws CommandError when the source states something else
 */
export async function signIfNeeded(
  client: AdminClient,
  subject: OrderSubject,
  options: SignOptions,
  wanted: Wanted,
): Promise<void> {
  const files = operatorKeyFiles(options);
  if (files.length === 0) {
    printNote(
      `warning: no device obeys ${subjectText(subject)} until it is signed: trust sign --all --operator-key FILE`,
    );
    return;
  }
  const keys = await readKeyFiles(files, "operator's key");
  const trust = await trustOf(client);
  const [needed] = await client.neededOrders(subject);
  if (needed === undefined) return;
  const before = await client.orderOf(subject);
  await check(client, trust, needed, baseOf(trust, needed, before), wanted);
  await give(client, [needed], keys);
}

const subjectText = ({ kind, subject }: OrderSubject): string =>
  kind === "assignments" ? "the assignments of settings" : `${kind} ${subject}`;

/** Content of the order before, if operators signed it. An order that has expired counts too. */
function baseOf(trust: TrustFile, { kind }: NeededView, before: Signed | null): Wanted {
  if (before === null) return {};
  try {
    const {
      sequence: _,
      issuedAtMs: _at,
      format: _format,
      ...content
    } = checkOrder(kind, before, {
      trust,
      nowMs: 0,
      device: null,
    });
    return content as Wanted;
  } catch (error) {
    if (error instanceof TrustError) return {};
    throw error;
  }
}

async function check(
  client: AdminClient,
  trust: TrustFile,
  needed: NeededView,
  base: Wanted,
  wanted: Wanted,
): Promise<void> {
  const { version: _, attempts: _attempts, ...kept } = base as Partial<TaskOrder> & { version?: number };
  const all = { ...kept, ...wanted, deployment: trust.deployment };
  // Null: the source chooses.
  const expected = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const differing = differencesOf(needed.content as never, expected as never);
  if (differing.length > 0)
    throw new CommandError(
      `The source states another ${differing.join(", ")} than was asked for: nothing was signed`,
    );
  if (needed.kind !== "task") return;
  const order = needed.content as unknown as TaskOrder;
  checkTimes(order, expected);
  await checkPackage(client, trust, order);
}

/** Checks the times that the source chose. */
function checkTimes({ startAtMs, expiresAtMs }: TaskOrder, given: Wanted): void {
  const isNow = Math.abs(startAtMs - Date.now()) <= clockDifferenceMs;
  if (given.startAtMs === undefined && !isNow)
    throw new CommandError("The source states another start than now: check this machine's clock");
  if (given.expiresAtMs === undefined && expiresAtMs - startAtMs > taskExpiryMs + clockDifferenceMs)
    throw new CommandError("The source states a later expiry than 90 days after the start");
}

/** @throws CommandError when the package is not the one of its name and version */
async function checkPackage(client: AdminClient, trust: TrustFile, order: TaskOrder): Promise<void> {
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

/** Signs orders and freshness, and gives them to the source. */
async function give(
  client: AdminClient,
  needed: readonly NeededView[],
  keys: readonly SigningKey[],
): Promise<void> {
  const issuedAtMs = Date.now();
  const { lastSequence } = await client.trust();
  if (lastSequence > issuedAtMs + clockDifferenceMs)
    throw new CommandError("The source's last order lies more than a day ahead: check this machine's clock");
  let sequence = lastSequence;
  const orders = needed.map(({ kind, subject, content, pending }) => {
    if (pending !== null) return { kind, subject, signed: signText(kind, pending.payload, keys) };
    sequence = nextSequence(sequence, issuedAtMs);
    const order = { format: 1, ...content, sequence, issuedAtMs };
    return { kind, subject, signed: signStatementOf(kind, order, keys) };
  });
  for (const one of orders) printNote(`signs ${summary(one.kind, one.signed)}`);
  for (const { isComplete, ...subject } of await client.giveOrders(orders))
    if (!isComplete)
      printNote(
        `warning: ${subjectText(subject)} needs the signature of another operator: trust sign --all --operator-key FILE`,
      );
  await renewFreshness(client, keys);
}

function summary(kind: NeededView["kind"], signed: Signed): string {
  if (kind === "assignments") return "the assignments of settings";
  if (kind === "setting") {
    const { name, version } = readOrder("setting", signed);
    return `setting ${name}, version ${version}`;
  }
  const { taskId, packageName, packageVersion, action, command, run, target } = readOrder("task", signed);
  const what = run ?? command;
  return `task ${taskId}: ${action} ${packageName} ${packageVersion}${what === null ? "" : ` "${what}"`} on ${target}`;
}

/** Signs the statement that the source keeps nothing back. */
export async function renewFreshness(
  client: AdminClient,
  keys: readonly SigningKey[],
  validityMs = freshnessValidityMs,
): Promise<number> {
  const { deployment, version: trustVersion } = await trustOf(client);
  const { lastSequence: sequence } = await client.trust();
  const issuedAtMs = Date.now();
  const expiresAtMs = issuedAtMs + validityMs;
  const statement = { format: 1, deployment, sequence, issuedAtMs, trustVersion, expiresAtMs };
  await client.giveFreshness(signStatementOf("freshness", statement, keys));
  return expiresAtMs;
}

/** Signs all orders that records need, as the source states them. @returns their number */
export async function signAllNeeded(client: AdminClient, keys: readonly SigningKey[]): Promise<number> {
  const trust = await trustOf(client);
  const needed = await client.neededOrders();
  for (const one of needed)
    if (one.kind === "task") await checkPackage(client, trust, one.content as unknown as TaskOrder);
  for (let at = 0; at < needed.length; at += 200) await give(client, needed.slice(at, at + 200), keys);
  return needed.length;
}
