/**
 * Commands `trust`: the keys that may sign for this deployment. Private keys stay in files of the
 * administrator; the source gets signatures only.
 */
import { readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  freshnessValidityMs,
  hasOnlyKnownFields,
  keyName,
  operatorActions,
  parseSigningKey,
  rootFingerprint,
  signersOf,
  signStatementOf,
  signText,
  signedSchema,
  trustFileSchema,
  readPayload,
  withSignatures,
  type Signed,
  type SigningKey,
  type TrustFile,
} from "../../model/trust/index.ts";
import { parseDurationMs } from "../../model/quantity.ts";
import * as v from "valibot";
import type { AdminClient } from "../../api/agent-client.ts";
import { newKeyText } from "../new-key-text.ts";
import { keyTextsIn } from "../trust/signing-keys.ts";
import { printNote } from "../../standard-output.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, sourceOf, type JsonOptions } from "./connect.ts";
import { publicKeyOf, readKeyFile, readKeyFiles, writeKeyFiles } from "./key-files.ts";
import { print, printJson } from "./print.ts";
import {
  confirm,
  operatorKeyFiles,
  renewFreshness,
  signAllNeeded,
  signAllRead,
  trustOf,
  type SignOptions,
} from "./signing.ts";
import { parseTarget, parseTime } from "./tasks.ts";
import { countText } from "./setting-text.ts";
import { assertNewer, noteVersion, trustChanges } from "./trust-review.ts";

type RootOptions = JsonOptions & {
  readonly rootKey?: readonly string[] | undefined;
  /** File for a version that needs the signatures of other roots. */
  readonly draft?: string | undefined;
  /** Operators that have to sign an order from now on. */
  readonly orderThreshold?: string | undefined;
};

type MakeKeyOptions = { readonly out: string; readonly json?: true | undefined };

/** Makes a key of an operator, a publisher or a root, without the source. */
export async function makeKey({ out, json }: MakeKeyOptions): Promise<void> {
  await writeKeyFiles(dirname(out), { [basename(out)]: newKeyText() });
  const { key } = await readKeyFile(out, "key");
  if (json) printJson({ key, file: out });
  else print(key);
}

const whole = (text: string, what: string, max: number): number => {
  if (/^[1-9]\d?$/.test(text) && Number(text) <= max) return Number(text);
  throw new CommandError(`"${text}" is not a ${what}: write a number from 1 to ${max}`, 2);
};

type InitOptions = JsonOptions & {
  readonly out: string;
  readonly roots?: string | undefined;
  readonly threshold?: string | undefined;
};

/** Makes keys on this machine, and hands the deployment over to them. */
export async function initTrust(options: InitOptions): Promise<void> {
  const count = whole(options.roots ?? "1", "number of roots", 16);
  const threshold = whole(options.threshold ?? "1", "threshold", count);
  const client = await connect(options);
  const before = await embeddedFile(client);
  const roots = Array.from({ length: count }, (_, at) => [
    count === 1 ? "root.key" : `root-${at + 1}.key`,
    newKeyText(),
  ]);
  const texts = { ...Object.fromEntries(roots), "publisher.key": newKeyText(), "operator.key": newKeyText() };
  await writeKeyFiles(options.out, texts);
  const keyOf = (name: string): Promise<SigningKey> => readKeyFile(join(options.out, name), "key");
  const rootKeys = await Promise.all(roots.map(([name]) => keyOf(name!)));
  const [publisher, operator] = [await keyOf("publisher.key"), await keyOf("operator.key")];
  // Keys of publishers whose packages are there stay.
  const next = nextOf(before, {
    embedded: false,
    root: { threshold, keys: rootKeys.map(({ key }) => key) },
    publishers: [...before.publishers, { key: publisher.key, packages: [] }],
    operators: [{ key: operator.key, actions: [], target: "all", expiresAtMs: null }],
  });
  await client.giveTrustFiles([signStatementOf("trust", next, rootKeys)]);
  await noteVersion(
    roots.map(([name]) => join(options.out, name!)),
    next,
  );
  await finishMove(client, next, operator, options);
}

