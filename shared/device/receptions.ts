/**
 * Devices from which a session received: the last announcement or answer, and the verified bytes.
 * Reports carry them, because the source takes the lease away from a holder that serves nobody
 * (shared/model/lease-service.ts).
 */
import { type ReceivedFrom, receivedFromMax } from "../api/schema/common.ts";
import { SenderDirectory } from "../core/peers/sender-directory.ts";

/** Upper bound on remembered devices; the one without a sign for the longest time is dropped. */
const knownMax = 64;

type Reception = { bytes: number; signAtMs: number; bytesAtMs: number | null };

export class Receptions {
  readonly senders = new SenderDirectory();
  /** In the order of the last sign. */
  readonly #known = new Map<string, Reception>();

  /** Notes an announcement, or an answer of the LAN exchange. */
  sign(deviceId: string, nowMs: number): void {
    this.#note(deviceId, nowMs);
  }

  /** Notes a verified chunk. */
  bytes(deviceId: string, bytes: number, nowMs: number): void {
    const known = this.#note(deviceId, nowMs);
    known.bytes += bytes;
    known.bytesAtMs = nowMs;
  }

  /** Returns the devices received last, the latest one first. */
  list(nowMs: number): ReceivedFrom[] {
    const ageMs = (atMs: number): number => Math.max(0, Math.round(nowMs - atMs));
    return [...this.#known]
      .toReversed()
      .slice(0, receivedFromMax)
      .map(([deviceId, { bytes, signAtMs, bytesAtMs }]) => ({
        deviceId,
        bytes,
        signAgoMs: ageMs(signAtMs),
        bytesAgoMs: bytesAtMs === null ? null : ageMs(bytesAtMs),
      }));
  }

  #note(deviceId: string, nowMs: number): Reception {
    const known = this.#known.get(deviceId) ?? { bytes: 0, signAtMs: nowMs, bytesAtMs: null };
    known.signAtMs = nowMs;
    this.#known.delete(deviceId);
    this.#known.set(deviceId, known);
    if (this.#known.size > knownMax) this.#known.delete(this.#known.keys().next().value!);
    return known;
  }
}
