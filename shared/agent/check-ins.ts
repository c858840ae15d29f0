/**
 * Checks in with the source: at the start, on each event of the change stream, and at the
 * configured interval. Check-ins after an event are spread over the time that the source names, and
 * those at the interval over a fifth of it. A change stream that connects again triggers one
 * without delay, because the connections themselves are spread.
 */
import type { CheckInRequest } from "../api/schema/agent.ts";
import { isRenewed, type AgentClient, type CheckInAnswer } from "../api/agent-client.ts";
import type { Approval } from "../api/schema/agent.ts";
import type { Inventory } from "../api/schema/common.ts";
import type { Logger } from "../log.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { Contact } from "./contact.ts";
import { instance } from "./instance.ts";

/**
 * Back-off after a failed check-in. Five minutes is far below the default interval of a day,
 * and a change stream that connects again triggers a check-in at once.
 */
const checkInBackoff: Backoff = { baseMs: 1_000, maxMs: 300_000, jitter: [0.75, 1.25] };
const intervalJitter = 0.1;
/** All devices of a setting state a new version of it. */
const statementSpreadMs = 60_000;
/** A timer longer than 2^31 ms, just under 25 days, would fire at once. */
const timerMsMax = 20 * 86_400_000;

type CheckInOptions = {
  client: AgentClient;
  log: Logger;
  intervalMs: () => number;
  inventory: () => Promise<Inventory>;
  /** Packages in the cache, and the own setting in use. */
  stated: () => Pick<CheckInRequest, "packages" | "cached" | "setting">;
  /** Tasks that have ended here, and that this device still serves. */
  serving: () => number[];
  /** Version of the trust file that the device has, and sequence of its assignments. */
  trust: () => { version: number; assignments: number };
  /** TCP port of the LAN exchange. */
  lanPort: () => number;
  /** A request or the change stream failed; not called after the stop. */
  onFailure: () => void;
  /** @param serving as it was sent with the request */
  onAnswer: (answer: CheckInAnswer, serving: readonly number[]) => void;
  random: () => number;
};

export class CheckIns {
  /** Whether the change stream is open. */
  isConnected = false;
  /** State of an approval in the last answer; null until the source answered. */
  approval: Approval | null = null;
  readonly contact: Contact;
  readonly #options: CheckInOptions;
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #state: "idle" | "asking" | "asking-again" = "idle";
  #failures = 0;

  constructor(options: CheckInOptions) {
    this.#options = options;
    this.contact = new Contact(options.log, Date.now);
  }

  start(): void {
    this.#ask();
    const { client, log } = this.#options;
    void client.events(
      this.#abort.signal,
      (wake) => {
        this.isConnected = true;
        if (wake.reason === "connected") return this.#ask();
        this.#askWithin(this.#options.random() * wake.spreadMs);
      },
      (error, retryInMs) => {
        if (this.isConnected && !isRenewed(error))
          log.warn({ error: String(error), retryInMs }, "lost the source");
        this.isConnected = false;
        this.#onFailure(error, retryInMs);
      },
    );
  }

  #onFailure(error: unknown, retryInMs: number): void {
    if (this.#abort.signal.aborted || isRenewed(error)) return;
    this.contact.onFailure(error, retryInMs);
    this.#options.onFailure();
  }

  /** Checks in at once, because this device has changed. */
  hurry(): void {
    this.#failures = 0;
    if (!this.#abort.signal.aborted) this.#ask();
  }

  /** Checks in within a minute, because the device states something else than before. */
  stateSoon(): void {
    if (!this.#abort.signal.aborted) this.#askWithin(this.#options.random() * statementSpreadMs);
  }

  stop(): void {
    this.#abort.abort();
    if (this.#timer) clearTimeout(this.#timer);
  }

  /**
   * Checks in after the delay, or earlier if that is scheduled: each of several events draws a
   * delay, and one that arrives during a check-in may be news that its answer does not have.
   */
  #askWithin(delayMs: number): void {
    const dueAtMs = performance.now() + delayMs;
    if (dueAtMs >= this.#dueAtMs) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#dueAtMs = dueAtMs;
    this.#timer = setTimeout(() => this.#ask(), delayMs);
  }

  #ask(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    if (this.#state !== "idle") {
      this.#state = "asking-again";
      return;
    }
    this.#state = "asking";
    void this.#askOnce().finally(() => {
      const again = this.#state === "asking-again";
      this.#state = "idle";
      if (again && !this.#abort.signal.aborted) this.#ask();
    });
  }

  async #askOnce(): Promise<void> {
    const { client, inventory, stated, serving, lanPort, trust, intervalMs, onAnswer, random } =
      this.#options;
    try {
      const request = {
        inventory: await inventory(),
        serving: serving(),
        lanPort: lanPort(),
        instance,
        ...stated(),
        trust: trust(),
      };
      const answer = await client.checkIn(request, this.#abort.signal);
      if (this.#abort.signal.aborted) return;
      this.contact.onAnswer();
      this.approval = answer.approval;
      this.#failures = 0;
      onAnswer(answer, request.serving);
      this.#askWithin(
        Math.min(intervalMs(), timerMsMax) * (1 - intervalJitter + 2 * intervalJitter * random()),
      );
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const delayMs = backoffMs(checkInBackoff, this.#failures++, random);
      this.#askWithin(delayMs);
      this.#onFailure(error, delayMs);
    }
  }
}
