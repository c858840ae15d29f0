/**
 * Next versions of the trust file that a root holder makes or approves in the browser, and their
 * changes in words. The words come from the text that is signed.
 */
import type { TrustView } from "../../../../api/schema/trust.ts";
import { hasOnlyKnownFields } from "../../../../model/trust/order.ts";
import { readPayload, withSignatures, type Signed } from "../../../../model/trust/statement.ts";
import { trustFileSchema, type TrustFile } from "../../../../model/trust/trust-content.ts";
import { TrustError } from "../../../../model/trust/trust-error.ts";
import { ask, ConsoleError } from "../request.ts";
import { count, time } from "../texts.ts";
import type { OpenedKeys } from "./new-keys.ts";
import { believedTrust } from "./signer.ts";
import { keyNameOf, signTextWith, verifiedSigners, type StatementKey } from "./statements.ts";
import { signingMessages } from "./words.ts";

/** Makes the next version out of the present one; its text, with the signatures that it has. */
export type Change = (before: TrustFile) => Promise<Signed>;
/** A version that waits for the signature of a root key which was opened. */
export type Proposal = {
  readonly before: TrustFile;
  readonly draft: Signed;
  readonly next: TrustFile;
  readonly root: StatementKey;
};

const nextOf = (before: TrustFile, change: Partial<TrustFile>): Signed => ({
  payload: JSON.stringify({ ...before, ...change, version: before.version + 1, issuedAtMs: Date.now() }),
  signatures: [],
});
const listed = ({ root, publishers, operators }: TrustFile): string[] => [
  ...root.keys,
  ...publishers.map(({ key }) => key),
  ...operators.map(({ key }) => key),
];

export type ListedRole = "operator" | "publisher" | "root";

/** Lists a key, for all packages, or for all actions on all devices. */
export const listKey =
  (key: string, role: ListedRole): Change =>
  async (before) => {
    if (listed(before).includes(key)) throw new ConsoleError(signingMessages.value.problems.listed);
    const { root, publishers, operators } = before;
    if (role === "root") return nextOf(before, { root: { ...root, keys: [...root.keys, key] } });
    if (role === "publisher") return nextOf(before, { publishers: [...publishers, { key, packages: [] }] });
    return nextOf(before, {
      operators: [...operators, { key, actions: [], target: "all", expiresAtMs: null }],
    });
  };

/** Ends a key, given by its name or as a whole. */
export const endKey =
  (words: string): Change =>
  async (before) => {
    const { problems } = signingMessages.value;
    let key: string | undefined;
    for (const one of listed(before)) if (one === words || (await keyNameOf(one)) === words) key = one;
    if (key === undefined) throw new ConsoleError(problems.notListed);
    const { root, publishers, operators } = before;
    const keys = root.keys.filter((one) => one !== key);
    if (keys.length === 0) throw new ConsoleError(problems.lastRoot);
    const left = operators.filter((one) => one.key !== key);
    if (left.length > 0 && left.length < before.orderThreshold) throw new ConsoleError(problems.tooFew);
    return nextOf(before, {
      root: { keys, threshold: Math.min(root.threshold, keys.length) },
      publishers: publishers.filter((one) => one.key !== key),
      operators: left,
    });
  };

/** A draft of another root holder. */
export const givenDraft =
  (draft: Signed): Change =>
  () =>
    Promise.resolve(draft);

const noteOf = (key: string): string => `flockcast.signed-version.${key}`;

/**
 * Makes a version for approval, by the trust file that follows from the roots of the recovery file.
 * @throws ConsoleError
 */
export async function propose(change: Change, { anchor, keys }: OpenedKeys): Promise<Proposal> {
  const { problems } = signingMessages.value;
  const view = await ask<TrustView>("GET", "/v1/trust");
  const before = await believedTrust(view, { ...anchor, trustVersion: 0 });
  const draft = await change(before);
  const next = contentOf(draft);
  if (next?.version !== before.version + 1 || !hasOnlyKnownFields(draft, next))
    throw new ConsoleError(problems.notNext(count(before.version)));
  const { root } = keys;
  if (root === null || ![...before.root.keys, ...next.root.keys].includes(root.key))
    throw new ConsoleError(problems.notRoot);
  // Otherwise a source that shows an older version could have an ended key listed again.
  const signedVersion = Number(localStorage.getItem(noteOf(root.key)) ?? 0);
  if (signedVersion >= next.version) throw new ConsoleError(problems.signedBefore(count(signedVersion)));
  return { before, draft, next, root };
}

function contentOf(draft: Signed): TrustFile | null {
  try {
    return readPayload(trustFileSchema, draft);
  } catch (error) {
    if (error instanceof TrustError) return null;
    throw error;
  }
}

export type Approval = { readonly signed: Signed; readonly missing: number };

/**
 * Adds the signature of the root, and gives the version to the source if it has enough.
 * @returns the number of root keys that still have to sign
 */
export async function approve({ before, draft, next, root }: Proposal): Promise<Approval> {
  const signed = withSignatures(draft, await signTextWith("trust", draft.payload, root));
  const signersOf = await verifiedSigners([["trust", signed]]);
  const missingOf = ({ root: { keys, threshold } }: TrustFile): number =>
    threshold - signersOf("trust", signed, keys).size;
  const missing = Math.max(0, missingOf(before), missingOf(next));
  if (missing === 0) {
    await ask("POST", "/v1/trust/files", { files: [signed] });
    localStorage.setItem(noteOf(root.key), String(next.version));
  }
  return { signed, missing };
}

/** Returns a line for each key, and for each number that decides. */
async function linesOf(file: TrustFile): Promise<string[]> {
  const words = signingMessages.value.trust;
  const operatorLine = async ({ key, actions, target, expiresAtMs }: TrustFile["operators"][number]) => {
    const scope = words.on(actions.join(", ") || words.allActions, target);
    const whole = expiresAtMs === null ? scope : words.until(scope, time(expiresAtMs));
    return words.operator(await keyNameOf(key), whole);
  };
  return Promise.all([
    ...file.root.keys.map(async (key) => words.root(await keyNameOf(key))),
    ...file.publishers.map(async ({ key, packages }) =>
      words.publisher(await keyNameOf(key), packages.join(", ") || words.allPackages),
    ),
    ...file.operators.map(operatorLine),
    words.roots(count(file.root.threshold)),
    words.operators(count(file.orderThreshold)),
    words.deployment(String(file.deployment)),
    file.embedded ? words.held : words.away,
  ]);
}

/** Returns what a version takes away, and what it adds. */
export async function changesOf({ before, next }: Pick<Proposal, "before" | "next">): Promise<{
  readonly taken: string[];
  readonly added: string[];
}> {
  const [old, now] = [await linesOf(before), await linesOf(next)];
  return {
    taken: old.filter((line) => !now.includes(line)),
    added: now.filter((line) => !old.includes(line)),
  };
}
