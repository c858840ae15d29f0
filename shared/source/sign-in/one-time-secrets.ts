/**
 * Secrets that count once and for a limited time: for the set-up of a source, and in links to sign
 * in. Only their SHA-256 is kept, in memory: a restart ends them all.
 */
import { createHash } from "node:crypto";

const secretBytes = 32;
/** Upper bound on secrets that wait; the oldest one goes first. */
const waitingMax = 1_024;

type Waiting<T> = { readonly value: T; readonly endsAtMs: number };

const digestOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

export class OneTimeSecrets<T> {
  readonly #randomBytes: (count: number) => Uint8Array;
  readonly #waiting = new Map<string, Waiting<T>>();

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  /** Returns a new secret for the value. */
  make(value: T, endsAtMs: number): string {
    const secret = Buffer.from(this.#randomBytes(secretBytes)).toString("base64url");
    if (this.#waiting.size >= waitingMax) this.#waiting.delete(this.#waiting.keys().next().value!);
    this.#waiting.set(digestOf(secret), { value, endsAtMs });
    return secret;
  }

  /** Returns the value of a secret, which still counts; null for an unknown and an ended one. */
  peek(secret: string, nowMs: number): T | null {
    const found = this.#waiting.get(digestOf(secret));
    return found === undefined || found.endsAtMs <= nowMs ? null : found.value;
  }

  /** Returns the value of a secret, which counts no more; null for an unknown and an ended one. */
  take(secret: string, nowMs: number): T | null {
    const value = this.peek(secret, nowMs);
    this.#waiting.delete(digestOf(secret));
    return value;
  }

  clear(): void {
    this.#waiting.clear();
  }
}
