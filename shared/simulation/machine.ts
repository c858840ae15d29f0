/**
 * A simulated computer: clock, disk, ledger, place in the network, and run state. The agent on it
 * is a process (process.ts). A crash ends the process; the machine, its disk and its ledger stay.
 *
 * A stalled machine fires its timers late, and its kernel keeps a few datagrams. A sleeping machine
 * receives nothing.
 */
import { rankOf, type Rank, type RankInputs } from "../core/election/rank.ts";
import { unknownConditions, type Conditions } from "../model/conditions.ts";
import type { Clock } from "../model/clock.ts";
import type { ChunkOrigin } from "../cache/index.ts";
import type { SessionSizes } from "../device/ports.ts";
import type { Device } from "../device/device.ts";
import type { Session } from "../device/session.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import type { Context } from "./context.ts";
import { Disk } from "./disk.ts";
import { guardedConditions, readEveryMs, type GuardedCondition } from "./guarded.ts";
import type { KnownKeys } from "./known-keys.ts";
import { wallOriginMs } from "./layout.ts";
import { MemoryLedger } from "./ledger.ts";
import type { ExchangeServer, Host } from "./network.ts";
import { Random } from "./random.ts";

/** Datagrams of full size that a default receive buffer of Linux (212,992 bytes) holds. */
const inboxMax = 90;

/** Properties of a device that its rank in elections depends on. */
export type DeviceProfile = Omit<RankInputs, "cachedShare">;

/** Conditions under which no guard holds. */
export const calmConditions: Conditions = {
  ...unknownConditions,
  onBattery: false,
  isMetered: false,
  diskFreePercent: 50,
  memoryFreePercent: 50,
};

/** Clock of one process: no timer fires, and no sleep settles, after the process ended. */
export type ProcessClock = Clock & { sleep(delayMs: number): Promise<void> };

/** A process of the agent, as its machine and the checkers use it. */
export type RunningProcess = {
  readonly device: Device;
  readonly exchange: ExchangeServer;
  readonly session: Session | null;
  readonly sizes: SessionSizes;
  readonly role: string;
  readonly isEnded: boolean;
  /** True while the agent shuts down. */
  readonly isStopping: boolean;
  /** True once the source has assigned the subnet. Before, the device cannot request a lease. */
  readonly knowsSubnet: boolean;
  readonly keys: KnownKeys;
  /** Chunks that the device counted as verified after its last event. */
  readonly held: ChunkSet;
  readonly heldCount: number;
  /** World time at which the current download began; null while there is none. */
  readonly downloadsSinceMs: number | null;
  /** World time since which the device is a peer; null while it is not. */
  readonly followsSinceMs: number | null;
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
  /** Takes the task as the source has it now, as after a wake event. */
  onWake(): void;
  /** Reads the conditions of the machine. */
  onConditions(): void;
  /** Notes the sequences of its sender. Returns the function that sets them back. */
  noteSequences(): () => void;
};

type Arrival = { readonly datagrams: readonly Uint8Array[]; readonly fromAddress: string };

/** Work that waits while the machine stalls or sleeps. */
type Waiting = {
  /** Datagrams that the kernel keeps during a stall. */
  readonly inbox: Arrival[];
  /** Timers that became due. */
  readonly lateTimers: (() => void)[];
};
const nothingWaits = (): Waiting => ({ inbox: [], lateTimers: [] });

type MachineClock = { readonly rate: number; offsetMs: number; wallOffsetMs: number };

export type MachineFaults = {
  /** Chunks that the device serves with wrong bytes; null: none. */
  servesWrong: ((chunk: number) => boolean) | null;
  /** Conditions that the agent reads. */
  conditions: Conditions;
  /** Rate of the device's port for sent datagrams, bit/s; null: unlimited. */
  portBps: number | null;
  /** Longest symbol that the device's link carries; null: as those of the others. */
  symbolMaxBytes: number | null;
  /** World time of the last event on this machine that the protocol has to recover from. */
  lastAtMs: number;
  /** True once the device was unreachable: others may have failed requests to it. */
  wasUnreachable: boolean;
};

export class Machine implements Host {
  readonly index: number;
  readonly disk = new Disk();
  readonly ledger: MemoryLedger;
  readonly random: Random;
  subnet = 0;
  process: RunningProcess | null = null;
  profile: DeviceProfile;
  readonly faults: MachineFaults = {
    servesWrong: null,
    conditions: calmConditions,
    portBps: null,
    symbolMaxBytes: null,
    lastAtMs: 0,
    wasUnreachable: false,
  };
  state: "up" | "stalled" | "asleep" = "up";
  readonly #context: Context;
  readonly #clock: MachineClock;
  #waiting: Waiting = nothingWaits();

