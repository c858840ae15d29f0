/** Wire: sizes of datagrams, nonces that are never used twice, and the rate of the multicast. */
import { headerAt } from "../../wire/layout.ts";
import type { Machine } from "../machine.ts";
import { burstBytesOf } from "../lan.ts";
import { datagramBytesOf } from "../network.ts";
import type { Checker } from "./checker.ts";

/** Window over which the rate is measured. */
const windowMs = 400;
/** Upper bound on rate ÷ limit: the token bucket catches up with a late timer at 25 % more. */
const catchUpFactor = 1.25;
/** Bursts at once: three after a late timer (core/rate/token-bucket.ts), and one in progress. */
const burstsMax = 4;

type Sent = { fromMs: number; bytes: number; rateBps: number };

export class WireCheck {
  datagrams = 0;
  readonly #checker: Checker;
  /** Used sequence numbers, by the first four bytes of the session id and of the sender id. */
  readonly #used = new Map<number, Map<number, Uint8Array>>();
  readonly #paces = new Map<Machine, Sent>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  /** Checks size and nonce of a datagram. */
  sent(machine: Machine, datagram: Uint8Array): void {
    const { world, fail } = this.#checker;
    this.datagrams++;
    if (datagram.length > datagramBytesOf(machine))
      fail("limits", machine, `a datagram of ${datagram.length} bytes`);
    const sequence = uint32(datagram, headerAt.sequence);
    // Sequences are not sent in order: a run of symbols is sealed before it waits for its tokens,
    // and control frames sealed later leave first.
    if (this.#isUsed(uint32(datagram, headerAt.session), uint32(datagram, headerAt.sender), sequence))
      fail("nonce", machine, `the nonce of sequence ${sequence} was used before`);
    world.history.mix(sequence * 256 + machine.index);
  }

  /** Marks the sequence number as used; returns whether it was used before. */
  #isUsed(session: number, sender: number, sequence: number): boolean {
    let bySender = this.#used.get(session);
    if (!bySender) this.#used.set(session, (bySender = new Map()));
    let used = bySender.get(sender) ?? new Uint8Array(256);
    if (sequence >= used.length) {
      const longer = new Uint8Array(2 * sequence);
      longer.set(used);
      used = longer;
    }
    bySender.set(sender, used);
    const isUsed = used[sequence] === 1;
    used[sequence] = 1;
    return isUsed;
  }

  /** Checks the rate of symbols. @param rateBps rate that the member allows currently */
  paced(machine: Machine, bytes: number, rateBps: number): void {
    const { world, fail } = this.#checker;
    const { nowMs } = world.clock;
    let sent = this.#paces.get(machine);
    if (!sent || nowMs - sent.fromMs > windowMs)
      this.#paces.set(machine, (sent = { fromMs: nowMs, bytes: 0, rateBps: 0 }));
    sent.bytes += bytes;
    sent.rateBps = Math.max(sent.rateBps, rateBps);
    const due = (catchUpFactor * sent.rateBps * (nowMs - sent.fromMs)) / 8_000;
    const allowed = due + burstsMax * burstBytesOf(world.options.symbolBytes) + bytes;
    if (sent.bytes <= allowed) return;
    fail(
      "pace",
      machine,
      `${sent.bytes} bytes in ${Math.round(nowMs - sent.fromMs)} ms, at ${rateBps} bit/s`,
    );
  }
}

const uint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
