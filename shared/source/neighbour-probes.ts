/**
 * Probes between two devices that may be on one LAN although their subnets have different
 * identities. The source gives both the same secret and each the other's address; the devices
 * prove to each other over the LAN exchange that they know it. Only if both confirm are they
 * neighbours: neither the word of one, nor a public address in common, is a proof.
 *
 * Probes are kept in memory. After a restart of the source they begin again.
 */
import { backoffMs, type Backoff } from "../model/backoff.ts";

/** Time for a probe: the wake, the check-in of the other device and a few attempts. */
const probeMs = 60_000;
/** Upper bound on open probes; each takes a few hundred bytes. */
const openMax = 1_024;
/** Upper bound on remembered attempts; the oldest is dropped. */
const attemptsMax = 10_000;
/** Time until the same pair is probed again. Two sites with one CIDR never confirm each other. */
const retry: Backoff = { baseMs: 60_000, maxMs: 3_600_000, jitter: [1, 1] };

type ProbeSide = { readonly deviceId: string; readonly address: string; readonly lanPort: number };
/** A probe as one of the two devices gets it, with the address of the other one. */
type GivenProbe = ProbeSide & { readonly id: string; readonly secret: Uint8Array };
type Probe = {
  readonly id: string;
  readonly secret: Uint8Array;
  readonly sides: readonly [ProbeSide, ProbeSide];
  readonly confirmedBy: Set<string>;
  readonly untilMs: number;
  readonly pair: string;
};

export class NeighbourProbes {
  readonly #randomBytes: (count: number) => Uint8Array;
  readonly #open = new Map<string, Probe>();
  readonly #attempts = new Map<string, { count: number; nextAtMs: number }>();

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  /**
   * Opens a probe.
   *
   * @param pair name of what the probe would merge; one that failed is retried with back-off
   * @returns whether it was opened
   */
  open(pair: string, sides: readonly [ProbeSide, ProbeSide], nowMs: number): boolean {
    this.#expire(nowMs);
    const attempt = this.#attempts.get(pair) ?? { count: 0, nextAtMs: 0 };
    const isWaiting = attempt.nextAtMs > nowMs && attempt.nextAtMs <= nowMs + 2 * retry.maxMs;
    if (isWaiting || this.#open.size >= openMax) return false;
    const nextAtMs = nowMs + backoffMs(retry, attempt.count, () => 0);
    this.#attempts.delete(pair);
    this.#attempts.set(pair, { count: attempt.count + 1, nextAtMs });
    if (this.#attempts.size > attemptsMax) this.#attempts.delete(this.#attempts.keys().next().value!);
    const id = Buffer.from(this.#randomBytes(8)).toString("hex");
    const secret = this.#randomBytes(16);
    this.#open.set(id, { id, secret, sides, confirmedBy: new Set(), untilMs: nowMs + probeMs, pair });
    return true;
  }

  /** Returns the open probes of a device that it has not confirmed. */
  of(deviceId: string, nowMs: number): GivenProbe[] {
    this.#expire(nowMs);
    const given: GivenProbe[] = [];
    for (const { id, secret, sides, confirmedBy } of this.#open.values()) {
      const at = sides.findIndex((side) => side.deviceId === deviceId);
      if (at >= 0 && !confirmedBy.has(deviceId)) given.push(Object.assign({ id, secret }, sides[1 - at]!));
    }
    return given;
  }

  /**
   * Takes the word of one side.
   *
   * @returns both device ids once both sides have confirmed, otherwise null
   */
  confirm(id: string, deviceId: string, nowMs: number): readonly [string, string] | null {
    this.#expire(nowMs);
    const probe = this.#open.get(id);
    if (!probe?.sides.some((side) => side.deviceId === deviceId)) return null;
    probe.confirmedBy.add(deviceId);
    if (probe.confirmedBy.size < 2) return null;
    this.#open.delete(id);
    this.#attempts.delete(probe.pair);
    return [probe.sides[0].deviceId, probe.sides[1].deviceId];
  }

  #expire(nowMs: number): void {
    // An end that is far ahead was set before the source's clock was set back.
    for (const [id, { untilMs }] of this.#open)
      if (untilMs <= nowMs || untilMs > nowMs + 2 * probeMs) this.#open.delete(id);
  }
}
