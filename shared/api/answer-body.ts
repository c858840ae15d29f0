/**
 * Bodies of the source's answers, read up to a limit. A server that proves to be the source may be
 * broken or broken into, and a body has no length of its own.
 */
import { packedManifestBytesMax } from "./packed-manifest.ts";

/** Upper bound on a refusal: a code and a sentence. */
export const refusalBytesMax = 65_536;

const mebibyte = 1_048_576;
/** The first pattern of the path decides. */
const limits: readonly (readonly [RegExp, number])[] = [
  // A packed manifest is base64, four characters for three bytes.
  [/^\/v1\/agent\/manifest$/, Math.ceil(packedManifestBytesMax / 3) * 4 + 65_536],
  // 10,000 tasks of some 3 KiB.
  [/^\/v1\/agent\/check-in$/, 32 * mebibyte],
  [/^\/v1\/agent\//, mebibyte / 4],
  [/^\/healthz$|^\/v1\/(?:identity|source)\b/, 65_536],
  // Lists and details of an administrator: 100,000 devices of some 4 KiB.
  [/^/, 512 * mebibyte],
];

/**
 * Returns the upper bound on the body of a successful answer.
 * @param path with or without a query
 */
export function answerBytesMax(path: string): number {
  const bare = path.replace(/\?.*$/s, "");
  return limits.find(([pattern]) => pattern.test(bare))![1];
}

/** An answer is longer than its route allows. */
export class AnswerTooLongError extends Error {
  override readonly name = "AnswerTooLongError";

  constructor(bytesMax: number) {
    super(`the answer is longer than ${bytesMax} bytes`);
  }
}

/**
 * Reads a body as text.
 * @throws AnswerTooLongError once more than `bytesMax` bytes have arrived; the rest is not read
 */
export async function textOfAnswer({ body }: Response, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  // Leaving the loop cancels the body.
  for await (const piece of body ?? []) {
    sizeBytes += piece.length;
    if (sizeBytes > bytesMax) throw new AnswerTooLongError(bytesMax);
    pieces.push(piece);
  }
  return new TextDecoder().decode(Buffer.concat(pieces));
}
