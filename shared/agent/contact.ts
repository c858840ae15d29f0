/** Whether the source is reached, and since when and why not: for `status` and the log. */
import { contactProblemOf, SourceError, type ContactProblem } from "../api/agent-client.ts";
import type { Logger } from "../log.ts";

const unknownDeviceText =
  "the source does not know this device: it was restored from a backup that is older than the enrolment, or the device was removed; start the agent once with --enroll-file FILE (enroll.token of the source's data folder)";

/** Whether the source refused the credential of the device. */
export const isUnknownDevice = (error: unknown): boolean =>
  error instanceof SourceError && error.status === 401;

export type LostContact = {
  readonly why: ContactProblem;
  readonly text: string;
  /** Time of this device at which the reason began. */
  readonly sinceMs: number;
};

export class Contact {
  readonly #log: Logger;
  readonly #wallMs: () => number;
  #lost: LostContact | null = null;

  constructor(log: Logger, wallMs: () => number) {
    this.#log = log;
    this.#wallMs = wallMs;
  }

  /** Null while the source answers, and before the first request has ended. */
  get lost(): LostContact | null {
    return this.#lost;
  }

  onAnswer(): void {
    if (this.#lost !== null) this.#log.info({ why: this.#lost.why }, "the source answers again");
    this.#lost = null;
  }

  /** Logs each change of the reason. */
  onFailure(error: unknown, retryInMs: number): void {
    const why = contactProblemOf(error);
    const own = error instanceof Error ? error.message : String(error);
    const text = isUnknownDevice(error) ? unknownDeviceText : own;
    if (this.#lost?.why === why) {
      this.#lost = { ...this.#lost, text };
      return;
    }
    this.#lost = { why, text, sinceMs: this.#wallMs() };
    this.#log.warn({ why, error: text, retryInMs }, "the source is not reached");
  }
}
