/**
 * Chain of trust files: each version is signed by its own roots, and by those of the version before
 * it. Pure: the runtime gives the check of signatures and the digest.
 */
import { readPayload, type Signed, type SignersOf } from "./statement.ts";
import { TrustError } from "./trust-error.ts";
import { trustFileSchema, type TrustAnchor, type TrustChain, type TrustFile } from "./trust-content.ts";

/** Cryptography of a runtime. `fingerprintOf`: the SHA-256 of `rootText`, hex. */
export type ChainChecks = {
  readonly signersOf: SignersOf;
  readonly fingerprintOf: (root: TrustFile["root"]) => string;
};

function checkRoots({ root, version }: TrustFile): void {
  if (new Set(root.keys).size !== root.keys.length)
    throw new TrustError("malformed", `version ${version} of the trust file names a root key twice`);
  if (root.threshold > root.keys.length)
    throw new TrustError("malformed", `version ${version} of the trust file needs more roots than it has`);
}

type Rooted = { readonly signed: Signed; readonly version: number; readonly whose: string };

function requireRoots({ signed, version, whose }: Rooted, { root }: TrustFile, signersOf: SignersOf): void {
  const found = signersOf("trust", signed, root.keys).size;
  if (found >= root.threshold) return;
  throw new TrustError(
    "too-few-signatures",
    `version ${version} of the trust file has ${found} of ${root.threshold} signatures of the roots of ${whose}`,
  );
}

/** @throws TrustError when the file is not signed by its own roots */
function firstFile(signed: Signed, deployment: number, signersOf: SignersOf): TrustFile {
  const file = readPayload(trustFileSchema, signed);
  if (file.deployment !== deployment)
    throw new TrustError("other-deployment", "the trust file is of another deployment");
  checkRoots(file);
  requireRoots({ signed, version: file.version, whose: "its own" }, file, signersOf);
  return file;
}

/** @throws TrustError when the file may not follow `before` */
function nextFile(before: TrustFile, signed: Signed, signersOf: SignersOf): TrustFile {
  const file = firstFile(signed, before.deployment, signersOf);
  if (file.version !== before.version + 1)
    throw new TrustError("gap", `version ${before.version} of the trust file is followed by ${file.version}`);
  const whose = `version ${before.version}`;
  requireRoots({ signed, version: file.version, whose }, before, signersOf);
  return file;
}

const rootOf = (signed: Signed): TrustFile["root"] => readPayload(trustFileSchema, signed).root;

/**
 * Begins a chain with the first file whose roots the anchor names, and follows it to the end.
 * @throws TrustError
 */
export function beginChain(
  files: readonly Signed[],
  { deployment, root }: TrustAnchor,
  checks: ChainChecks,
): TrustChain {
  const at = files.findIndex((signed) => checks.fingerprintOf(rootOf(signed)) === root);
  const first = files[at];
  if (first === undefined)
    throw new TrustError("wrong-root", "no version of the trust file has the roots that the token names");
  const begun = { files: [first], current: firstFile(first, deployment, checks.signersOf) };
  return extendChain(begun, files.slice(at + 1), checks.signersOf);
}

/**
 * Appends newer files to a chain; versions that it has are left out.
 * @throws TrustError for the first file that may not follow
 */
export function extendChain(chain: TrustChain, files: readonly Signed[], signersOf: SignersOf): TrustChain {
  let { current } = chain;
  const added: Signed[] = [];
  for (const signed of files) {
    if (readPayload(trustFileSchema, signed).version <= current.version) continue;
    current = nextFile(current, signed, signersOf);
    added.push(signed);
  }
  return { files: [...chain.files, ...added], current };
}
