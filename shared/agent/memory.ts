/**
 * Keeps the process small while packages pass through it. The engine tidies up by how much was allocated, not by how much
 * memory the process has: at hundreds of Mbit/s it would carry tens of megabytes that nobody uses any more.
 */

/** Resident, of which the runtime's own program text is about 50. */
const tidyAboveBytes = 90 * 1_048_576;
const lookEveryMs = 250;
/** When tidying up frees next to nothing, the memory is in use: looks come less often. */
const lookEveryMsMax = 4_000;
const worthwhileBytes = 4 * 1_048_576;

export type MemoryProbe = { residentBytes: () => number; tidyUp: () => void };

const engine: MemoryProbe = {
  residentBytes: () => process.memoryUsage.rss(),
  tidyUp: () => Bun.gc(true),
};

export class MemoryKeeper {
  readonly #nowMs: () => number;
  readonly #probe: MemoryProbe;
  #lookAtMs = 0;
  #everyMs = lookEveryMs;

  constructor(nowMs: () => number, probe: MemoryProbe = engine) {
    this.#nowMs = nowMs;
    this.#probe = probe;
  }

  /** To be called whenever a chunk's worth of bytes passed; looks at the memory now and then. Takes some milliseconds. */
  tidy(): void {
    const nowMs = this.#nowMs();
    if (nowMs < this.#lookAtMs) return;
    const before = this.#probe.residentBytes();
    if (before > tidyAboveBytes) {
      this.#probe.tidyUp();
      const freed = before - this.#probe.residentBytes();
      this.#everyMs = freed >= worthwhileBytes ? lookEveryMs : Math.min(this.#everyMs * 2, lookEveryMsMax);
    } else this.#everyMs = lookEveryMs;
    this.#lookAtMs = nowMs + this.#everyMs;
  }
}
