/**
 * A simulated computer: clock, disk, ledger, place in the network, and run state. The agent on it
 * is a process (process.ts). A crash ends the process; the machine, its disk and its ledger stay.
 *
 * A stalled machine fires its timers late, and its kernel keeps a few datagrams. A sleeping machine
 * receives nothing.
 */
import { rankOf, type Rank, type RankInputs } from "../core/election/rank.ts";
import type { Clock } from "../model/clock.ts";
import type { ChunkOrigin } from "../cache/index.ts";
import type { SessionSizes } from "../device/ports.ts";
import type { Session } from "../device/session.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import type { Context } from "./context.ts";
import { Disk } from "./disk.ts";
import { MemoryLedger } from "./ledger.ts";
import type { ExchangeServer, Host } from "./network.ts";
import { Random } from "./random.ts";

/** Datagrams of full size that a default receive buffer of Linux (212,992 bytes) holds. */
const inboxMax = 90;
/** Wall time at which worlds begin: a plausible date, in January 2027. */
const wallOriginMs = 1_800_000_000_000;

/** Properties of a device that its rank in elections depends on. */
export type DeviceProfile = Omit<RankInputs, "cachedShare">;

/** Clock of one process: no timer fires, and no sleep settles, after the process ended. */
export type ProcessClock = Clock & { sleep(delayMs: number): Promise<void> };

/** A process of the agent, as its machine and the checkers use it. */
export type RunningProcess = {
  readonly exchange: ExchangeServer;
  readonly session: Session | null;
  readonly sizes: SessionSizes;
  readonly role: string;
  readonly isEnded: boolean;
  /** True while the agent shuts down. */
  readonly isStopping: boolean;
  /** True once the source has assigned the subnet. Before, the device cannot request a lease. */
  readonly knowsSubnet: boolean;
  /** Chunks that the device counted as verified after its last event. */
  readonly held: ChunkSet;
  readonly heldCount: number;
  /** World time at which the current download began; null while there is none. */
  readonly downloadsSinceMs: number | null;
  /** Bytes of `held` by origin, those of earlier processes included. */
  readonly originBytes: Readonly<Record<ChunkOrigin, number>>;
  /** Number of chunks of this origin that this process received. */
  receivedFrom(origin: ChunkOrigin): number;
  receive(datagrams: readonly Uint8Array[], fromAddress: string): void;
  /** Reports to the observer what the last event of this machine changed. */
  observe(): void;
  start(): void;
  /** Shuts the agent down; resolves when everything is written. */
  stop(): Promise<void>;
  leaveSubnet(reason: string): void;
  arriveOnSubnet(): void;
  /** Applies a changed setting, as after a wake message of the source. */
  onSettingChange(): void;
};

type Arrival = { readonly datagrams: readonly Uint8Array[]; readonly fromAddress: string };

export class Machine implements Host {
  readonly index: number;
  readonly name: string;
  readonly id: string;
  readonly disk = new Disk();
  readonly ledger: MemoryLedger;
  readonly random: Random;
  readonly lanPort: number;
  subnet = 0;
  address = "";
  process: RunningProcess | null = null;
  /** True when the device serves wrong bytes. */
  isBad = false;
  /** Chunks that a bad device serves with wrong bytes. */
  servesWrong: (chunk: number) => boolean = () => true;
  /** Rate of the device's port for sent datagrams, bit/s; null: unlimited. */
  portBps: number | null = null;
  profile: DeviceProfile;
  /** Seconds of the machine's clock per second of the world. */
  readonly clockRate: number;
  /** World time of the last event on this machine that the protocol has to recover from. */
  lastFaultAtMs = 0;
  /** True once the device was unreachable: others may have failed requests to it. */
  wasUnreachable = false;
  state: "up" | "stalled" | "asleep" = "up";
  readonly #context: Context;
  #clockOffsetMs: number;
  /** Number of processes begun and ended, so that timers of an ended process do not fire. */
  #generation = 0;
  /** Datagrams that the kernel keeps during a stall. */
  #inbox: Arrival[] = [];
  /** Timers that became due during a stall or sleep. */
  #lateTimers: (() => void)[] = [];

  constructor(context: Context, index: number, profile: DeviceProfile, clockRate: number) {
    this.#context = context;
    this.index = index;
    this.name = nameOf(index);
    this.id = (index + 1).toString(16).padStart(16, "0");
    this.random = new Random(context.options.seed, `device ${index}`);
    this.lanPort = 1_000 + index;
    this.profile = profile;
    this.clockRate = clockRate;
    this.#clockOffsetMs = this.random.whole(0, 1_000_000);
    this.ledger = new MemoryLedger(
      () => this.disk.isFull,
      () => this.wallMs,
    );
  }