/** Moves the keys of a source to this machine, which is that of the source. */
export async function exportTrust(
  options: JsonOptions & { readonly data: string; readonly out: string },
): Promise<void> {
  const texts = await keyTextsIn(options.data);
  if (texts === null)
    throw new CommandError(
      `"${options.data}" holds no signing keys: they were exported, or it is not the folder of serve --data. trust sign --all signs what waits`,
    );
  const client = await connect(options);
  const before = await embeddedFile(client);
  // Another source would add its own signature, and give up keys that nobody has then.
  if (!before.root.keys.includes(parseSigningKey(texts.root).key))
    throw new CommandError(
      `"${options.data}" is the data folder of another source than ${sourceOf(options)}`,
    );
  const files = { "root.key": texts.root, "publisher.key": texts.publisher, "operator.key": texts.operator };
  await writeKeyFiles(options.out, files);
  const root = await readKeyFile(join(options.out, "root.key"), "root key");
  const operator = await readKeyFile(join(options.out, "operator.key"), "operator's key");
  const next = nextOf(before, { embedded: false });
  await client.giveTrustFiles([signStatementOf("trust", next, [root])]);
  await noteVersion([join(options.out, "root.key")], next);
  await finishMove(client, next, operator, options);
}

async function embeddedFile(client: AdminClient): Promise<TrustFile> {
  const { canSign } = await client.trust();
  if (canSign) return trustOf(client);
  throw new CommandError("The keys are not on the source: trust add-key and trust revoke-key change them");
}

async function finishMove(
  client: AdminClient,
  next: TrustFile,
  operator: SigningKey,
  { json, out }: JsonOptions & { readonly out: string },
): Promise<void> {
  const known = { ...client, root: rootFingerprint(next.root) };
  const signed = await signAllNeeded(known, [operator]);
  await renewFreshness(known, [operator]);
  if (json) return printJson({ version: next.version, out, signed });
  print(`version ${next.version}: the source can no longer sign; the keys are in ${out}`);
  print("keep a copy of this folder away from this machine, and destroy older backups of the source");
  print(`sign with --operator-key ${join(out, "operator.key")}, or FLOCKCAST_OPERATOR_KEY`);
}

const nextOf = (file: TrustFile, change: Partial<TrustFile>): TrustFile => ({
  ...file,
  ...change,
  version: file.version + 1,
  issuedAtMs: Date.now(),
});

type AddKeyOptions = RootOptions & {
  readonly role: "root" | "publisher" | "operator";
  readonly packages?: string | undefined;
  readonly actions?: string | undefined;
  readonly target?: string | undefined;
  readonly expires?: string | undefined;
  readonly threshold?: string | undefined;
};

const list = (text: string | undefined): string[] =>
  text === undefined
    ? []
    : text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "");

export async function addTrustKey(words: string, options: AddKeyOptions): Promise<void> {
  const { role } = options;
  const actions = list(options.actions);
  for (const action of actions)
    if (!(operatorActions as readonly string[]).includes(action))
      throw new CommandError(`"${action}" is not an action: ${operatorActions.join(", ")}`, 2);
  if (role !== "operator" && (options.actions ?? options.target ?? options.expires) !== undefined)
    throw new CommandError("--actions, --target and --expires belong to --role operator", 2);
  if (role !== "publisher" && options.packages !== undefined)
    throw new CommandError("--packages belongs to --role publisher", 2);
  const key = await publicKeyOf(words);
  const target = options.target === undefined ? "all" : parseTarget(options.target);
  if (target !== "all" && actions.includes("settings"))
    throw new CommandError("settings are for all devices: a key that signs them has no --target", 2);
  const expiresAtMs = parseTime(options.expires) ?? null;
  const client = await connect(options);
  const file = await trustOf(client);
  if (listed(file).includes(key))
    throw new CommandError(`Key ${keyName(key)} is listed already: revoke it to change its scope`);
  const { publishers, operators, root } = file;
  const change: Partial<TrustFile> =
    role === "publisher"
      ? { publishers: [...publishers, { key, packages: list(options.packages) }] }
      : role === "operator"
        ? { operators: [...operators, { key, actions, target, expiresAtMs }] }
        : { root: withThreshold({ ...root, keys: [...root.keys, key] }, options.threshold) };
  await submit(client, file, nextOf(file, change), options);
}

