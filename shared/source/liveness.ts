/**
 * Finds out whether a device that seems to be connected still answers. After a power failure its
 * event stream stays open for minutes, and the machine may be enrolling again.
 */
import type { ChangeHub } from "./change-hub.ts";

/** Time for the check-in of a device that was asked for one. */
const answerMs = 5_000;

export class Liveness {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #changeHub: ChangeHub;

  constructor(changeHub: ChangeHub) {
    this.#changeHub = changeHub;
  }

  noteCheckIn(deviceId: string): void {
    for (const answer of this.#waiting.get(deviceId) ?? []) answer();
  }

  /** Returns whether the device is connected, and checks in when it is asked to. */
  async answers(deviceId: string): Promise<boolean> {
    if (!this.#changeHub.isConnected(deviceId)) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const answer = (): void => resolve(true);
    const waiting = this.#waiting.get(deviceId) ?? new Set();
    this.#waiting.set(deviceId, waiting.add(answer));
    const timer = setTimeout(() => resolve(false), answerMs);
    try {
      this.#changeHub.notify([deviceId]);
      return await promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(answer);
      if (waiting.size === 0) this.#waiting.delete(deviceId);
    }
  }
}
