/**
 * SHA256SUMS of a folder with executables, packages and a bill of materials, and its signature:
 * Ed25519 (RFC 8032) over the bytes of the file, 64 bytes, as `openssl pkeyutl -rawin` checks it.
 */
import { createPrivateKey, sign, type KeyObject } from "node:crypto";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { billFile, billOfMaterials, type BuiltFile } from "./bill-of-materials.ts";
import { targetOf } from "./targets.ts";

export const sumsFile = "SHA256SUMS";
export const signatureFile = `${sumsFile}.sig`;

/** Names of the packages of scripts/package. */
const packageName = /\.(deb|rpm|msi|tar\.gz)$/;

/**
 * Writes the bill of materials, and the digests of every executable and package in the folder, also
 * of earlier builds for other targets. A signature over earlier digests is removed.
 */
export async function writeSums(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("flockcast-")).toSorted();
  const files: BuiltFile[] = [];
  for (const name of names) {
    const target = targetOf(name);
    if (target !== null) files.push({ name, sha256: await sha256(join(folder, name)), target });
  }
  await writeFile(join(folder, billFile), await billOfMaterials(files));
  const packages: Omit<BuiltFile, "target">[] = [];
  for (const name of names.filter((each) => packageName.test(each)))
    packages.push({ name, sha256: await sha256(join(folder, name)) });
  const all = [...files, ...packages, { name: billFile, sha256: await sha256(join(folder, billFile)) }];
  await rm(join(folder, signatureFile), { force: true });
  await writeFile(join(folder, sumsFile), all.map((file) => `${file.sha256}  ${file.name}\n`).join(""));
}

const sha256 = async (path: string): Promise<string> =>
  new Bun.CryptoHasher("sha256").update(await Bun.file(path).bytes()).digest("hex");

/** Signs the digests of a folder. */
export async function signSums(folder: string, key: KeyObject): Promise<void> {
  const sums = await readFile(join(folder, sumsFile));
  await writeFile(join(folder, signatureFile), sign(null, sums, key));
}

/**
 * Reads the private key of releases (PEM).
 * @throws Error for a file that others may read, or without an Ed25519 key
 */
export async function readReleaseKey(file: string): Promise<KeyObject> {
  const { mode } = await stat(file);
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw new Error(`Other users may read the release key "${file}": run chmod 600 "${file}"`);
  const key = parseKey(await readFile(file));
  if (key?.asymmetricKeyType !== "ed25519")
    throw new Error(
      `"${file}" is not a private Ed25519 key: make one with openssl genpkey -algorithm ed25519 -out FILE`,
    );
  return key;
}

function parseKey(pem: Buffer): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    return null;
  }
}
