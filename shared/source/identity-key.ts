/**
 * Identity key of the source, `identity.key` in its data folder (Ed25519, PEM, mode 0600): created
 * at the first start, and restored from a backup with the folder. Devices pin it, so a folder that
 * has tokens but no key is refused instead of given a new identity.
 */
import { createPrivateKey, createPublicKey } from "node:crypto";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { IdentityKey } from "../model/source-statement.ts";
import { writePrivateFile } from "../platform/private-files.ts";
import { newKeyText } from "./new-key-text.ts";
import { hasTokens } from "./token-files.ts";

/** @throws Error that names the file, and what to do */
export async function loadOrCreateIdentityKey(folder: string): Promise<IdentityKey> {
  const file = join(folder, "identity.key");
  const pem = await textOf(file);
  if (pem !== null) {
    await chmod(file, 0o600);
    return readIdentityKey(pem, file);
  }
  if (await hasTokens(folder)) {
    throw new Error(
      `"${file}" is missing, but every enrolled device knows this source by that key: restore the file from a backup. ` +
        "To begin a new deployment instead, remove admin.token and enroll.token too; every device must then be enrolled with another --data folder",
    );
  }
  const made = newKeyText();
  await writePrivateFile(file, made);
  return readIdentityKey(made, file);
}

async function textOf(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new Error(`Cannot read the identity key "${file}": ${(error as Error).message}`, { cause: error });
  }
}

function readIdentityKey(pem: string, file: string): IdentityKey {
  try {
    const privateKey = createPrivateKey(pem);
    if (privateKey.asymmetricKeyType !== "ed25519") throw new Error(`it is ${privateKey.asymmetricKeyType}`);
    const { x } = createPublicKey(privateKey).export({ format: "jwk" });
    return { privateKey, publicKey: new Uint8Array(Buffer.from(x!, "base64url")) };
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(
      `"${file}" is not an Ed25519 private key in PEM form (${why}): restore it from a backup`,
      {
        cause: error,
      },
    );
  }
}
