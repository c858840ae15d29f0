/** Rate at which verified bytes arrive, measured over windows of at least a second. */
const windowMs = 1_000;

export class ByteRate {
  #atMs: number;
  #bytes: number;
  #bps = 0;

  constructor(bytes: number, nowMs: number) {
    this.#bytes = bytes;
    this.#atMs = nowMs;
  }

  /**
   * Returns the rate in bits per second.
   * @param bytes all bytes verified so far
   */
  update(bytes: number, nowMs: number): number {
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs >= windowMs) {
      this.#bps = Math.max(0, Math.round(((bytes - this.#bytes) * 8_000) / elapsedMs));
      this.#atMs = nowMs;
      this.#bytes = bytes;
    }
    return this.#bps;
  }
}
