/** Request that the agent stops: by a signal, by its supervisor, or for an upgrade. */
import type { Logger } from "../log.ts";

/** Upper bound on a shutdown; after it the process exits even if something hangs. */
const stopMsMax = 4_500;
const signals = ["SIGTERM", "SIGINT"] as const;

export class StopRequest {
  /** Resolves with the first request. */
  readonly asked: Promise<void>;
  isFromOutside = false;
  readonly #log: Logger;
  readonly #abort = new AbortController();
  readonly #resolve: () => void;
  #limit: ReturnType<typeof setTimeout> | null = null;

  constructor(log: Logger) {
    this.#log = log;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.asked = promise;
    this.#resolve = resolve;
    for (const name of signals) process.once(name, this.#onSignal);
  }

  /** Aborted with the first request. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** @param by who asks, for the log */
  ask(by: string): void {
    if (this.#limit !== null) return;
    this.#log.info({ by }, "agent is stopping");
    this.#abort.abort();
    this.#resolve();
    this.#limit = setTimeout(() => {
      this.#log.error(`agent did not stop within ${stopMsMax} ms: exiting`);
      process.exit(1);
    }, stopMsMax);
    this.#limit.unref();
  }

  /** The agent has stopped: the process may continue otherwise. */
  close(): void {
    if (this.#limit !== null) clearTimeout(this.#limit);
    for (const name of signals) process.off(name, this.#onSignal);
  }

  /** A person or the system asks, so nothing starts the agent again. */
  askFromOutside(by: string): void {
    this.isFromOutside = true;
    this.ask(by);
  }

  readonly #onSignal = (name: string): void => this.askFromOutside(name);
}
