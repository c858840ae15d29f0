/**
 * The tokens an administrator copies: `fc1.SECRET.FINGERPRINT`. The fingerprint is the SHA-256 of the source's TLS
 * certificate, so that a device can trust a self-signed one from its first request on; "-" without TLS.
 */
export type SourceToken = {
  readonly secret: string;
  /** 64 hex digits, or null when the source serves without TLS. */
  readonly fingerprint: string | null;
};

const pattern = /^fc1\.([A-Za-z0-9_-]{16,128})\.(-|[0-9a-f]{64})$/;

export function formatToken(token: SourceToken): string {
  return `fc1.${token.secret}.${token.fingerprint ?? "-"}`;
}

/** Null when the text is no token. White space around it, as copying brings along, does not matter. */
export function readToken(text: string): SourceToken | null {
  const match = pattern.exec(text.trim());
  return match && { secret: match[1]!, fingerprint: match[2] === "-" ? null : match[2]! };
}

/** @throws Error that says where the right token lies; it does not repeat the text, which may be a secret. */
export function parseEnrollToken(text: string): SourceToken {
  const token = readToken(text);
  if (token === null) {
    throw new Error(
      `The enrolment token (${text.length} characters) is not one: copy the whole line of the file enroll.token in the source's data folder, it begins with "fc1."`,
    );
  }
  return token;
}
