/**
 * Signatures of the command line under orders: key files sign what order-review.ts allows, or what
 * a person has read.
 */
import { imageOrderText } from "../../model/image-order.ts";
import { createHash } from "node:crypto";
import { createInterface } from "node:readline/promises";
import {
  beginTrust,
  freshnessValidityMs,
  nextSequence,
  signerAheadMs,
  signStatementOf,
  signText,
  TrustError,
  type OrderContent,
  type SigningKey,
  type TaskOrder,
  type TrustFile,
} from "../../model/trust/index.ts";
import type { OrderSubject } from "../../api/trust-client.ts";
import type { NeededView } from "../../api/schema/trust.ts";
import type { AdminClient } from "../../api/agent-client.ts";
import { printNote } from "../../standard-output.ts";
import { CommandError } from "./command-error.ts";
import { connect, type ConnectOptions } from "./connect.ts";
import { readKeyFiles } from "./key-files.ts";
import { countText } from "./setting-text.ts";
import { checkPackage, contentOf, isBegun, reviewed, subjectText, type Asked } from "./order-review.ts";

export type SignOptions = { readonly operatorKey?: readonly string[] | undefined };

/** Returns the key files of `--operator-key`, or of the environment. */
export function operatorKeyFiles({ operatorKey }: SignOptions): readonly string[] {
  if (operatorKey !== undefined && operatorKey.length > 0) return operatorKey;
  const file = process.env["FLOCKCAST_OPERATOR_KEY"];
  return file ? [file] : [];
}

/**
 * Connects for a change that may need a signature. A key that cannot be read ends the command
 * before anything is changed.
 */