  constructor(context: Context, index: number, profile: DeviceProfile, clockRate: number) {
    this.#context = context;
    this.index = index;
    this.random = new Random(context.options.seed, `device ${index}`);
    this.profile = profile;
    this.#clock = { rate: clockRate, offsetMs: this.random.whole(0, 1_000_000), wallOffsetMs: wallOriginMs };
    this.ledger = new MemoryLedger(
      () => this.disk.isFull,
      () => this.wallMs,
    );
  }

  /** "A", "B" … */
  get name(): string {
    return nameOf(this.index);
  }

  /** Whether the second setting of the world is the device's own one. */
  get hasSecondSetting(): boolean {
    return Math.floor(this.index / this.#context.options.subnets) % 2 === 1;
  }

  /** Device id. */
  get id(): string {
    return (this.index + 1).toString(16).padStart(16, "0");
  }

  get address(): string {
    return `10.0.${this.subnet}.${this.index + 1}`;
  }

  get symbolMaxBytes(): number {
    return this.faults.symbolMaxBytes ?? this.#context.options.symbolBytes;
  }

  get lanPort(): number {
    return 1_000 + this.index;
  }

  /** Seconds of the machine's clock per second of the world. */
  get clockRate(): number {
    return this.#clock.rate;
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
    return this.#clock.offsetMs + this.#context.clock.nowMs * this.#clock.rate;
  }

  get wallMs(): number {
    return this.#clock.wallOffsetMs + this.nowMs;
  }

  get isRunning(): boolean {
    return this.process !== null && this.state === "up";
  }

  /** Sets the clocks forward, as after a sleep on systems that count it. */
  jump(byMs: number): void {
    this.#clock.offsetMs += byMs;
  }

  /**
   * Notes the state of the process's sender. Returns the function with which the machine continues
   * from there. The rest is not copied: for others, a copy is a device that waited.
   * @param wallMs by which the wall clock differs then
   */
  snapshot(wallMs: number): () => void {
    const { process } = this;
    const setBack = process?.noteSequences();
    return () => {
      this.#context.observer.note(this, "revert", `wall clock ${Math.round(wallMs)} ms`);
      if (this.process === process) setBack?.();
      this.#clock.wallOffsetMs += wallMs;
      this.noteFault();
    };
  }

  /** Begins or ends a condition. The agent reads the conditions at once, and again later. */
  setCondition(condition: GuardedCondition, holds: boolean): void {
    const { observer, clock } = this.#context;
    observer.note(this, "condition", `${condition} ${holds ? "begins" : "ends"}`);
    const [begun, ended] = guardedConditions[condition];
    this.faults.conditions = { ...this.faults.conditions, ...(holds ? begun : ended) };
    this.noteFault();
    const read = (): void => {
      const { process } = this;
      observer.acts(this);
      if (process) this.runNow(() => process.onConditions());
    };
    read();
    clock.at(readEveryMs, read);
  }

  rank(cachedShare: number): Rank {
    return rankOf({ ...this.profile, cachedShare });
  }

  begin(process: RunningProcess): void {
    this.process = process;
    this.noteFault();
  }

  /** Ends the process, with its timers and the datagrams that wait for it. */
  end(): void {
    this.faults.wasUnreachable = true;
    this.process = null;
    this.#waiting = nothingWaits();
    this.noteFault();
  }

  move(subnet: number): void {
    this.faults.wasUnreachable ||= this.process !== null;
    this.subnet = subnet;
    this.noteFault();
  }

  /** Notes a fault, or its end, at the current time. */
  noteFault(): void {
    this.faults.lastAtMs = this.#context.clock.nowMs;
  }

  freeze(state: "stalled" | "asleep"): void {
    this.state = state;
    this.faults.wasUnreachable = true;
    this.noteFault();
  }

  /** Ends a stall or sleep: runs late timers and kept datagrams, in a random order of the two. */
  thaw(): void {
    if (this.state === "up") return;
    this.state = "up";
    this.noteFault();
    const { lateTimers, inbox } = this.#waiting;
    this.#waiting = nothingWaits();
    const runLate = (): void => lateTimers.forEach((run) => run());
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
    const { process } = this;
    let isCancelled = false;
    const due = (): void => {
      if (isCancelled || this.process !== process) return;
      if (this.state !== "up") return void this.#waiting.lateTimers.push(due);
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
      const kept = this.#waiting.inbox.reduce((sum, arrival) => sum + arrival.datagrams.length, 0);
      if (kept < inboxMax)
        this.#waiting.inbox.push({ datagrams: datagrams.slice(0, inboxMax - kept), fromAddress });
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
