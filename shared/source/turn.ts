/**
 * Turns of long work: lets other requests, streams and timers run after each 10 ms of it. A sleep
 * after each step would make the work longer where the steps are short.
 */
const turnMs = 10;

export class Turn {
  #beganMs = performance.now();

  /** Waits if the turn is over. Call it between two steps, each of which takes few milliseconds. */
  async pass(): Promise<void> {
    if (performance.now() - this.#beganMs < turnMs) return;
    await Bun.sleep(0);
    this.#beganMs = performance.now();
  }
}
