/**
 * What a session asks the source for: the lease of (package, subnet), and the token to download although another device
 * leads. Every request ends with an answer; a source that does not answer is an answer too ("unreachable").
 */
import type { FallbackAnswer, LeaseAnswer } from "../core/events.ts";
import { timing } from "../core/timing.ts";
import { sleep } from "../model/clock.ts";
import type { DevicePorts } from "./ports.ts";

/** An agent that just started learns its subnet at the first check-in. */
const subnetPollMs = 50;
/** Bound of the API on the reason of a failure. */
const failureLengthMax = 1_000;

export class LeaseRequests {
  readonly #ports: DevicePorts;
  readonly #taskId: number;
  readonly #isOpen: () => boolean;
  /** Numbers of the last request for the lease that was sent, and of the last one that the source answered. */
  #sent = 0;
  #answered = 0;
  /** The subnet for which the source granted this device a token. */
  #fallbackSubnetId: string | null = null;

  /** @param isOpen false once the session is closed */
  constructor(ports: DevicePorts, taskId: number, isOpen: () => boolean) {
    this.#ports = ports;
    this.#taskId = taskId;
    this.#isOpen = isOpen;
  }

  /**
   * Returns null when the source has answered a later request meanwhile: an answer that was overtaken says what was so before.
   * @param query only asks who holds the lease
   */
  async lease(term: number, query: boolean): Promise<LeaseAnswer | null> {
    const request = ++this.#sent;
    const answer = await this.#requestLease(term, query);
    if (answer.result === "unreachable") return answer;
    if (request < this.#answered) return null;
    this.#answered = request;
    return answer;
  }

  async #requestLease(term: number, query: boolean): Promise<LeaseAnswer> {
    const { source, place, peers, log, clock } = this.#ports;
    const untilMs = clock.nowMs() + timing.leaseTimeoutMs;
    while (place.subnetId === null && this.#isOpen() && clock.nowMs() < untilMs)
      await sleep(clock, subnetPollMs);
    const { subnetId, address } = place;
    if (subnetId === null) return { result: "unreachable" };
    const taskId = this.#taskId;
    try {
      const answer = await source.lease({
        taskId,
        subnetId,
        address,
        lanPort: peers.lanPort,
        term,
        ...(query ? { query } : {}),
      });
      if (answer.result !== "granted") return answer;
      const { before, term: granted } = answer;
      return {
        result: "granted",
        term: granted,
        before: before && { device: before.deviceId, address: before.address, lanPort: before.lanPort },
      };
    } catch (error) {
      log.warn({ taskId, error: String(error) }, "the source did not answer about the lease");
      return { result: "unreachable" };
    }
  }

  async release(failure: string | null): Promise<void> {
    const { source, place, log } = this.#ports;
    const { subnetId } = place;
    if (subnetId === null) return;
    const taskId = this.#taskId;
    try {
      await source.releaseLease({ taskId, subnetId, failure: failure?.slice(0, failureLengthMax) ?? null });
    } catch (error) {
      log.warn({ taskId, error: String(error) }, "the lease was not released: it expires");
    }
  }

  async fallback(): Promise<FallbackAnswer> {
    const { source, place, log } = this.#ports;
    const { subnetId } = place;
    if (subnetId === null) return { result: "unreachable" };
    const taskId = this.#taskId;
    try {
      const answer = await source.fallback({ taskId, subnetId });
      if (answer.result === "granted") this.#fallbackSubnetId = subnetId;
      return answer;
    } catch (error) {
      log.warn({ taskId, error: String(error) }, "the source did not answer about a WAN fallback");
      return { result: "unreachable" };
    }
  }

  /** The next device of the subnet need not wait until the token expires. */
  releaseFallback(): void {
    const subnetId = this.#fallbackSubnetId;
    this.#fallbackSubnetId = null;
    if (subnetId === null) return;
    this.#ports.source.fallback({ taskId: this.#taskId, subnetId, release: true }).catch(() => {
      // The token expires.
    });
  }
}
