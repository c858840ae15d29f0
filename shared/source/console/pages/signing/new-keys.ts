/**
 * Makes the keys of a browser. A new key is readable only until its recovery file is written and
 * read back; the key that the browser keeps is not.
 */
import { hexOf } from "../../../../model/byte-text.ts";
import {
  openRecoveryFile,
  writeRecoveryFile,
  type KeyUse,
  type RecoveryContent,
  type RecoveryKey,
} from "../../../../model/trust/recovery-file.ts";
import { type BrowserKey, storedKey } from "./key-store.ts";
import { signTextWith, verifiedSigners, type StatementKey } from "./statements.ts";

const { subtle } = globalThis.crypto;

export type SigningProblem = "insecure" | "no-ed25519" | "no-storage";

/** Returns why this browser can hold no key; null: it can. */
export async function signingProblem(): Promise<SigningProblem | null> {
  if (!isSecureContext || subtle === undefined) return "insecure";
  try {
    await subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  } catch {
    return "no-ed25519";
  }
  try {
    await storedKey();
    return null;
  } catch {
    return "no-storage";
  }
}

async function newKey(use: KeyUse): Promise<RecoveryKey> {
  const pair = (await subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const [raw, pkcs8] = await Promise.all([
    subtle.exportKey("raw", pair.publicKey),
    subtle.exportKey("pkcs8", pair.privateKey),
  ]);
  return { use, key: hexOf(new Uint8Array(raw)), privateKey: new Uint8Array(pkcs8) };
}

export const newKeys = (uses: readonly KeyUse[]): Promise<RecoveryKey[]> => Promise.all(uses.map(newKey));

const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));

export const recoveryText = (content: RecoveryContent, password: string): Promise<string> =>
  writeRecoveryFile(content, password, { subtle, salt: random(16), nonce: random(12) });

/** Returns the key for use in this browser; no page can read it out again. */
const imported = async ({ key, privateKey }: RecoveryKey): Promise<StatementKey> => ({
  key,
  privateKey: await subtle.importKey("pkcs8", privateKey, "Ed25519", false, ["sign"]),
});

/** Keys of a recovery file that was opened; null: the file has no key for this use. */
export type OpenedKeys = {
  readonly anchor: Pick<RecoveryContent, "deployment" | "root">;
  readonly keys: Readonly<Record<KeyUse, StatementKey | null>>;
};

/**
 * Opens a recovery file, and proves each key by a signature.
 * @throws RecoveryError
 */
export async function openedKeys(text: string, password: string): Promise<OpenedKeys | "unproven"> {
  const { deployment, root, keys } = await openRecoveryFile(text, password, subtle);
  const found: Record<KeyUse, StatementKey | null> = { root: null, signing: null };
  for (const one of keys) {
    const key = await imported(one);
    one.privateKey.fill(0);
    const proof = await signTextWith("freshness", "a proof of the recovery file", key);
    const signersOf = await verifiedSigners([["freshness", proof]]);
    if (signersOf("freshness", proof, [one.key]).size === 0) return "unproven";
    found[one.use] = key;
  }
  return { anchor: { deployment, root }, keys: found };
}

/** Returns the key for the storage of the browser. */
export const browserKeyOf = (
  { anchor }: OpenedKeys,
  key: StatementKey,
  trustVersion: number,
): BrowserKey => ({ ...key, ...anchor, trustVersion });
