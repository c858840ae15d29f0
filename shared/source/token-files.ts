/**
 * The first two tokens of a source, `admin.token` and `enroll.token` in its data folder: created
 * at the first start, readable by the owner only, and rows of the catalog as every other token.
 *
 * The file decides: another secret in it, or a missing file, ends the token of the row at the next
 * start. A token that was revoked stays so while its file is there.
 * New roots of the trust file change the file, and the secret stays.
 */
import { chmod, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { formatToken, readToken, type SourceToken, type TokenKind } from "../api/token.ts";
import type { Logger } from "../log.ts";
import { sha256Hex } from "./sha256-hex.ts";
import type { TokenStore } from "./catalog/index.ts";
import { dataFiles } from "./data-files.ts";
import { writePrivateFile } from "../platform/private-files.ts";

const secretBytes = 32;

const fileTokens = [
  { name: dataFiles.adminToken.name, kind: "person", role: "administrator" },
  { name: dataFiles.enrollToken.name, kind: "enrolment", role: null },
] as const;

/** Names that no other token may have. */
export const fileTokenNames: ReadonlySet<string> = new Set(fileTokens.map(({ name }) => name));

type TokenFileOptions = {
  readonly folder: string;
  readonly tokens: TokenStore;
  /** SHA-256 of the source's identity key. */
  readonly identity: string;
  /** Fingerprint of the roots of the trust file. */
  readonly root: string;
  /** Whether enroll.token lets a device that was installed again keep its tags. */
  readonly approvesTakeovers: boolean;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly nowMs: () => number;
  readonly log: Logger;
};

/** Returns a new secret of a token. */
export const newSecret = (randomBytes: (count: number) => Uint8Array): string =>
  Buffer.from(randomBytes(secretBytes)).toString("base64url");

/**
 * Reads both files, creates the missing ones, and brings the rows of the catalog in line.
 *
 * @throws Error for a file that holds no token
 */
export async function openTokenFiles(options: TokenFileOptions): Promise<void> {
  const { folder, tokens, identity, root, randomBytes, nowMs, log } = options;
  for (const { name, kind, role } of fileTokens) {
    const path = join(folder, name);
    const found = await readTokenFile(path, kind);
    const secret = found?.secret ?? newSecret(randomBytes);
    if (found?.identity !== identity || found.root !== root)
      await writePrivateFile(path, `${formatToken({ kind, secret, identity, root })}\n`);
    else await chmod(path, 0o600);
    const sha256 = sha256Hex(secret);
    const approvesTakeovers = kind === "enrolment" && options.approvesTakeovers;
    const row = await tokens.byDigest(sha256);
    if (row !== null) {
      if (row.revokedAtMs !== null)
        log.warn({ file: name }, "this token is revoked; remove the file to have another one created");
      await tokens.setApprovesTakeovers(row.id, approvesTakeovers);
      continue;
    }
    const earlier = await tokens.named(name);
    if (earlier !== null && (await tokens.revoke(earlier.id, nowMs())))
      log.warn({ token: name, id: earlier.id }, "token revoked: its file was removed or replaced");
    const id = Buffer.from(randomBytes(8)).toString("hex");
    const limits = {
      needsApproval: false,
      approvesTakeovers,
      isImaging: false,
      usesLeft: null,
      expiresAtMs: null,
    };
    const about = { kind, name, role, scope: [], tags: [], createdAtMs: nowMs(), createdBy: "source" };
    await tokens.add({ id, ...about, ...limits }, sha256);
  }
}

/**
 * Writes the fingerprint of new roots into the files of a running source. A file that was moved
 * away, or that holds another secret, counts at the next start.
 */
export async function renewTokenFiles({
  folder,
  identity,
  root,
  log,
}: Pick<TokenFileOptions, "folder" | "identity" | "root" | "log">): Promise<void> {
  for (const { name, kind } of fileTokens) {
    const path = join(folder, name);
    try {
      const found = await readTokenFile(path, kind);
      if (found === null || found.root === root) continue;
      await writePrivateFile(path, `${formatToken({ kind, secret: found.secret, identity, root })}\n`);
    } catch (error) {
      // The trust file is stored already, and its orders must follow.
      log.error(
        { file: name, err: error },
        "the token's file does not have the new roots: start the source again, and look at its log",
      );
    }
  }
}

async function readTokenFile(path: string, kind: TokenKind): Promise<SourceToken | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const token = readToken(text);
  if (token?.kind === kind) return token;
  throw new Error(
    `"${path}" holds no token: restore a backup, or remove the file to have a new token created`,
  );
}

/** Returns whether the folder has a token, so that it belongs to a source. */
export async function hasTokens(folder: string): Promise<boolean> {
  for (const { name } of fileTokens)
    if ((await stat(join(folder, name)).catch(() => null)) !== null) return true;
  return false;
}
