/**
 * Secrets of a source, `admin.token` and `enroll.token` in its data folder: created at the first
 * start and readable by the owner only. Certificates and addresses do not change them.
 */
import { chmod, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { formatToken, readToken } from "../api/token.ts";
import { dataFiles } from "./data-files.ts";
import { writePrivateFile } from "../platform/private-files.ts";

const secretBytes = 32;

type SourceSecrets = { readonly admin: string; readonly enroll: string };

/**
 * Reads both tokens and creates the missing ones.
 *
 * @throws Error for a file that holds no token
 */
export async function loadOrCreateTokens(
  folder: string,
  identity: string,
  randomBytes: (count: number) => Uint8Array,
): Promise<SourceSecrets> {
  const secretIn = async (name: string): Promise<string> => {
    const path = join(folder, name);
    const found = await readTokenFile(path);
    const secret = found?.secret ?? Buffer.from(randomBytes(secretBytes)).toString("base64url");
    if (found === null || found.identity !== identity) {
      await writePrivateFile(path, `${formatToken({ secret, identity })}\n`);
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
