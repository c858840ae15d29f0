/**
 * Private key of the publisher, in a file of its owner (PEM, mode 0600). The key never leaves the
 * file and this process.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { PublisherKey } from "../../model/signing.ts";
import { newKeyText } from "../new-key-text.ts";
import { AccessError, createPrivateFile, readPrivateFile } from "../../platform/private-files.ts";

/**
 * Reads the publisher's key from `file`, or creates it there (mode 0600) at first use.
 *
 * @throws AccessError when other users can read it, as ssh refuses such a key
 * @throws Error when the file cannot be read or holds something else
 */
export async function loadOrCreatePublisherKey(file: string): Promise<PublisherKey> {
  const found = await readKeyFile(file);
  if (found) return found;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await createPrivateFile(file, newKeyText());
  const made = await readKeyFile(file);
  if (!made) throw new Error(`Cannot create the publisher's key: "${file}" was removed while it was created`);
  return made;
}

async function readKeyFile(file: string): Promise<PublisherKey | null> {
  let pem: string;
  try {
    pem = await readPrivateFile(file, "publisher's key");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    if (error instanceof AccessError) throw error;
    throw new Error(`Cannot read the publisher's key "${file}": ${(error as Error).message}`, {
      cause: error,
    });
  }
  try {
    const privateKey = createPrivateKey(pem);
    if (privateKey.asymmetricKeyType !== "ed25519") throw new Error(`it is ${privateKey.asymmetricKeyType}`);
    return { privateKey, publicKey: rawPublicKey(privateKey) };
  } catch (error) {
    throw new Error(
      `"${file}" is not an Ed25519 private key in PEM form (${(error as Error).message}): restore it from a backup, ` +
        "or move it away to make a new one, which the trust file has to list (trust add-key --role publisher)",
      { cause: error },
    );
  }
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return new Uint8Array(Buffer.from(x!, "base64url"));
}
