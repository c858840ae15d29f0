/**
 * Signing keys that live in the source's data folder: file `signing.keys`, mode 0600. They exist in
 * the embedded mode only; `trust export` moves them away. The file is read for each signature, so
 * that an export counts at once.
 */
import { join } from "node:path";
import * as v from "valibot";
import { parseSigningKey, type SigningKey } from "../../model/trust/index.ts";
import { dataFiles } from "../data-files.ts";
import { newKeyText } from "../new-key-text.ts";
import { readPrivateFile, writePrivateFile } from "../../platform/private-files.ts";

export const keyRoles = ["root", "publisher", "operator"] as const;
export type KeyRole = (typeof keyRoles)[number];
export type SigningKeys = Readonly<Record<KeyRole, SigningKey>>;

const pem = v.pipe(v.string(), v.minLength(1), v.maxLength(4_096));
/** An exported file stays, without keys: a backup and a start then know that none is missing. */
const fileSchema = v.object({ keys: v.nullable(v.object({ root: pem, publisher: pem, operator: pem })) });
export type KeyTexts = NonNullable<v.InferOutput<typeof fileSchema>["keys"]>;

const fileIn = (folder: string): string => join(folder, dataFiles.signingKeys.name);

/**
 * Returns the texts of the keys in a data folder; null: they were exported, or the file is missing.
 * @throws Error that names the file, and what to do
 */
export async function keyTextsIn(folder: string): Promise<KeyTexts | null> {
  const file = fileIn(folder);
  let text: string;
  try {
    text = await readPrivateFile(file, "file of signing keys");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new Error(`Cannot read the signing keys "${file}": ${(error as Error).message}`, { cause: error });
  }
  try {
    return v.parse(fileSchema, JSON.parse(text)).keys;
  } catch {
    throw new Error(`"${file}" does not hold the signing keys of a source: restore it from a backup`);
  }
}

/** Returns the keys of a data folder; null: the source cannot sign. */
export async function signingKeysIn(folder: string): Promise<SigningKeys | null> {
  const texts = await keyTextsIn(folder);
  if (texts === null) return null;
  const keys = Object.fromEntries(keyRoles.map((role) => [role, parseSigningKey(texts[role])]));
  return keys as Record<KeyRole, SigningKey>;
}

/** Writes the keys, or that they live elsewhere. */
export async function writeSigningKeys(folder: string, keys: KeyTexts | null): Promise<void> {
  await writePrivateFile(fileIn(folder), `${JSON.stringify({ keys }, null, 1)}\n`);
}

/** Creates the keys of a new source. */
export async function createSigningKeys(folder: string): Promise<SigningKeys> {
  await writeSigningKeys(folder, { root: newKeyText(), publisher: newKeyText(), operator: newKeyText() });
  return (await signingKeysIn(folder))!;
}
