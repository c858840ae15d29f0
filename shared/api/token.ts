/**
 * A token that an administrator copies, written `fc2.SECRET.IDENTITY.ROOT`.
 *
 * IDENTITY is the SHA-256 of the source's identity key, so a device and a command know the source
 * from their first request on, whatever its certificate and address (source-transport.ts). ROOT is
 * the fingerprint of the roots (model/trust), so both know which keys count as well.
 */
export type SourceToken = {
  readonly secret: string;
  /** 64 hex digits. */
  readonly identity: string;
  /** 64 hex digits; null: the roots are not known. */
  readonly root: string | null;
};

const pattern = /^fc2\.([A-Za-z0-9_-]{16,128})\.([0-9a-f]{64})(?:\.([0-9a-f]{64}))?$/;

export function formatToken(token: SourceToken): string {
  const { secret, identity, root } = token;
  return ["fc2", secret, identity, ...(root === null ? [] : [root])].join(".");
}

/** Parses a token; null if the text is not one. Surrounding white space is ignored. */
export function readToken(text: string): SourceToken | null {
  const match = pattern.exec(text.trim());
  return match && { secret: match[1]!, identity: match[2]!, root: match[3] ?? null };
}

/** Returns why the text is not a token, and what to do, without quoting it: it may be a secret. */
export function tokenProblem(text: string, file: "admin.token" | "enroll.token"): string {
  const copy = `copy the whole line of the file ${file} in the source's data folder; it begins with "fc2."`;
  return text.trim().startsWith("fc1.")
    ? `is of an earlier version, which names a certificate instead of the source: ${copy}`
    : `(${text.length} characters) is not valid: ${copy}`;
}

/**
 * Parses an enrolment token.
 * @throws Error that names the file with the right token
 */
export function parseEnrollToken(text: string): SourceToken {
  const token = readToken(text);
  if (token === null) throw new Error(`The enrolment token ${tokenProblem(text, "enroll.token")}`);
  return token;
}
