/**
 * Requests of a session to the source: the lease of (package, subnet), and the token for a WAN
 * fallback. Every request ends with an answer; a source that does not respond gives the answer
 * "unreachable".
 */
import type { AgentTask, LeaseResponse } from "../api/schema/agent.ts";
import type { FallbackAnswer, LeaseAnswer } from "../core/events.ts";
import { timing } from "../core/timing.ts";
import { sleep } from "../model/clock.ts";
import type { DevicePorts } from "./ports.ts";
import type { WanSpending } from "./wan-spending.ts";

/**
 * Interval at which a request checks for the subnet, which a new agent learns at its first
 * check-in.
 */
const subnetPollMs = 50;
/** Upper bound of the API on the reason of a failure, in characters. */
const failureLengthMax = 1_000;

/** Requests with a lower term, after an answer that named the highest one. */
const lowerMax = 3;

type LeaseQuestion = { readonly term: number; readonly query: boolean; readonly starting: boolean };

export class LeaseRequests {
  readonly #ports: DevicePorts;
  /** Fields of a request that name the task. */
  readonly #task: { readonly taskId: number; readonly epoch: string };
  readonly #spending: WanSpending;
  readonly #isOpen: () => boolean;
  /** Numbers of the last lease request sent, and of the last one that the source answered. */
  #sent = 0;
  #answered = 0;
  /**
   * Term that was granted for the term `from` of the LAN, which rose too far while the source did
   * not answer. A renewal states it again; a candidate asks for the highest possible one each time.
   */
  #lowered = { from: 0, to: 0 };
  /** Subnet of the granted fallback token; null: none was granted. */
  #fallbackSubnetId: string | null = null;

  /** @param isOpen returns false once the session is closed */
  constructor(
    ports: DevicePorts,
    { id: taskId, epoch }: Pick<AgentTask, "id" | "epoch">,
    spending: WanSpending,
    isOpen: () => boolean,
  ) {
    this.#ports = ports;
    this.#task = { taskId, epoch };
    this.#spending = spending;
    this.#isOpen = isOpen;
  }

  /**
   * Requests or extends the lease.
   * @param request `query` only asks which device holds the lease; `starting` also asks how many
   * devices are expected
   * @returns null if the source has already answered a later request: this answer is outdated
   */
  async lease(asked: LeaseQuestion): Promise<LeaseAnswer | null> {
    const request = ++this.#sent;
    const answer = await this.#requestLease(asked);
    if (answer.result === "unreachable") return answer;
    if (request < this.#answered) return null;
    this.#answered = request;
    return answer;
  }

  async #requestLease({ term, query, starting }: LeaseQuestion): Promise<LeaseAnswer> {
    const { source, place, peers, log, clock } = this.#ports;
    const untilMs = clock.nowMs() + timing.leaseTimeoutMs;
    while (place.subnetId === null && this.#isOpen() && clock.nowMs() < untilMs)
      await sleep(clock, subnetPollMs);
    const { subnetId, address } = place;
    if (subnetId === null) return { result: "unreachable" };
    const { uselessBytes } = this.#spending;
    let stated = this.#lowered.from === term ? this.#lowered.to : term;
    const ask = (): Promise<LeaseResponse> =>
      source.lease({
        ...this.#task,
        subnetId,
        address,
        lanPort: peers.lanPort,
        term: stated,
        ...(query ? { query } : {}),
        ...(starting ? { starting } : {}),
        uselessBytes,
      });
    try {
      let answer = await ask();
      for (let times = 0; answer.result === "term-too-high" && times < lowerMax; times++) {
        stated = answer.termMax;
        answer = await ask();
      }
      this.#lowered = { from: term, to: answer.result === "granted" ? stated : term };
      if (answer.result === "term-too-high") return { result: "unreachable" };
      if (answer.result !== "granted") return answer;
      this.#spending.granted(answer, uselessBytes);
      const { present } = answer;
      const before = answer.before && peers.isNeighbour(answer.before.address) ? answer.before : null;
      return {
        result: "granted",
        term: answer.term,
        ...(present === undefined ? {} : { present }),
        before: before && { device: before.deviceId, address: before.address, lanPort: before.lanPort },
      };
    } catch (error) {
      log.warn(
        { taskId: this.#task.taskId, error: String(error) },
        "the source did not answer about the lease",
      );
      return { result: "unreachable" };
    }
  }

  /**
   * Releases the lease.
   * @param failure why this representative failed; null: it did not
   */
  async release(failure: string | null): Promise<void> {
    const { source, place, log } = this.#ports;
    const { subnetId } = place;
    if (subnetId === null) return;
    const task = this.#task;
    const { uselessBytes } = this.#spending;
    const reason = failure?.slice(0, failureLengthMax) ?? null;
    try {
      await source.releaseLease({ ...task, subnetId, failure: reason, uselessBytes });
    } catch (error) {
      log.warn({ taskId: task.taskId, error: String(error) }, "the lease was not released: it expires");
    }
  }

  /** Requests or extends the token for a WAN fallback. */
  async fallback(): Promise<FallbackAnswer> {
    const { source, place, log } = this.#ports;
    const { subnetId } = place;
    if (subnetId === null) return { result: "unreachable" };
    const task = this.#task;
    const { uselessBytes } = this.#spending;
    try {
      const answer = await source.fallback({ ...task, subnetId, uselessBytes });
      if (answer.result === "refused") return answer;
      this.#spending.granted(answer, uselessBytes);
      this.#fallbackSubnetId = subnetId;
      return { result: "granted" };
    } catch (error) {
      log.warn(
        { taskId: task.taskId, error: String(error) },
        "the source did not answer about a WAN fallback",
      );
      return { result: "unreachable" };
    }
  }

  /** Releases the token, if there is one, so that the next device need not wait for its expiry. */
  releaseFallback(): void {
    const subnetId = this.#fallbackSubnetId;
    this.#fallbackSubnetId = null;
    if (subnetId === null) return;
    const { uselessBytes } = this.#spending;
    this.#ports.source.fallback({ ...this.#task, subnetId, release: true, uselessBytes }).catch(() => {
      // The token expires.
    });
  }
}
