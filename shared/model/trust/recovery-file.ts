/**
 * Recovery file: private keys of a browser under a password, as JSON (docs/SECURITY.md, "The
 * recovery file"). Pure: the caller gives WebCrypto and the random bytes.
 *
 * A digest over the file tells a damaged file from a wrong password, and everything outside the
 * secret is authenticated with it.
 */
import * as v from "valibot";
import { base64Bytes, base64Of, hexOf } from "../byte-text.ts";
import { normalizedPassword } from "../password.ts";
import { trustKeySchema } from "./statement.ts";

export const recoveryFormat = "flockcast recovery file";
/** Rounds of PBKDF2-SHA-256: a guess costs about half a second of a processor. */
export const recoveryIterations = 1_000_000;
/** Upper bound on a file in UTF-16 code units. */
export const recoveryLengthMax = 16_384;
const saltBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;
/** An Ed25519 private key in PKCS #8 (RFC 8410). */
const keyBytes = 48;

/** `root`: signs the trust file. `signing`: signs orders and packages. */
export const keyUses = ["root", "signing"] as const;
export type KeyUse = (typeof keyUses)[number];

const base64 = (bytes: number) =>
  v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9+/]+={0,2}$/),
    v.length(4 * Math.ceil(bytes / 3), "the length is wrong"),
  );
const headEntries = {
  format: v.literal(recoveryFormat),
  version: v.literal(1),
  /** Deployment and roots that the trust file of the source is checked by. */
  deployment: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff)),
  root: trustKeySchema,
  keys: v.pipe(
    v.array(v.object({ use: v.picklist(keyUses), key: trustKeySchema })),
    v.minLength(1),
    v.maxLength(keyUses.length),
  ),
  derivation: v.object({
    name: v.literal("PBKDF2-SHA-256"),
    // A stranger's file must neither be weak nor keep the processor busy for minutes.
    iterations: v.pipe(v.number(), v.integer(), v.minValue(600_000), v.maxValue(10_000_000)),
    salt: base64(saltBytes),
  }),
  cipher: v.object({ name: v.literal("AES-256-GCM"), nonce: base64(nonceBytes) }),
};
const fileSchema = v.object({
  ...headEntries,
  secret: v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]+={0,2}$/), v.maxLength(1_024)),
  digest: trustKeySchema,
});
export type RecoveryFile = v.InferOutput<typeof fileSchema>;
type Head = Omit<RecoveryFile, "secret" | "digest">;

/** `key`: the raw public key, hex; `privateKey`: PKCS #8 in DER. */
export type RecoveryKey = {
  readonly use: KeyUse;
  readonly key: string;
  readonly privateKey: Uint8Array<ArrayBuffer>;
};
export type RecoveryContent = Pick<RecoveryFile, "deployment" | "root"> & {
  readonly keys: readonly RecoveryKey[];
};

const sentences = {
  "other-file": "The file is not a recovery file of flockcast",
  "later-version": "The recovery file has a later version: update flockcast",
  damaged: "The recovery file is damaged: take another copy of it",
  "wrong-password": "The password does not open the recovery file",
} as const;
export type RecoveryCode = keyof typeof sentences;

/** Local error: a recovery file that cannot be used. */
export class RecoveryError extends Error {
  override readonly name = "RecoveryError";
  readonly code: RecoveryCode;

  constructor(code: RecoveryCode) {
    super(sentences[code]);
    this.code = code;
  }
}

/** Returns the authenticated bytes: all fields but the secret, in a fixed order, one a line. */
function headBytes({
  format,
  version,
  deployment,
  root,
  keys,
  derivation,
  cipher,
}: Head): Uint8Array<ArrayBuffer> {
  const lines = [
    `${format} ${version}`,
    String(deployment),
    root,
    ...keys.map(({ use, key }) => `${use} ${key}`),
    `${derivation.name} ${derivation.iterations} ${derivation.salt}`,
    `${cipher.name} ${cipher.nonce}`,
    "",
  ];
  return new TextEncoder().encode(lines.join("\n"));
}

