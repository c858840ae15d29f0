/**
 * Secrets of a source, `admin.token` and `enroll.token` in its data folder: created at the first
 * start and readable by the owner only. Certificates and addresses do not change them. New roots
 * change the file, and the secret stays.
 */
import { chmod, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { formatToken, readToken } from "../api/token.ts";
import { dataFiles } from "./data-files.ts";
import { retryLocked } from "../platform/locked-files.ts";

const secretBytes = 32;

type SourceSecrets = { readonly admin: string; readonly enroll: string };

/**
 * Reads both tokens and creates the missing ones.
 *
 * @throws Error for a file that holds no token
 */
export async function loadOrCreateTokens(
  folder: string,
  { identity, root }: { readonly identity: string; readonly root: string },
  randomBytes: (count: number) => Uint8Array,
): Promise<SourceSecrets> {
  const secretIn = async (name: string): Promise<string> => {
    const path = join(folder, name);
    const found = await readTokenFile(path);
    const secret = found?.secret ?? Buffer.from(randomBytes(secretBytes)).toString("base64url");
    if (found === null || found.identity !== identity || found.root !== root) {
      await writePrivately(path, `${formatToken({ secret, identity, root })}\n`);
    } else {
      await chmod(path, 0o600);
    }
    return secret;
  };
  return {
    admin: await secretIn(dataFiles.adminToken.name),
    enroll: await secretIn(dataFiles.enrollToken.name),
  };
}

async function readTokenFile(path: string) {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const token = readToken(text);
  if (token === null) {
    throw new Error(
      `"${path}" holds no token: restore a backup, or remove the file to have a new token created`,
    );
  }
  return token;
}

/** Returns whether the folder has a token, so that it belongs to a source. */
export async function hasTokens(folder: string): Promise<boolean> {
  for (const name of ["admin.token", "enroll.token"])
    if ((await stat(join(folder, name)).catch(() => null)) !== null) return true;
  return false;
}

/** Writes to a temporary file first: a crash leaves the old file or the new one. Mode 0600. */
export async function writePrivately(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  const handle = await open(draft, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await retryLocked(() => rename(draft, path));
}
