/**
 * Life of a sender: when the frames of a process get a new sender id (wire/incarnation.ts).
 *
 * A machine that returns to a snapshot, or is copied while it runs, continues with the sequences of
 * the past. A new id makes sure that no (sender, sequence) names two frames. A jump between the
 * wall clock and the monotonic clock shows most of these returns; the age bounds the others.
 */
import type { Clock } from "../model/clock.ts";
import { createIncarnation, type Incarnation } from "../wire/index.ts";

/** Longest use of a sender id. Peers accept a new one after about a second of silence. */
const ageMsMax = 600_000;
/** Jump between the two clocks that is not the correction of a drift. */
const jumpMs = 1_000;

export type SenderLifeOptions = {
  readonly clock: Clock;
  /** Returns a new random sender id, 16 hex digits. */
  readonly newSender: () => string;
  /** Shorter in the simulator. */
  readonly senderMsMax?: number | undefined;
  /** Called for each incarnation, the first one too. */
  readonly onIncarnation?: ((incarnation: Incarnation) => void) | undefined;
};

export class SenderLife {
  readonly #options: SenderLifeOptions;
  #incarnation!: Incarnation;
  #beganAtMs = 0;
  /** Wall clock minus monotonic clock at the start of the incarnation. */
  #offsetMs = 0;

  constructor(options: SenderLifeOptions) {
    this.#options = options;
    this.renew();
  }

  get incarnation(): Incarnation {
    return this.#incarnation;
  }

  /** Whether the id is too old, or a clock has jumped since it was chosen. */
  get isDue(): boolean {
    const { clock, senderMsMax = ageMsMax } = this.#options;
    const nowMs = clock.nowMs();
    const ageMs = nowMs - this.#beganAtMs;
    return ageMs < 0 || ageMs >= senderMsMax || Math.abs(clock.wallMs() - nowMs - this.#offsetMs) >= jumpMs;
  }

  renew(): void {
    const { clock, newSender, onIncarnation } = this.#options;
    this.#beganAtMs = clock.nowMs();
    this.#offsetMs = clock.wallMs() - this.#beganAtMs;
    this.#incarnation = createIncarnation(newSender());
    onIncarnation?.(this.#incarnation);
  }
}