async function digestOf(subtle: SubtleCrypto, head: Head, secret: string): Promise<string> {
  const text = new TextEncoder().encode(`${new TextDecoder().decode(headBytes(head))}${secret}\n`);
  return hexOf(new Uint8Array(await subtle.digest("SHA-256", text)));
}

async function cipherKey(subtle: SubtleCrypto, password: string, { derivation }: Head): Promise<CryptoKey> {
  const text = new TextEncoder().encode(normalizedPassword(password));
  const base = await subtle.importKey("raw", text, "PBKDF2", false, ["deriveKey"]);
  const { iterations, salt } = derivation;
  const parameters = { name: "PBKDF2", hash: "SHA-256", salt: base64Bytes(salt), iterations };
  return subtle.deriveKey(parameters, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

const cipherParameters = (head: Head) => ({
  name: "AES-GCM",
  iv: base64Bytes(head.cipher.nonce),
  additionalData: headBytes(head),
  tagLength: tagBytes * 8,
});

export type RecoveryRandom = {
  /** 16 bytes. */
  readonly salt: Uint8Array;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
};

/** Returns the text of a recovery file. */
export async function writeRecoveryFile(
  { deployment, root, keys }: RecoveryContent,
  password: string,
  { subtle, salt, nonce }: RecoveryRandom & { readonly subtle: SubtleCrypto },
): Promise<string> {
  const head: Head = {
    format: recoveryFormat,
    version: 1,
    deployment,
    root,
    keys: keys.map(({ use, key }) => ({ use, key })),
    derivation: { name: "PBKDF2-SHA-256", iterations: recoveryIterations, salt: base64Of(salt) },
    cipher: { name: "AES-256-GCM", nonce: base64Of(nonce) },
  };
  const plain = new Uint8Array(keys.length * keyBytes);
  keys.forEach(({ privateKey }, at) => plain.set(privateKey, at * keyBytes));
  const key = await cipherKey(subtle, password, head);
  const secret = base64Of(new Uint8Array(await subtle.encrypt(cipherParameters(head), key, plain)));
  plain.fill(0);
  const file: RecoveryFile = { ...head, secret, digest: await digestOf(subtle, head, secret) };
  return `${JSON.stringify(file, null, 1)}\n`;
}

/**
 * Reads and checks the parts of a file that need no password.
 * @throws RecoveryError
 */
export async function readRecoveryFile(text: string, subtle: SubtleCrypto): Promise<RecoveryFile> {
  if (text.length > recoveryLengthMax) throw new RecoveryError("other-file");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RecoveryError(text.includes(recoveryFormat) ? "damaged" : "other-file");
  }
  const { format, version } = (value ?? {}) as Partial<RecoveryFile>;
  if (format !== recoveryFormat) throw new RecoveryError("other-file");
  if (typeof version === "number" && (version as number) > 1) throw new RecoveryError("later-version");
  const parsed = v.safeParse(fileSchema, value);
  if (!parsed.success) throw new RecoveryError("damaged");
  const file = parsed.output;
  if ((await digestOf(subtle, file, file.secret)) !== file.digest) throw new RecoveryError("damaged");
  return file;
}

/**
 * Opens a recovery file.
 * @throws RecoveryError
 */
export async function openRecoveryFile(
  text: string,
  password: string,
  subtle: SubtleCrypto,
): Promise<RecoveryContent> {
  const file = await readRecoveryFile(text, subtle);
  const key = await cipherKey(subtle, password, file);
  let plain: Uint8Array<ArrayBuffer>;
  try {
    plain = new Uint8Array(await subtle.decrypt(cipherParameters(file), key, base64Bytes(file.secret)));
  } catch {
    throw new RecoveryError("wrong-password");
  }
  if (plain.length !== file.keys.length * keyBytes) throw new RecoveryError("damaged");
  const keys = file.keys.map((one, at) => ({
    ...one,
    privateKey: plain.slice(at * keyBytes, (at + 1) * keyBytes),
  }));
  plain.fill(0);
  return { deployment: file.deployment, root: file.root, keys };
}
