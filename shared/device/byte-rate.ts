/** How fast verified bytes come, over windows of a second and more. */
const windowMs = 1_000;

export class ByteRate {
  #atMs: number;
  #bytes: number;
  #bps = 0;

  constructor(bytes: number, nowMs: number) {
    this.#bytes = bytes;
    this.#atMs = nowMs;
  }

  /** Bits per second. @param bytes verified until now */
  at(bytes: number, nowMs: number): number {
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs >= windowMs) {
      this.#bps = Math.max(0, Math.round(((bytes - this.#bytes) * 8_000) / elapsedMs));
      this.#atMs = nowMs;
      this.#bytes = bytes;
    }
    return this.#bps;
  }
}
