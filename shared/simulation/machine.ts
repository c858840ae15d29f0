/**
 * A simulated computer: its clock, its disk and ledger, its place in the network, and whether it runs. The agent that runs
 * on it is a process (process.ts); a crash ends the process, the machine stays.
 *
 * A machine may stall: its timers fire late and its kernel keeps a few datagrams. Or sleep: it receives nothing meanwhile.
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

/** Datagrams that a default receive buffer of Linux holds. */
const inboxMax = 90;
/** Wall clocks begin on some day, not in 1970. */
const wallOriginMs = 1_800_000_000_000;

export type DeviceProfile = Omit<RankInputs, "cachedShare">;

/** The clock of one process: nothing that it waits for happens after the process ended. */
export type ProcessClock = Clock & { sleep(delayMs: number): Promise<void> };

/** A process of the agent, as its machine and the checkers see it. */
export type RunningProcess = {
  readonly exchange: ExchangeServer;
  readonly session: Session | null;
  readonly sizes: SessionSizes;
  readonly role: string;
  readonly isEnded: boolean;
  /** It ends in good order. */
  readonly isStopping: boolean;
  /** The source has assigned the subnet: without it no lease can be requested. */
  readonly knowsSubnet: boolean;
  /** Chunks that the device counted as verified after its last event. */
  readonly held: ChunkSet;
  readonly heldCount: number;
  /** World time since which the device downloads; null: it does not. */
  readonly downloadsSinceMs: number | null;
  /** Bytes of `held` by where they came from. */
  readonly originBytes: Readonly<Record<ChunkOrigin, number>>;
  /** Chunks that this process received from there. */
  receivedFrom(origin: ChunkOrigin): number;
  receive(datagrams: readonly Uint8Array[], fromAddress: string): void;
  /** After every event of this machine: tells the observer what changed. */
  observe(): void;
  start(): void;
  /** Ends in good order; resolves when everything is written. */
  stop(): Promise<void>;
  leaveSubnet(reason: string): void;
  arriveOnSubnet(): void;
  /** The setting of the task has changed, and the source woke the device. */
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
  /** It serves wrong bytes to every device that asks. */
  isBad = false;
  /** The chunks that a bad device serves wrong. */
  servesWrong: (chunk: number) => boolean = () => true;
  /** Rate at which its port takes datagrams, bit/s; null: as fast as they come. */
  portBps: number | null = null;
  profile: DeviceProfile;
  /** Seconds of its clock in a second. */
  readonly clockRate: number;
  /** The last time that something happened to it which a protocol has to recover from. */
  lastFaultAtMs = 0;
  /** It was out of reach at some time. */
  wasUnreachable = false;
  state: "up" | "stalled" | "asleep" = "up";
  readonly #context: Context;
  #clockOffsetMs: number;
  /** Counts processes, so that timers of an ended one do not fire. */
  #generation = 0;
  #inbox: Arrival[] = [];
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

  /** Chunks of the world's package that are in the ledger. */
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

  /** The clock continues from a later time, as after a sleep on systems that count it. */
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

  /** The process is gone, with all that waits for it. */
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

  noteFault(): void {
    this.lastFaultAtMs = this.#context.clock.nowMs;
  }

  freeze(state: "stalled" | "asleep"): void {
    this.state = state;
    this.wasUnreachable = true;
    this.noteFault();
  }

  /** Continues: timers that are due and datagrams that were kept, in either order. */
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

  /** Runs after `delayMs` of the machine's own clock, unless the process has ended by then. Returns what cancels it. */
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

  /** Now, or when the machine continues; never when the process has ended by then. */
  runWhenUp(run: () => void): void {
    this.after(0, run);
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

/** A … Z, AA, AB … */
function nameOf(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : nameOf(Math.floor(index / 26) - 1) + last;
}
