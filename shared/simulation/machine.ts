/**
 * A simulated computer: its clock, its disk, its place in the network, and whether it runs. The agent that runs on it
 * is a `Life`; a crash ends the life, the machine stays.
 *
 * A machine may stall: its timers fire late and its kernel keeps a few datagrams. Or sleep: it hears nothing meanwhile.
 */
import type { Rank, RankInputs } from "../core/election/rank.ts";
import { rankOf } from "../core/election/rank.ts";
import { Disk } from "./disk.ts";
import type { Env } from "./env.ts";
import type { Life } from "./life.ts";
import type { Host } from "./network.ts";
import { Random } from "./random.ts";

/** What a default receive buffer of Linux holds. */
const inboxMax = 90;

export type Character = Omit<RankInputs, "cachedShare">;

export class Machine implements Host {
  readonly index: number;
  readonly name: string;
  readonly id: string;
  readonly disk = new Disk();
  readonly random: Random;
  readonly lanPort: number;
  subnet = 0;
  address = "";
  life: Life | null = null;
  /** It serves wrong bytes to whoever asks. */
  isBad = false;
  character: Character;
  /** Seconds of its clock in a second. */
  readonly clockRate: number;
  /** Since then nothing happened to it that a protocol has to recover from. */
  disturbedAtMs = 0;
  /** It was out of reach at some time. */
  hasFaltered = false;
  state: "up" | "stalled" | "asleep" = "up";
  readonly #env: Env;
  #clockOffsetMs: number;
  #lifeNumber = 0;
  #inbox: { datagram: Uint8Array; fromAddress: string }[] = [];
  #late: (() => void)[] = [];

  constructor(env: Env, index: number, character: Character, clockRate: number) {
    this.#env = env;
    this.index = index;
    this.name = nameOf(index);
    this.id = (index + 1).toString(16).padStart(16, "0");
    this.random = new Random(env.options.seed, `device ${index}`);
    this.lanPort = 1_000 + index;
    this.character = character;
    this.clockRate = clockRate;
    this.#clockOffsetMs = this.random.whole(0, 1_000_000);
  }

  /** Of this machine's own clock, which never goes back. */
  get nowMs(): number {
    return this.#clockOffsetMs + this.#env.clock.nowMs * this.clockRate;
  }

  get isRunning(): boolean {
    return this.life !== null && this.state === "up";
  }

  /** The clock goes on from a later time, as after a sleep on systems that count it. */
  jump(byMs: number): void {
    this.#clockOffsetMs += byMs;
  }

  rank(cachedShare: number): Rank {
    return rankOf({ ...this.character, cachedShare });
  }

  begin(life: Life): void {
    this.#lifeNumber++;
    this.life = life;
    this.disturb();
  }

  /** The process is gone, with all that waits for it. */
  end(): void {
    this.#lifeNumber++;
    this.hasFaltered = true;
    this.life = null;
    this.#inbox = [];
    this.#late = [];
    this.disturb();
  }

  move(subnet: number): void {
    this.hasFaltered ||= this.life !== null;
    this.subnet = subnet;
    this.address = `10.0.${subnet}.${this.index + 1}`;
    this.disturb();
  }

  disturb(): void {
    this.disturbedAtMs = this.#env.clock.nowMs;
  }

  freeze(state: "stalled" | "asleep"): void {
    this.state = state;
    this.hasFaltered = true;
    this.disturb();
  }

  /** Goes on: timers that are due and datagrams that were kept, in either order. */
  thaw(): void {
    if (this.state === "up") return;
    this.state = "up";
    this.disturb();
    const [late, inbox] = [this.#late, this.#inbox];
    this.#late = [];
    this.#inbox = [];
    const runLate = (): void => late.forEach((run) => run());
    const readInbox = (): void =>
      inbox.forEach(({ datagram, fromAddress }) => this.hear(datagram, fromAddress));
    const first = this.random.chance(0.5);
    if (first) runLate();
    readInbox();
    if (!first) runLate();
  }

  /** After so long by its own clock, unless this life is over by then. */
  after(delayMs: number, run: () => void): void {
    const life = this.#lifeNumber;
    const due = (): void => {
      if (this.#lifeNumber !== life) return;
      if (this.state !== "up") return void this.#late.push(due);
      this.#env.checks.acting = this;
      run();
    };
    this.#env.clock.at(Math.max(0, delayMs) / this.clockRate, due);
  }

  hear(datagram: Uint8Array, fromAddress: string): void {
    if (this.life === null || this.state === "asleep") return;
    if (this.state === "stalled") {
      if (this.#inbox.length < inboxMax) this.#inbox.push({ datagram, fromAddress });
      return;
    }
    this.#env.checks.acting = this;
    this.life.hear(datagram, fromAddress);
  }
}

/** A … Z, AA, AB … */
function nameOf(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : nameOf(Math.floor(index / 26) - 1) + last;
}
