/**
 * The trust file: which keys may sign for a deployment. Root keys sign it, a threshold of them for
 * each version; publisher keys sign manifests, operator keys orders. Pure; trust-chain.ts checks
 * the signatures.
 */
import * as v from "valibot";
import { matchesPattern, foldedName } from "../glob.ts";
import { trustKeySchema, type Signed } from "./statement.ts";

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

/** Returns the text whose SHA-256 is the fingerprint of root keys. */
export const rootText = ({ threshold, keys }: TrustFile["root"]): string =>
  ["flockcast root 1", String(threshold), ...keys.toSorted(), ""].join("\n");

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

/** Returns the public keys, hex, that may sign the manifest of a package. */
export function publishersFor({ publishers }: TrustFile, packageName: string): string[] {
  const name = foldedName(packageName);
  const fits = ({ packages }: TrustFile["publishers"][number]): boolean =>
    packages.length === 0 || packages.some((pattern) => matchesPattern(foldedName(pattern), name));
  return publishers.filter(fits).map(({ key }) => key);
}
