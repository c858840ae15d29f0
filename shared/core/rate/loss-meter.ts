/**
 * What share of the stream a receiver loses: the representative says with every END how many symbols it has sent, the
 * receiver knows how many it heard. One that loses a quarter and more is a straggler: it cannot keep up, so it stops
 * asking for repairs, which would cost everybody's time, and completes from its peers after the end.
 */

/** Fewer sent symbols say too little; they count with the next END. */
const symbolsMin = 100;
const stragglesPermille = 250;
const recoversPermille = 100;
/** So many measurements in a row make a straggler, or none of one. */
const measurementsInRow = 2;

export class LossMeter {
  #sentBefore: number | null = null;
  #received = 0;
  #lossPermille: number | null = null;
  #inRow = 0;
  #state: "follows" | "straggles" = "follows";

  /** So many symbols more were heard. */
  received(symbols: number): void {
    this.#received += symbols;
  }

  /**
   * An END said how many symbols its representative had sent. Returns the loss since the last measurement, ‰, or null
   * when there is none yet.
   */
  onEnd(symbolsSent: number): number | null {
    const before = this.#sentBefore;
    if (before === null || symbolsSent < before) {
      // Joined just now, or somebody else leads.
      this.#sentBefore = symbolsSent;
      this.#received = 0;
      return null;
    }
    const sent = symbolsSent - before;
    if (sent < symbolsMin) return null;
    const lossPermille = Math.round(1_000 * Math.max(0, 1 - this.#received / sent));
    this.#sentBefore = symbolsSent;
    this.#received = 0;
    this.#lossPermille = lossPermille;
    const isOpposite =
      this.#state === "follows" ? lossPermille >= stragglesPermille : lossPermille < recoversPermille;
    this.#inRow = isOpposite ? this.#inRow + 1 : 0;
    if (this.#inRow >= measurementsInRow) {
      this.#state = this.#state === "follows" ? "straggles" : "follows";
      this.#inRow = 0;
    }
    return lossPermille;
  }

  get lossPermille(): number | null {
    return this.#lossPermille;
  }

  get straggles(): boolean {
    return this.#state === "straggles";
  }
}
