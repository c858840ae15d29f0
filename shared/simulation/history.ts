/**
 * History of a simulated world: lines in columns of fixed width, and a hash. The hash covers every
 * line and every datagram, and is equal in all runs of one seed.
 *
 *   time (s)   subnet  device  role             term  held  event        detail
 *
 * "held" is the number of the device's verified chunks.
 */
import { hashOf } from "./random.ts";

export type HistoryLine = {
  subnet: number | null;
  device: string;
  role: string;
  term: number;
  held: number;
  event: string;
  detail: string;
};

export const historyHeader = "      time  sub  device  role            term  held  event        detail";

export class History {
  readonly lines: string[] = [];
  readonly #keeps: boolean;
  #hash = 0x811c_9dc5;

  /** @param keeps whether lines are stored; the hash covers them in any case */
  constructor(keeps: boolean) {
    this.#keeps = keeps;
  }

  add(nowMs: number, line: HistoryLine): void {
    const text = columns(nowMs, line);
    this.#hash = hashOf(text, this.#hash);
    if (this.#keeps) this.lines.push(text);
  }

  /** Adds an event to the hash that is too frequent for a line. */
  mix(number: number): void {
    this.#hash = Math.imul(this.#hash ^ (number | 0), 0x0100_0193) >>> 0;
  }

  /** Hash so far, 8 hex digits. */
  get hash(): string {
    return this.#hash.toString(16).padStart(8, "0");
  }
}

function columns(nowMs: number, { subnet, device, role, term, held, event, detail }: HistoryLine): string {
  const time = (nowMs / 1_000).toFixed(3).padStart(10);
  const place = (subnet === null ? "-" : String(subnet)).padEnd(3);
  const who = `${device.padEnd(6)}  ${role.padEnd(14)}`;
  const numbers = `${String(term).padStart(4)}  ${String(held).padStart(4)}`;
  return `${time}  ${place}  ${who}  ${numbers}  ${event.padEnd(11)}  ${detail}`.trimEnd();
}