  /** Chunks of the world's package that the ledger lists. */
  get listedChunks(): ChunkSet {
    const { package: published } = this.#context;
    const listed = new ChunkSet(published.chunkCount);
    for (const chunk of this.ledger.listed(published.id).keys()) listed.add(chunk);
    return listed;
  }

  /** The machine's own monotonic clock. */
  get nowMs(): number {
    return this.#clockOffsetMs + this.#context.clock.nowMs * this.clockRate;
  }

  get wallMs(): number {
    return wallOriginMs + this.nowMs;
  }

  get isRunning(): boolean {
    return this.process !== null && this.state === "up";
  }

  /** Sets the clocks forward, as after a sleep on systems that count it. */
  jump(byMs: number): void {
    this.#clockOffsetMs += byMs;
  }

  rank(cachedShare: number): Rank {
    return rankOf({ ...this.profile, cachedShare });
  }

  begin(process: RunningProcess): void {
    this.#generation++;
    this.process = process;
    this.noteFault();
  }

  /** Ends the process, with its timers and the datagrams that wait for it. */
  end(): void {
    this.#generation++;
    this.wasUnreachable = true;
    this.process = null;
    this.#inbox = [];
    this.#lateTimers = [];
    this.noteFault();
  }

  move(subnet: number): void {
    this.wasUnreachable ||= this.process !== null;
    this.subnet = subnet;
    this.address = `10.0.${subnet}.${this.index + 1}`;
    this.noteFault();
  }

  /** Notes a fault, or its end, at the current time. */
  noteFault(): void {
    this.lastFaultAtMs = this.#context.clock.nowMs;
  }

  freeze(state: "stalled" | "asleep"): void {
    this.state = state;
    this.wasUnreachable = true;
    this.noteFault();
  }

  /** Ends a stall or sleep: runs late timers and kept datagrams, in a random order of the two. */
  thaw(): void {
    if (this.state === "up") return;
    this.state = "up";
    this.noteFault();
    const [late, inbox] = [this.#lateTimers, this.#inbox];
    this.#lateTimers = [];
    this.#inbox = [];
    const runLate = (): void => late.forEach((run) => run());
    const readInbox = (): void =>
      inbox.forEach(({ datagrams, fromAddress }) => this.receive(datagrams, fromAddress));
    const first = this.random.chance(0.5);
    if (first) runLate();
    readInbox();
    if (!first) runLate();
  }

  /**
   * Runs `run` after `delayMs` of the machine's clock, unless the process has ended by then.
   * Returns the function that cancels the timer.
   */
  after(delayMs: number, run: () => void): () => void {
    const generation = this.#generation;
    let isCancelled = false;
    const due = (): void => {
      if (isCancelled || this.#generation !== generation) return;
      if (this.state !== "up") return void this.#lateTimers.push(due);
      this.#context.observer.acts(this);
      run();
    };
    this.#context.clock.at(Math.max(0, delayMs) / this.clockRate, due);
    return () => {
      isCancelled = true;
    };
  }

  get exchange(): ExchangeServer | null {
    return this.process?.exchange ?? null;
  }

  runWhenUp(run: () => void): void {
    this.after(0, run);
  }

  /** Runs `run` at once on a running machine, as `runWhenUp` otherwise. */
  runNow(run: () => void): void {
    if (this.state === "up") return run();
    this.runWhenUp(run);
  }

  processClock(): ProcessClock {
    return {
      nowMs: () => this.nowMs,
      wallMs: () => this.wallMs,
      after: (delayMs, run) => this.after(delayMs, run),
      sleep: (delayMs) => new Promise((resolve) => void this.after(delayMs, resolve)),
    };
  }

  receive(datagrams: readonly Uint8Array[], fromAddress: string): void {
    if (this.process === null || this.state === "asleep") return;
    if (this.state === "stalled") {
      const kept = this.#inbox.reduce((sum, arrival) => sum + arrival.datagrams.length, 0);
      if (kept < inboxMax) this.#inbox.push({ datagrams: datagrams.slice(0, inboxMax - kept), fromAddress });
      return;
    }
    this.#context.observer.acts(this);
    this.process.receive(datagrams, fromAddress);
  }
}

/** "A" … "Z", "AA", "AB" … */
function nameOf(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : nameOf(Math.floor(index / 26) - 1) + last;
}
