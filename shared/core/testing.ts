/**
 * Subnet in memory for tests of the core's decisions: a simulated world of real devices
 * (shared/simulation) without random faults. A test defines which datagrams are lost, which devices
 * reach each other, and how the source answers.
 */
import type { ChunkOrigin } from "../cache/index.ts";
import type { ChunkSet } from "../model/chunk-set.ts";
import type { Machine } from "../simulation/machine.ts";
import { World } from "../simulation/world.ts";
import type { Rank } from "./election/rank.ts";
import type { Member } from "./member.ts";

const chunkBytes = 8_192;
/** Gives ten symbols in a chunk. */
const symbolBytes = 820;

export type SubnetOptions = {
  seed: number;
  devices: number;
  chunkCount?: number;
  startDelayMs?: number;
  useMulticast?: boolean;
  useDeputy?: boolean;
  wanFallback?: "never" | "last-resort";
  wanMsPerChunk?: number;
  /** Time to multicast a chunk at the rate of the setting. */
  castMsPerChunk?: number;
  /** Rate of each device's port for sent datagrams, bit/s; null: unlimited. */
  portBps?: number | null;
  /** Time from a request to the source to its answer; undefined: 15 to 60 ms. */
  sourceMs?: number;
  /** Share of datagrams that each receiver loses on its own. */
  loss?: number;
  rank?: (index: number) => Rank;
};

export class TestDevice {
  completeAtMs: number | null = null;
  readonly machine: Machine;
  #member: Member | null = null;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  get name(): string {
    return this.machine.name;
  }

  get isUp(): boolean {
    return this.machine.process !== null;
  }

  /** Stores the member of the current session, so that it is readable after the session. */
  note(): void {
    this.#member = this.machine.process?.session?.member ?? this.#member;
  }

  /** Member of the current session, or of the last one. @throws Error before the first session */
  get member(): Member {
    this.note();
    if (!this.#member) throw new Error(`${this.name} has had no session`);
    return this.#member;
  }

  /** Chunks that the device counts as verified; those in its ledger while it does not run. */
  get held(): ChunkSet {
    return this.machine.process?.held ?? this.machine.listedChunks;
  }

  /** Number of held chunks by origin, those of earlier processes included. */
  get from(): Record<Exclude<ChunkOrigin, "cache">, number> {
    const { process, ledger } = this.machine;
    const { wan, multicast, peers } = process?.originBytes ?? ledger.packages()[0]!.originBytes;
    return { wan: wan / chunkBytes, multicast: multicast / chunkBytes, peers: peers / chunkBytes };
  }
}

const rateOf = (msPerChunk: number): number => Math.round((8_000 * chunkBytes) / msPerChunk);

const hasBegun = ({ machine }: TestDevice): boolean =>
  machine.process?.session !== null || machine.process.held.isFull;

/** Decides whether a control frame or a symbol passes from one device to another. */
export type Delivers = (from: TestDevice, to: TestDevice, what: "control" | "symbol") => boolean;

export class TestSubnet {
  readonly world: World;
  readonly devices: readonly TestDevice[];
  /** Number of the symbol that a filter currently decides about. */
  #symbol: number | null = null;
  /** Devices that hold a fallback token now, and their largest number so far. */
  readonly tokens = { now: new Set<string>(), max: 0 };

  constructor(options: SubnetOptions) {
    const { seed, devices, chunkCount = 40, startDelayMs = 2_000, wanMsPerChunk = 100 } = options;
    const {
      useMulticast = true,
      useDeputy = true,
      wanFallback = "last-resort",
      castMsPerChunk = 10,
    } = options;
    this.world = new World({
      seed,
      devices,
      chunks: chunkCount,
      chunkBytes,
      symbolBytes,
      startDelayMs,
      useMulticast,
      useDeputy,
      wanFallback,
      isEven: true,
      runsCommand: false,
      lanRateBps: rateOf(castMsPerChunk),
      wanRateBps: rateOf(wanMsPerChunk),
    });
    const { loss = 0, portBps = null, sourceMs, rank = () => ({ kind: "score", score: 0.3 }) } = options;
    const { network, source, machines } = this.world;
    network.conditions[1]!.loss = loss;
    if (sourceMs !== undefined) source.answerMs = () => sourceMs;
    for (const machine of machines) {
      machine.faults.portBps = portBps;
      machine.rank = () => rank(machine.index);
    }
    this.devices = machines.map((machine) => new TestDevice(machine));
    this.#countTokens();
  }

