/**
 * What a session asks the source for: the lease of (package, subnet), and the token to download although another device
 * leads. Every request ends with an answer; a source that does not answer is an answer too ("unreachable").
 */
import type { FallbackAnswer, LeaseAnswer } from "../core/events.ts";
import { timing } from "../core/timing.ts";
import type { AgentContext } from "./context.ts";

/** An agent that just started learns its subnet at the first check-in. */
const subnetPollMs = 50;

export class LeaseRequests {
  readonly #context: AgentContext;
  readonly #taskId: () => number;
  readonly #isOpen: () => boolean;
  /** The subnet for which the source granted this device a token. */
  #fallbackSubnetId: string | null = null;

  /** @param options.isOpen false once the session is closed */
  constructor(options: { context: AgentContext; taskId: () => number; isOpen: () => boolean }) {
    this.#context = options.context;
    this.#taskId = options.taskId;
    this.#isOpen = options.isOpen;
  }

  /** @param query only asks who holds the lease */
  async lease(term: number, query: boolean): Promise<LeaseAnswer> {
    const { client, interfaceAddress, exchange, log, nowMs } = this.#context;
    const untilMs = nowMs() + timing.leaseTimeoutMs;
    while (this.#context.subnetId === null && this.#isOpen() && nowMs() < untilMs)
      await Bun.sleep(subnetPollMs);
    const { subnetId } = this.#context;
    if (subnetId === null) return { result: "unreachable" };
    const taskId = this.#taskId();
    try {
      const answer = await client.lease({
        taskId,
        subnetId,
        address: interfaceAddress,
        lanPort: exchange.port,
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
    const { client, subnetId, log } = this.#context;
    if (subnetId === null) return;
    const taskId = this.#taskId();
    try {
      await client.releaseLease({ taskId, subnetId, failure: failure?.slice(0, 1_000) ?? null });
    } catch (error) {
      log.warn({ taskId, error: String(error) }, "could not release the lease: it expires by itself");
    }
  }

  async fallback(): Promise<FallbackAnswer> {
    const { client, subnetId, log } = this.#context;
    if (subnetId === null) return { result: "unreachable" };
    const taskId = this.#taskId();
    try {
      const answer = await client.fallback({ taskId, subnetId });
      if (answer.result === "granted") this.#fallbackSubnetId = subnetId;
      return answer;
    } catch (error) {
      log.warn(
        { taskId, error: String(error) },
        "the source did not answer about a download of this device's own",
      );
      return { result: "unreachable" };
    }
  }

  /** The next device of the subnet need not wait until the token expires. */
  releaseFallback(): void {
    const subnetId = this.#fallbackSubnetId;
    this.#fallbackSubnetId = null;
    if (subnetId === null) return;
    this.#context.client.fallback({ taskId: this.#taskId(), subnetId, release: true }).catch(() => {
      // The token expires.
    });
  }
}
