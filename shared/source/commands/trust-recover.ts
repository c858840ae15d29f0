/** Command `trust recover`: the keys of a browser's recovery file as key files. */
import { createPrivateKey } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import {
  keyName,
  openRecoveryFile,
  parseSigningKey,
  RecoveryError,
  recoveryLengthMax,
  type RecoveryContent,
  type RecoveryKey,
} from "../../model/trust/index.ts";
import { CommandError } from "./command-error.ts";
import { writeKeyFiles } from "./key-files.ts";
import { print, printJson } from "./print.ts";
import { readSecret } from "./secret-input.ts";

type RecoverOptions = {
  readonly out: string;
  readonly passwordFile?: string | undefined;
  readonly json?: true | undefined;
};

/** Writes the keys of a recovery file to a folder: `root.key`, `signing.key`, or both. */
export async function recoverKeys(file: string, options: RecoverOptions): Promise<void> {
  const { out, passwordFile, json } = options;
  const text = await textOf(file);
  const password = await readSecret({
    what: "password of the recovery file",
    flag: "--password-file",
    file: passwordFile,
    isKnown: true,
  });
  const { deployment, root, keys } = await opened(file, text, password);
  const texts = Object.fromEntries(keys.map((key) => [`${key.use}.key`, pemOf(file, key)]));
  await writeKeyFiles(out, texts);
  const written = keys.map(({ use, key }) => ({ use, key, file: join(out, `${use}.key`) }));
  if (json) return printJson({ deployment, root, keys: written });
  for (const { use, key, file: keyFile } of written) print(`${use} key ${keyName(key)}: ${keyFile}`);
  for (const { use, file: keyFile } of written)
    print(
      use === "root"
        ? `change the trust file with --root-key ${keyFile}`
        : `sign with --operator-key ${keyFile}, and publish with --key ${keyFile}`,
    );
}

/** @throws CommandError when the file cannot be read, or is too long for one */
async function textOf(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const { size } = await handle.stat();
    if (size > recoveryLengthMax) throw new RecoveryError("other-file");
    return await handle.readFile("utf8");
  } catch (error) {
    throw new CommandError(`Cannot read the recovery file "${file}": ${(error as Error).message}`, 1, {
      cause: error,
    });
  }
}

async function opened(file: string, text: string, password: string): Promise<RecoveryContent> {
  try {
    return await openRecoveryFile(text, password, crypto.subtle);
  } catch (error) {
    if (!(error instanceof RecoveryError)) throw error;
    throw new CommandError(`Cannot open "${file}": ${error.message}`, 1, { cause: error });
  }
}

/** @throws CommandError when the private key does not belong to the stated public key */
function pemOf(file: string, { key, privateKey }: RecoveryKey): string {
  try {
    const read = createPrivateKey({ key: Buffer.from(privateKey), format: "der", type: "pkcs8" });
    const pem = read.export({ format: "pem", type: "pkcs8" }).toString();
    if (parseSigningKey(pem).key === key) return pem;
  } catch {
    // Not an Ed25519 key.
  }
  throw new CommandError(`"${file}" holds a key that does not belong to its public key ${keyName(key)}`);
}