  // ---- network and source -----------------------------------------------------------------------

  /** Sets which multicast datagrams pass, in addition to the random loss. */
  set delivers(delivers: Delivers) {
    this.world.network.datagramFilter = (from, to, symbol) => {
      this.#symbol = symbol;
      const passes = delivers(
        this.devices[from.index]!,
        this.devices[to.index]!,
        symbol === null ? "control" : "symbol",
      );
      this.#symbol = null;
      return passes;
    };
  }

  /** Sets which devices can send requests to the LAN exchange of which others. */
  set connects(connects: (from: TestDevice, to: TestDevice) => boolean) {
    this.world.network.exchangeFilter = (from, to) =>
      connects(this.devices[from.index]!, this.devices[to.index]!);
  }

  /** Makes the device serve wrong bytes for these chunks. */
  spoils(index: number, isSpoiled: (chunk: number) => boolean): void {
    const { machine } = this.devices[index]!;
    this.world.turnBad(machine.name);
    machine.faults.servesWrong = isSpoiled;
  }

  makeWireless(index: number): void {
    const { machine } = this.devices[index]!;
    machine.profile = { ...machine.profile, medium: "wireless" };
  }

  /** Makes the source unreachable, after every device has received its task. */
  losesSource(): void {
    this.world.at(130, () => this.world.setSource("down"));
  }

  /** Makes the source refuse the lease to every device, as after three failed representatives. */
  failsLeases(reason: string): void {
    const { source } = this.world;
    for (const name of ["x", "y", "z"]) {
      const of = { taskId: 1, epoch: "", subnetId: "1", uselessBytes: 0 };
      source.lease(name, { ...of, address: name, lanPort: 1, term: 1 });
      source.release(name, { ...of, failure: reason });
    }
  }

  /** Makes the source answer requests for a fallback token with an error. */
  refusesTokens(): void {
    this.world.source.answersFallback = false;
  }

  #countTokens(): void {
    const { source } = this.world;
    const ask = source.fallback.bind(source);
    source.fallback = (device, request) => {
      const answer = ask(device, request);
      if (request.release) this.tokens.now.delete(device);
      else if (answer?.result === "granted") this.tokens.now.add(device);
      this.tokens.max = Math.max(this.tokens.max, this.tokens.now.size);
      return answer;
    };
  }

  // ---- queries ----------------------------------------------------------------------------------

  get nowMs(): number {
    return this.world.nowMs;
  }

  /** Number of chunks that crossed the WAN. */
  get wanChunks(): number {
    return this.world.checks.wan.accounts[1]!.chunks;
  }

  /** Number of symbols sent. In a filter: up to the symbol it decides about. */
  get symbolsSent(): number {
    return this.#symbol ?? this.world.network.symbolsSent;
  }

  get representatives(): TestDevice[] {
    const leading = this.world.representatives();
    return this.devices.filter(({ machine }) => leading.includes(machine));
  }

  get allComplete(): boolean {
    return this.world.allHold;
  }

  /** Returns the lines of the history about changes to this role. */
  became(role: string): string[] {
    return this.world.log.filter((line) => line.includes(`→ ${role}:`));
  }

  // ---- time -------------------------------------------------------------------------------------

  /** Starts devices (all when no index is given), and runs until each has begun its task. */
  start(...indexes: number[]): void {
    const started = indexes.length > 0 ? indexes.map((index) => this.devices[index]!) : this.devices;
    this.world.start(...started.map(({ name }) => name));
    this.run(1_000, () => started.every(hasBegun));
    for (const device of started) device.note();
  }

  /** Kills the agent of a device. Its disk keeps the listed chunks. */
  kill(index: number): void {
    this.world.crash(this.devices[index]!.name);
  }

  /** Runs until `until` holds or `limitMs` have passed; returns whether it held. */
  run(limitMs: number, until: () => boolean = () => this.allComplete): boolean {
    return this.world.run(limitMs, () => {
      for (const device of this.devices)
        if (device.machine.process?.held.isFull) device.completeAtMs ??= this.nowMs;
      return until();
    });
  }
}
