/**
 * The trust file: which keys may sign for a deployment. Root keys sign it, a threshold of them for
 * each version; publisher keys sign manifests, operator keys orders. Versions form a chain: each
 * one is signed by the roots of the version before it as well.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { matchesPattern, foldedName } from "../glob.ts";
import { readPayload, signersOf, trustKeySchema, type Signed } from "./signed.ts";
import { TrustError } from "./trust-error.ts";

/** Upper bounds on the keys of a role. */
const rootsMax = 16;
const signersMax = 64;

const whole = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
/** Milliseconds since 1970. */
export const trustTimeMs = whole(0, 253_402_300_799_999);

/** Scope of an operator key: the actions of tasks, and settings with their assignments. */
export const operatorActions = ["pre-cache", "run", "upgrade", "image", "settings"] as const;
export type OperatorAction = (typeof operatorActions)[number];

const publisherSchema = v.object({
  key: trustKeySchema,
  /** Names of packages, with `*` and `?`; none: every package. */
  packages: v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(128))), v.maxLength(64)),
});
const operatorSchema = v.object({
  key: trustKeySchema,
  /** None: every action. An action of a later version is none of this one. */
  actions: v.pipe(v.array(v.pipe(v.string(), v.maxLength(32))), v.maxLength(16)),
  /** Devices for which the key counts: a target (model/target). */
  target: v.pipe(v.string(), v.maxLength(2_048)),
  /** Null: no end. */
  expiresAtMs: v.nullable(trustTimeMs),
});
export const trustFileSchema = v.object({
  format: v.literal(1),
  /** Number of the deployment: a trust file counts in no other one. */
  deployment: whole(0, 0xffff_ffff),
  version: whole(1, 1_000_000),
  issuedAtMs: trustTimeMs,
  /** Whether the source holds the keys: then the owner of the source owns the devices. */
  embedded: v.boolean(),
  root: v.object({
    threshold: whole(1, rootsMax),
    keys: v.pipe(v.array(trustKeySchema), v.minLength(1), v.maxLength(rootsMax)),
  }),
  publishers: v.pipe(v.array(publisherSchema), v.maxLength(signersMax)),
  operators: v.pipe(v.array(operatorSchema), v.maxLength(signersMax)),
  /** Operator keys that have to sign an order. */
  orderThreshold: whole(1, 8),
});
export type TrustFile = v.InferOutput<typeof trustFileSchema>;
export type Operator = TrustFile["operators"][number];

/** Deployment and roots that a device or a person knows from a token. */
export type TrustAnchor = {
  readonly deployment: number;
  /** `rootFingerprint`. */
  readonly root: string;
};
/** The accepted chain, the oldest version first, and the content of the newest one. */
export type TrustChain = { readonly files: readonly Signed[]; readonly current: TrustFile };

/** Returns the SHA-256 over threshold and root keys, 64 hex digits: what tokens carry. */
export function rootFingerprint({ threshold, keys }: TrustFile["root"]): string {
  const lines = ["flockcast root 1", String(threshold), ...keys.toSorted(), ""];
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

function checkRoots({ root, version }: TrustFile): void {
  if (new Set(root.keys).size !== root.keys.length)
    throw new TrustError("malformed", `version ${version} of the trust file names a root key twice`);
  if (root.threshold > root.keys.length)
    throw new TrustError("malformed", `version ${version} of the trust file needs more roots than it has`);
}

function requireRoots(signed: Signed, { root }: TrustFile, version: number, whose: string): void {
  const found = signersOf("trust", signed, root.keys).size;
  if (found >= root.threshold) return;
  throw new TrustError(
    "too-few-signatures",
    `version ${version} of the trust file has ${found} of ${root.threshold} signatures of the roots of ${whose}`,
  );
}

/** @throws TrustError when the file is not signed by its own roots */
function firstFile(signed: Signed, deployment: number): TrustFile {
  const file = readPayload(trustFileSchema, signed);
  if (file.deployment !== deployment)
    throw new TrustError("other-deployment", "the trust file is of another deployment");
  checkRoots(file);
  requireRoots(signed, file, file.version, "its own");
  return file;
}

/** @throws TrustError when the file may not follow `before` */
function nextFile(before: TrustFile, signed: Signed): TrustFile {
  const file = firstFile(signed, before.deployment);
  if (file.version !== before.version + 1)
    throw new TrustError("gap", `version ${before.version} of the trust file is followed by ${file.version}`);
  requireRoots(signed, before, file.version, `version ${before.version}`);
  return file;
}

const isAnchor = (signed: Signed, root: string): boolean =>
  rootFingerprint(readPayload(trustFileSchema, signed).root) === root;

/**
 * Begins a chain with the first file whose roots the anchor names, and follows it to the end.
 * @throws TrustError
 */
export function beginTrust(files: readonly Signed[], { deployment, root }: TrustAnchor): TrustChain {
  const at = files.findIndex((signed) => isAnchor(signed, root));
  const first = files[at];
  if (first === undefined)
    throw new TrustError("wrong-root", "no version of the trust file has the roots that the token names");
  return extendTrust({ files: [first], current: firstFile(first, deployment) }, files.slice(at + 1));
}

/**
 * Appends newer files to a chain; versions that it has are left out.
 * @throws TrustError for the first file that may not follow
 */
export function extendTrust(chain: TrustChain, files: readonly Signed[]): TrustChain {
  let { current } = chain;
  const added: Signed[] = [];
  for (const signed of files) {
    if (readPayload(trustFileSchema, signed).version <= current.version) continue;
    current = nextFile(current, signed);
    added.push(signed);
  }
  return { files: [...chain.files, ...added], current };
}

/** Versions of the trust file in one message. */
export const trustFilesMax = 1_000;

/**
 * Returns the versions of a chain that follow `version`, as many as one message holds. A reader
 * without any gets the newest ones: roots that a token names are among them.
 */
export function filesAfter({ files, current }: TrustChain, version: number): Signed[] {
  // Versions follow one another without a gap.
  const first = Math.max(0, files.length - Math.max(0, current.version - version));
  return version === 0 ? files.slice(-trustFilesMax) : files.slice(first, first + trustFilesMax);
}

/** Returns the public keys, 32 bytes each, that may sign the manifest of a package. */
export function publisherKeysFor({ publishers }: TrustFile, packageName: string): Uint8Array[] {
  const name = foldedName(packageName);
  const fits = ({ packages }: TrustFile["publishers"][number]): boolean =>
    packages.length === 0 || packages.some((pattern) => matchesPattern(foldedName(pattern), name));
  return publishers.filter(fits).map(({ key }) => new Uint8Array(Buffer.from(key, "hex")));
}