export async function connectToSign(options: SignOptions & ConnectOptions): Promise<AdminClient> {
  await readKeyFiles(operatorKeyFiles(options), "operator's key");
  return connect(options);
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

/** Tells how to sign an order that nobody signs now. */
export function warnUnsigned(subject: OrderSubject): void {
  printNote(
    `warning: no device obeys ${subjectText(subject)} until it is signed: trust sign --all --operator-key FILE`,
  );
}

/**
 * Signs the order of a record if the source could not, or tells how to sign it.
 * @throws CommandError when the source states something else than was asked for
 */
export async function signIfNeeded(
  client: AdminClient,
  subject: OrderSubject,
  options: SignOptions,
  asked: Asked,
): Promise<void> {
  const files = operatorKeyFiles(options);
  if (files.length === 0) return warnUnsigned(subject);
  const keys = await readKeyFiles(files, "operator's key");
  try {
    const trust = await trustOf(client);
    const [needed] = await client.neededOrders(subject);
    if (needed === undefined) return;
    const content = await reviewed(client, trust, { subject, needed, asked });
    await give(client, trust, [{ needed, content }], keys);
  } catch (error) {
    // The change itself is made.
    warnUnsigned(subject);
    throw error;
  }
}

type Reviewed = { readonly needed: NeededView; readonly content: OrderContent<NeededView["kind"]> };

/** Signs orders and freshness, and gives them to the source. */
async function give(
  client: AdminClient,
  trust: TrustFile,
  orders: readonly Reviewed[],
  keys: readonly SigningKey[],
): Promise<void> {
  const issuedAtMs = Date.now();
  const { lastSequence } = await client.trust();
  if (lastSequence > issuedAtMs + signerAheadMs)
    throw new CommandError("The source's last order lies more than a day ahead: check this machine's clock");
  let sequence = lastSequence;
  const signed = orders.map(({ needed, content }) => {
    const { kind, subject, pending } = needed;
    if (pending !== null && isBegun(needed, content, trust))
      return { kind, subject, signed: signText(kind, pending.payload, keys) };
    sequence = nextSequence(sequence, issuedAtMs);
    const order = { format: 1, ...content, sequence, issuedAtMs };
    return { kind, subject, signed: signStatementOf(kind, order, keys) };
  });
  for (const { needed, content } of orders) printNote(`signs ${summary(needed.kind, content)}`);
  for (const { isComplete, ...subject } of await client.giveOrders(signed))
    if (!isComplete)
      printNote(
        `warning: ${subjectText(subject)} needs the signature of another operator: trust sign --all --operator-key FILE`,
      );
  await renewFreshness(client, keys);
}

/** Returns an order in words, without the fields that are seldom set. */
function summary(kind: NeededView["kind"], content: OrderContent<NeededView["kind"]>): string {
  if (kind === "assignments") {
    const { assignments } = content as OrderContent<"assignments">;
    const list = assignments.map(({ setting, target }) => `${setting} to ${target}`).join("; ");
    return `the assignments of settings: ${list || "none"}`;
  }
  if (kind === "setting") {
    const { name, version, differences } = content as OrderContent<"setting">;
    return `setting ${name}, version ${version}: ${JSON.stringify(differences)}`;
  }
  const order = content as OrderContent<"task">;
  const { taskId, packageName, packageVersion, action, command, run, target, startAtMs, expiresAtMs } = order;
  const what = run ?? command;
  const times = [startAtMs, expiresAtMs].map((ms) => new Date(ms).toISOString()).join(" to ");
  const lower = order.allowDowngrade ? ", also below a higher version" : "";
  const disk = order.image == null ? "" : ` ${imageOrderText(order.image)}`;
  return `task ${taskId}: ${action} ${packageName} ${packageVersion}${disk}${what === null ? "" : ` "${what}"`} on ${target}, ${times}${lower}`;
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

/** Orders that records need, as the source states them. */
async function allNeeded(client: AdminClient, trust: TrustFile): Promise<Reviewed[]> {
  const orders = (await client.neededOrders()).map((needed) => ({ needed, content: contentOf(needed) }));
  for (const { needed, content } of orders) {
    if (content.deployment !== trust.deployment)
      throw new CommandError("The source states an order of another deployment: nothing was signed");
    if (needed.kind === "task") await checkPackage(client, trust, content as TaskOrder);
  }
  return orders;
}

async function giveAll(
  client: AdminClient,
  keys: readonly SigningKey[],
  orders: Reviewed[],
): Promise<number> {
  const trust = await trustOf(client);
  for (let at = 0; at < orders.length; at += 200) await give(client, trust, orders.slice(at, at + 200), keys);
  return orders.length;
}

/**
 * Signs all orders that records need, as a source states them that held the keys until now.
 * @returns their number
 */
export const signAllNeeded = async (client: AdminClient, keys: readonly SigningKey[]): Promise<number> =>
  giveAll(client, keys, await allNeeded(client, await trustOf(client)));

/**
 * Signs all orders that records need, once a person has read them: the source may state anything.
 * @param code of the list that was read; undefined: the person is asked
 * @returns their number
 * @throws CommandError with the code, if nobody can be asked
 */
export async function signAllRead(
  client: AdminClient,
  keys: readonly SigningKey[],
  code: string | undefined,
): Promise<number> {
  const orders = await allNeeded(client, await trustOf(client));
  if (orders.length === 0) return 0;
  const lines = orders.map(({ needed, content }) => `${subjectText(needed)}: ${JSON.stringify(content)}`);
  const own = createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 16);
  if (code !== own) {
    for (const [at, { needed, content }] of orders.entries()) {
      printNote(summary(needed.kind, content));
      printNote(`  ${lines[at]}`);
    }
    if (!process.stdin.isTTY)
      throw new CommandError(
        `Nothing was signed. Read the ${countText(lines.length, "order")} above, then sign with --confirm ${own}`,
      );
    await confirm(`Sign ${lines.length === 1 ? "this order" : `these ${lines.length} orders`}? [y/N] `);
  }
  return giveAll(client, keys, orders);
}

export async function confirm(question: string): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(question);
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError("Nothing was signed");
}
