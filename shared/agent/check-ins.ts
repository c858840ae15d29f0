/**
 * Keeps in touch with the source: a check-in at the start, when woken over the held-open stream, and at least as
 * often as the setting says. Jittered, so that a thousand devices do not ask in the same moment.
 */
import type { AgentClient } from "../api/agent-client.ts";
import type { CheckInResponse } from "../api/schema/agent.ts";
import type { Inventory } from "../api/schema/common.ts";
import type { Logger } from "../log.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";

/**
 * Back-off after a failed check-in. Five minutes is far below the default interval of a day,
 * and a change stream that connects again triggers a check-in at once.
 */
const checkInBackoff: Backoff = { baseMs: 1_000, maxMs: 300_000, jitter: [0.75, 1.25] };
const wakeJitterMs = 300;
const intervalJitter = 0.1;
/** A timer of more than 2^31 ms, which is not 25 days, would fire at once. */
const timerMsMax = 20 * 86_400_000;

type CheckInOptions = {
  client: AgentClient;
  log: Logger;
  intervalMs: () => number;
  inventory: () => Promise<Inventory>;
  onAnswer: (answer: CheckInResponse) => void;
  random: () => number;
};

export class CheckIns {
  isConnected = false;
  readonly #options: CheckInOptions;
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #state: "resting" | "asking" | "asking-again" = "resting";
  #failures = 0;

  constructor(options: CheckInOptions) {
    this.#options = options;
  }

  start(): void {
    this.#ask();
    const { client, log } = this.#options;
    void client.events(
      this.#abort.signal,
      (reason) => {
        this.isConnected = true;
        if (reason === "changed") this.#later(this.#options.random() * wakeJitterMs);
        else this.#ask();
      },
      (error, retryInMs) => {
        if (this.isConnected) log.warn({ error: String(error), retryInMs }, "lost the source");
        this.isConnected = false;
      },
    );
  }

  /** This device changed: tell the source at once. */
  hurry(): void {
    this.#failures = 0;
    if (!this.#abort.signal.aborted) this.#ask();
  }

  stop(): void {
    this.#abort.abort();
    if (this.#timer) clearTimeout(this.#timer);
  }

  #later(delayMs: number): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), delayMs);
  }

  #ask(): void {
    if (this.#state !== "resting") {
      this.#state = "asking-again";
      return;
    }
    this.#state = "asking";
    void this.#askOnce().finally(() => {
      const again = this.#state === "asking-again";
      this.#state = "resting";
      if (again && !this.#abort.signal.aborted) this.#ask();
    });
  }

  async #askOnce(): Promise<void> {
    const { client, log, inventory, intervalMs, onAnswer, random } = this.#options;
    try {
      const answer = await client.checkIn(await inventory(), this.#abort.signal);
      if (this.#abort.signal.aborted) return;
      if (this.#failures > 0) log.info("the source answers again");
      this.#failures = 0;
      onAnswer(answer);
      this.#later(Math.min(intervalMs(), timerMsMax) * (1 - intervalJitter + 2 * intervalJitter * random()));
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const delayMs = backoffMs(checkInBackoff, this.#failures++, random);
      log.warn(
        { error: error instanceof Error ? error.message : String(error), retryInMs: delayMs },
        "check-in failed",
      );
      this.#later(delayMs);
    }
  }
}
