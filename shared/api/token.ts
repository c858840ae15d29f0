/**
 * A token that an administrator copies, written `fc1.SECRET.FINGERPRINT`.
 *
 * The fingerprint is the SHA-256 of the source's TLS certificate, or "-" without TLS. A device can
 * therefore verify a self-signed certificate from its first request on.
 */
export type SourceToken = {
  readonly secret: string;
  /** 64 hex digits; null if the source serves without TLS. */
  readonly fingerprint: string | null;
};

const pattern = /^fc1\.([A-Za-z0-9_-]{16,128})\.(-|[0-9a-f]{64})$/;

export function formatToken(token: SourceToken): string {
  return `fc1.${token.secret}.${token.fingerprint ?? "-"}`;
}

/** Parses a token; null if the text is not one. Surrounding white space is ignored. */
export function readToken(text: string): SourceToken | null {
  const match = pattern.exec(text.trim());
  return match && { secret: match[1]!, fingerprint: match[2] === "-" ? null : match[2]! };
}

/**
 * Parses an enrolment token.
 * @throws Error that names the file with the right token. The message does not quote the text,
 *   which may be a secret.
 */
export function parseEnrollToken(text: string): SourceToken {
  const token = readToken(text);
  if (token === null) {
    throw new Error(
      `The enrolment token (${text.length} characters) is not valid: copy the whole line of the file enroll.token in the source's data folder; it begins with "fc1."`,
    );
  }
  return token;
}
