/**
 * Open requests of the source to awake devices: wake these machines of your subnet. A device gets
 * its requests with the answer of a check-in, until it has answered or the request ends.
 *
 * Requests are kept in memory. After a restart of the source an attempt counts without a result.
 */
import type { WakeRequest } from "../api/schema/agent.ts";
import { canonicalMac } from "../model/wake-on-lan.ts";

/** Time for the answer of a device. */
export const wakeAnswerMs = 60_000;
/** Upper bound on open requests, and on devices of which an unanswered one is remembered. */
const openMax = 10_000;
/** Requests that one answer has. */
const ofDeviceMax = 16;

type Sleeper = { readonly deviceId: string; readonly mac: string };
type Open = {
  readonly id: string;
  readonly taskId: number;
  readonly waker: string;
  readonly sleepers: readonly Sleeper[];
  readonly untilMs: number;
};
/** Devices for which a device has sent packets. */
type Woken = { readonly taskId: number; readonly deviceIds: readonly string[] };

export class WakeRequests {
  readonly #randomBytes: (count: number) => Uint8Array;
  /** By id, the oldest first: all are open for the same time. */
  readonly #open = new Map<string, Open>();
  /** Ids by the device that is asked: each check-in looks for its own. */
  readonly #byWaker = new Map<string, Set<string>>();
  readonly #silent = new Set<string>();

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  /** Whether a number of further requests may be open. */
  hasRoom(count: number, nowMs: number): boolean {
    this.#expire(nowMs);
    return this.#open.size + count <= openMax;
  }

  /** Asks a device, with its next check-in. */
  open(request: Omit<Open, "id" | "untilMs">, nowMs: number): void {
    if (!this.hasRoom(1, nowMs)) return;
    const id = Buffer.from(this.#randomBytes(8)).toString("hex");
    this.#open.set(id, { ...request, id, untilMs: nowMs + wakeAnswerMs });
    const ofWaker = this.#byWaker.get(request.waker);
    if (ofWaker === undefined) this.#byWaker.set(request.waker, new Set([id]));
    else ofWaker.add(id);
  }

  /** Returns the open requests to a device. */
  of(deviceId: string, nowMs: number): WakeRequest[] {
    this.#expire(nowMs);
    return [...(this.#byWaker.get(deviceId) ?? [])]
      .slice(0, ofDeviceMax)
      .map((id) => ({ id, macs: this.#open.get(id)!.sleepers.map(({ mac }) => mac) }));
  }

  /**
   * Takes the answer of a device.
   * @returns null for a request of another device, or one that has ended
   */
  answered(id: string, waker: string, macs: readonly string[], nowMs: number): Woken | null {
    this.#expire(nowMs);
    const request = this.#open.get(id);
    if (request?.waker !== waker) return null;
    this.#close(request);
    this.#silent.delete(waker);
    const sent = new Set(macs.map(canonicalMac));
    const woken = request.sleepers.filter(({ mac }) => sent.has(canonicalMac(mac)));
    return { taskId: request.taskId, deviceIds: woken.map(({ deviceId }) => deviceId) };
  }

  /** Whether the last request to a device ended without an answer, as with an earlier version. */
  isSilent(deviceId: string): boolean {
    return this.#silent.has(deviceId);
  }

  #expire(nowMs: number): void {
    // An end that is far ahead was set before the source's clock was set back. The check-in of an
    // answer may have begun before the request.
    for (const request of this.#open.values()) {
      const { untilMs, waker } = request;
      if (untilMs > nowMs && untilMs <= nowMs + 2 * wakeAnswerMs) return;
      this.#close(request);
      this.#silent.add(waker);
      if (this.#silent.size > openMax) this.#silent.delete(this.#silent.values().next().value!);
    }
  }

  #close({ id, waker }: Open): void {
    this.#open.delete(id);
    const ofWaker = this.#byWaker.get(waker);
    ofWaker?.delete(id);
    if (ofWaker?.size === 0) this.#byWaker.delete(waker);
  }
}
