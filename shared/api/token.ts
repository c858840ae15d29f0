/**
 * A token that an administrator copies, written `fc_KSECRET.IDENTITY.ROOT`. The letter K is its
 * kind, so that a person and a secret scanner see what it is.
 *
 * IDENTITY is the SHA-256 of the source's identity key, so a device and a command know the source
 * from their first request on, whatever its certificate and address (source-transport.ts). ROOT is
 * the fingerprint of the roots (model/trust), so both know which keys count as well.
 */

const kindLetters = { enrolment: "e", person: "p" } as const;
/** `person`: of a person, or of a program that acts for one. */
export type TokenKind = keyof typeof kindLetters;
export const tokenKinds = Object.keys(kindLetters) as TokenKind[];

export type SourceToken = {
  readonly kind: TokenKind;
  readonly secret: string;
  /** 64 hex digits. */
  readonly identity: string;
  /** 64 hex digits; null: the roots are not known. */
  readonly root: string | null;
};

/** Identity of a source, and its roots: a token without its secret. Boot files have it. */
export type SourcePin = Pick<SourceToken, "identity" | "root">;

const pinPattern = /^fc_i\.([0-9a-f]{64})(?:\.([0-9a-f]{64}))?$/;

/** Returns the identity of a source as text: `fc_i.IDENTITY.ROOT`. */
export const formatPin = ({ identity, root }: SourcePin): string =>
  ["fc_i", identity, ...(root === null ? [] : [root])].join(".");

/** Parses the identity of a source; null if the text is not one. */
export function readPin(text: string): SourcePin | null {
  const match = pinPattern.exec(text.trim());
  return match && { identity: match[1]!, root: match[2] ?? null };
}

const pattern = /^fc_([ep])([A-Za-z0-9_-]{16,128})\.([0-9a-f]{64})(?:\.([0-9a-f]{64}))?$/;
const earlierPattern = /^fc[12]\./;

export function formatToken({ kind, secret, identity, root }: SourceToken): string {
  return [`fc_${kindLetters[kind]}${secret}`, identity, ...(root === null ? [] : [root])].join(".");
}

/** Parses a token; null if the text is not one. Surrounding white space is ignored. */
export function readToken(text: string): SourceToken | null {
  const match = pattern.exec(text.trim());
  if (match === null) return null;
  const kind = tokenKinds.find((one) => kindLetters[one] === match[1])!;
  return { kind, secret: match[2]!, identity: match[3]!, root: match[4] ?? null };
}

const copies: Readonly<Record<TokenKind, string>> = {
  enrolment:
    'copy the whole line that "token create --kind enrolment" prints, or of the file enroll.token in the source\'s data folder; it begins with "fc_e"',
  person:
    'copy the whole line that "token create" prints, or of the file admin.token in the source\'s data folder; it begins with "fc_p"',
};

/** Returns why the text is not a token, and what to do, without quoting it: it may be a secret. */
export function tokenProblem(text: string, kind: TokenKind): string {
  const copy = copies[kind];
  if (readPin(text) !== null) return `is the identity of a source, which has no secret: ${copy}`;
  if (earlierPattern.test(text.trim())) return `is of an earlier version: ${copy}`;
  const found = readToken(text);
  if (found !== null && found.kind !== kind)
    return `is for ${found.kind === "person" ? "administrators" : "enrolments"}: ${copy}`;
  return `(${text.length} characters) is not valid: ${copy}`;
}

/**
 * Parses an enrolment token.
 * @throws Error that names where the right token is
 */
export function parseEnrollToken(text: string): SourceToken {
  const token = readToken(text);
  if (token?.kind !== "enrolment") throw new Error(`The enrolment token ${tokenProblem(text, "enrolment")}`);
  return token;
}
