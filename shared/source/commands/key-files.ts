/** Signing keys of the command line: PEM files of their owner. */
import { createPublicKey } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseSigningKey, type SigningKey } from "../../model/trust/index.ts";
import { createPrivateFile, readPrivateFile } from "../../platform/private-files.ts";
import { CommandError } from "./command-error.ts";

async function textOf(
  file: string,
  what: string,
  read: (file: string, what: string) => Promise<string>,
): Promise<string> {
  try {
    return await read(file, what);
  } catch (error) {
    throw new CommandError(`Cannot read the ${what} "${file}": ${(error as Error).message}`, 1, {
      cause: error,
    });
  }
}

/** @throws CommandError that names the file */
export async function readKeyFile(file: string, what: string): Promise<SigningKey> {
  const text = await textOf(file, what, readPrivateFile);
  try {
    return parseSigningKey(text);
  } catch (error) {
    throw new CommandError(
      `"${file}" is not an Ed25519 private key in PEM form (${(error as Error).message})`,
      1,
      { cause: error },
    );
  }
}

export const readKeyFiles = (files: readonly string[], what: string): Promise<SigningKey[]> =>
  Promise.all(files.map((file) => readKeyFile(file, what)));

/**
 * Returns the public key that words name, hex: 64 hex digits, or a PEM file with it.
 * @throws CommandError for another text
 */
export async function publicKeyOf(words: string): Promise<string> {
  if (/^[0-9a-f]{64}$/i.test(words)) return words.toLowerCase();
  const text = await textOf(words, "public key", (file) => readFile(file, "utf8"));
  try {
    const key = createPublicKey(text);
    if (key.asymmetricKeyType !== "ed25519") throw new Error(`it is ${key.asymmetricKeyType ?? "unknown"}`);
    return Buffer.from(key.export({ format: "jwk" }).x!, "base64url").toString("hex");
  } catch (error) {
    throw new CommandError(
      `"${words}" is neither 64 hex digits nor a PEM file with an Ed25519 key (${(error as Error).message})`,
      1,
      { cause: error },
    );
  }
}

/**
 * Writes private keys to new files in a folder, mode 0600, durable when it returns: the source may
 * give its own keys up then. A file that has the key, from an attempt that was interrupted, stays.
 * @throws CommandError that names the file
 */
export async function writeKeyFiles(folder: string, texts: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(texts)) {
    const file = join(folder, name);
    const isNew = await createPrivateFile(file, text).catch((error: Error) => {
      throw new CommandError(`Cannot write the key "${file}": ${error.message}`, 1, { cause: error });
    });
    // An earlier attempt may have written it.
    if (!isNew && (await textOf(file, "key", readPrivateFile)) !== text)
      throw new CommandError(`The key file "${file}" exists: give another --out`);
  }
}
