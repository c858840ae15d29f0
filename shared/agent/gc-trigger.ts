/**
 * Triggers the garbage collector while packages pass through the process.
 *
 * The engine collects by the amount allocated, not by the memory of the process. At hundreds of
 * Mbit/s it would retain tens of megabytes of garbage.
 */

/** Smallest resident set that triggers a collection; the runtime itself takes about 50 MiB. */
const collectAboveBytes = 100 * 1_048_576;
const checkEveryMs = 250;
/**
 * Growth of the resident set, since its lowest value after the last collection, that makes another
 * collection worth its time. A collection does not reclaim live memory.
 */
const growthBytes = 8 * 1_048_576;

/** Access to the process's memory, replaced in tests. */
type MemoryProbe = { residentBytes: () => number; collect: () => void };

const engine: MemoryProbe = {
  residentBytes: () => process.memoryUsage.rss(),
  collect: () => Bun.gc(true),
};

export class GcTrigger {
  readonly #nowMs: () => number;
  readonly #probe: MemoryProbe;
  #checkAtMs = 0;
  /** Lowest resident set seen since the last collection. */
  #lowBytes = 0;

  constructor(nowMs: () => number, probe: MemoryProbe = engine) {
    this.#nowMs = nowMs;
    this.#probe = probe;
  }

  /**
   * Checks the resident set at most every 250 ms, and collects if it has grown. Callers call it
   * once for each chunk that they handle. A collection takes some milliseconds.
   */
  collectIfGrown(): void {
    const nowMs = this.#nowMs();
    if (nowMs < this.#checkAtMs) return;
    this.#checkAtMs = nowMs + checkEveryMs;
    const resident = this.#probe.residentBytes();
    this.#lowBytes = Math.min(this.#lowBytes, resident);
    if (resident < Math.max(collectAboveBytes, this.#lowBytes + growthBytes)) return;
    this.#probe.collect();
    this.#lowBytes = this.#probe.residentBytes();
  }
}
