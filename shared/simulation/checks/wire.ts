/** The wire: sizes of datagrams, nonces that are never used twice, and the pace of the multicast. */
import { headerAt } from "../../wire/layout.ts";
import { limits } from "../../wire/index.ts";
import type { Machine } from "../machine.ts";
import { burstBytesOf } from "../lan.ts";
import type { Checker } from "./checker.ts";

/** Windows over which the pace is judged. */
const windowMs = 400;
/** The token bucket catches up with a late timer by a quarter above the rate. */
const catchUpFactor = 1.25;
/** Bursts that may leave at once after a late timer, and one run of datagrams more. */
const burstsMax = 4;

type Sent = { fromMs: number; bytes: number; rateBps: number };

export class WireCheck {
  datagrams = 0;
  readonly #checker: Checker;
  /** By the first four bytes of the session id and of the sender id: the sequence numbers that were used. */
  readonly #used = new Map<number, Map<number, Uint8Array>>();
  readonly #paces = new Map<Machine, Sent>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  sent(machine: Machine, datagram: Uint8Array): void {
    const { world, fail } = this.#checker;
    this.datagrams++;
    if (datagram.length > limits.datagramMaxBytes)
      fail("limits", machine, `a datagram of ${datagram.length} bytes`);
    const sequence = uint32(datagram, headerAt.sequence);
    // A run of symbols is written before it waits for its tokens: later control frames overtake it.
    if (this.#isUsed(uint32(datagram, headerAt.session), uint32(datagram, headerAt.sender), sequence))
      fail("nonce", machine, `the nonce of sequence ${sequence} was used before`);
    world.history.mix(sequence * 256 + machine.index);
  }

  /** Notes the sequence number as used; returns whether it was before. */
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

  /** Payload that leaves at once. @param rateBps what the member allows at present */
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