const listed = ({ root, publishers, operators }: TrustFile): string[] => [
  ...root.keys,
  ...publishers.map(({ key }) => key),
  ...operators.map(({ key }) => key),
];

const withThreshold = (root: TrustFile["root"], text: string | undefined): TrustFile["root"] => ({
  ...root,
  threshold:
    text === undefined
      ? Math.min(root.threshold, root.keys.length)
      : whole(text, "threshold", root.keys.length),
});

export async function revokeTrustKey(
  words: string,
  options: RootOptions & { readonly threshold?: string | undefined },
): Promise<void> {
  const client = await connect(options);
  const file = await trustOf(client);
  const found = listed(file).find((one) => one === words || keyName(one) === words);
  if (found === undefined && /^[0-9a-f]{16}$/.test(words))
    throw new CommandError(`Key ${words} is not listed: trust show lists the keys`);
  const key = found ?? (await publicKeyOf(words));
  if (!listed(file).includes(key))
    throw new CommandError(`Key ${keyName(key)} is not listed: trust show lists the keys`);
  const { root, publishers, operators } = file;
  const keys = root.keys.filter((one) => one !== key);
  if (keys.length === 0) throw new CommandError("The last root key stays: add another one first");
  const next = nextOf(file, {
    root: withThreshold({ ...root, keys }, options.threshold),
    publishers: publishers.filter((one) => one.key !== key),
    operators: operators.filter((one) => one.key !== key),
  });
  await submit(client, file, next, options);
  const unsigned = (await client.trust()).unsigned;
  if (unsigned > 0)
    printNote(
      `warning: ${unsigned} open tasks and settings have no valid signature any more: trust sign --all --operator-key FILE`,
    );
  if (publishers.some((one) => one.key === key))
    printNote(
      "warning: packages that this key signed are refused by devices that lack them: publish them again with another key",
    );
}

/** @throws CommandError when too few operators are left to sign */
function withOrderThreshold(file: TrustFile, text: string | undefined): TrustFile {
  const count = file.operators.length;
  const orderThreshold =
    text === undefined ? file.orderThreshold : whole(text, "threshold of operators", Math.min(count, 8));
  if (orderThreshold <= count || count === 0) return { ...file, orderThreshold };
  throw new CommandError(
    `${orderThreshold} operators have to sign, and ${count} would be left: give --order-threshold, or list another one first`,
  );
}

/** Signs a version and gives it to the source, or writes it for the other roots. */
async function submit(
  client: AdminClient,
  before: TrustFile,
  changed: TrustFile,
  options: RootOptions,
): Promise<void> {
  const next = withOrderThreshold(changed, options.orderThreshold);
  for (const line of trustChanges(before, next)) printNote(line);
  const files = options.rootKey ?? [];
  const keys = await readRootKeys(files, before, next);
  await assertNewer(files, next);
  await giveOrDraft(client, signStatementOf("trust", next, keys), options);
}

async function giveOrDraft(client: AdminClient, signed: Signed, options: RootOptions): Promise<void> {
  const next = readPayload(trustFileSchema, signed);
  const { canSign } = await client.trust();
  const before = await trustOf(client);
  const missing = canSign ? 0 : Math.max(missingRoots(signed, before), missingRoots(signed, next));
  if (missing > 0) {
    if (options.draft === undefined)
      throw new CommandError(
        `The signature of ${countText(missing, "more root key")} is needed: give --root-key FILE once for each, or --draft FILE to pass it on`,
      );
    await writeFile(options.draft, `${JSON.stringify(signed, null, 1)}\n`);
    print(
      `version ${next.version} needs the signature of ${countText(missing, "more root key")}: trust sign ${options.draft} --root-key FILE`,
    );
    return;
  }
  const { version, root } = await client.giveTrustFiles([signed]);
  await noteVersion(options.rootKey ?? [], next);
  if (options.json) printJson({ version, root });
  else print(`version ${version}, roots ${root}`);
}

