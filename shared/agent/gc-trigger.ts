/**
 * Keeps the process small while packages pass through it. The engine tidies up by how much was allocated, not by how much
 * memory the process has: at hundreds of Mbit/s it would carry tens of megabytes that nobody uses any more.
 */

/** Resident, of which the runtime's own program text is about 50. */
const collectAboveBytes = 100 * 1_048_576;
const lookEveryMs = 250;
/** What is in use does not go: tidying up is worth its time when so much was added since the last time. */
const grownBytes = 8 * 1_048_576;

export type MemoryProbe = { residentBytes: () => number; tidyUp: () => void };

const engine: MemoryProbe = {
  residentBytes: () => process.memoryUsage.rss(),
  tidyUp: () => Bun.gc(true),
};

export class GcTrigger {
  readonly #nowMs: () => number;
  readonly #probe: MemoryProbe;
  #lookAtMs = 0;
  /** The least since the last tidying up. */
  #lowBytes = 0;

  constructor(nowMs: () => number, probe: MemoryProbe = engine) {
    this.#nowMs = nowMs;
    this.#probe = probe;
  }

  /** To be called whenever a chunk's worth of bytes passed; looks at the memory now and then. Takes some milliseconds. */
  collectIfGrown(): void {
    const nowMs = this.#nowMs();
    if (nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + lookEveryMs;
    const resident = this.#probe.residentBytes();
    this.#lowBytes = Math.min(this.#lowBytes, resident);
    if (resident < Math.max(collectAboveBytes, this.#lowBytes + grownBytes)) return;
    this.#probe.tidyUp();
    this.#lowBytes = this.#probe.residentBytes();
  }
}