/**
 * Reads root keys of one of two versions of the trust file.
 * @throws CommandError that names the file with another key
 */
async function readRootKeys(
  files: readonly string[],
  before: TrustFile,
  next: TrustFile,
): Promise<SigningKey[]> {
  const keys = await readKeyFiles(files, "root key");
  const roots = new Set([...before.root.keys, ...next.root.keys]);
  const other = keys.findIndex(({ key }) => !roots.has(key));
  if (other === -1) return keys;
  throw new CommandError(
    `"${files[other]}" has key ${keyName(keys[other]!.key)}, which is not a root key: trust show lists the root keys`,
  );
}

const missingRoots = (signed: Signed, { root }: TrustFile): number =>
  Math.max(0, root.threshold - signersOf("trust", signed, root.keys).size);

type TrustSignOptions = RootOptions &
  SignOptions & {
    readonly all?: true | undefined;
    readonly fresh?: true | undefined;
    readonly valid?: string | undefined;
    /** Code of the list of orders that was read. */
    readonly confirm?: string | undefined;
  };

/** Signs a version of the trust file that others began, all waiting orders, or freshness. */
export async function signTrust(file: string | undefined, options: TrustSignOptions): Promise<void> {
  const wanted = [file !== undefined, options.all === true, options.fresh === true].filter(Boolean);
  if (wanted.length !== 1) throw new CommandError("Give a draft of the trust file, --all or --fresh", 2);
  if (file !== undefined) return signDraft(file, options);
  const validityMs =
    options.valid === undefined ? freshnessValidityMs : usage(() => parseDurationMs(options.valid!));
  const files = operatorKeyFiles(options);
  if (files.length === 0)
    throw new CommandError("Give --operator-key FILE, or set FLOCKCAST_OPERATOR_KEY", 2);
  const keys = await readKeyFiles(files, "operator's key");
  const client = await connect(options);
  const signed = options.all ? await signAllRead(client, keys, options.confirm) : 0;
  const expiresAtMs = await renewFreshness(client, keys, validityMs);
  if (options.json) return printJson({ signed, freshUntilMs: expiresAtMs });
  print(
    `${options.all ? `${countText(signed, "order")} signed; ` : ""}fresh until ${new Date(expiresAtMs).toISOString()}`,
  );
}

async function signDraft(file: string, options: RootOptions): Promise<void> {
  let draft: Signed;
  try {
    draft = v.parse(signedSchema, JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    throw new CommandError(`"${file}" is not a draft of trust add-key: ${(error as Error).message}`, 1, {
      cause: error,
    });
  }
  const files = options.rootKey ?? [];
  if (files.length === 0) throw new CommandError("Give --root-key FILE", 2);
  const client = await connect(options);
  const before = await trustOf(client);
  const next = readPayload(trustFileSchema, draft);
  if (next.version !== before.version + 1 || !hasOnlyKnownFields(draft, next))
    throw new CommandError(
      `"${file}" does not follow version ${before.version} of the trust file: make the draft again with this version of flockcast`,
    );
  const keys = await readRootKeys(files, before, next);
  await assertNewer(files, next);
  for (const line of trustChanges(before, next)) printNote(line);
  if (process.stdin.isTTY) await confirm(`Sign version ${next.version} of the trust file? [y/N] `);
  const signed = withSignatures(draft, signText("trust", draft.payload, keys));
  await giveOrDraft(client, signed, { ...options, draft: options.draft ?? file });
}
