/**
 * A simulated world: devices on subnets, a source and a web site, on one virtual clock. The devices
 * are the real ones (shared/device, shared/cache, shared/core, shared/wire). The ports below them
 * are simulated, and fail on demand. Every call that injects a fault also notes its time, so that
 * the checkers allow the protocol time to recover.
 *
 * @example
 * const world = new World({ seed: 1, devices: 4 });
 * world.start();
 * world.at(5_000, () => world.crash("B"));
 * world.run(60_000, () => world.allComplete);
 * console.log(world.log.join("\n"));
 */
import { newTaskRow } from "../device/task-record.ts";
import { Checks } from "./checks/checks.ts";
import type { CheckedWorld } from "./checks/checked-world.ts";
import { VirtualClock } from "./clock.ts";
import { cutPower } from "./commands.ts";
import type { WorldOptions } from "./context.ts";
import { changeFile, flipBit, type ForeignChange } from "./disk-layout.ts";
import { History, historyHeader } from "./history.ts";
import { taskId } from "./layout.ts";
import { Machine, type DeviceProfile, type MachineFaults } from "./machine.ts";
import { Network, type NetworkConditions } from "./network.ts";
import { Package } from "./package.ts";
import { precache } from "./precache.ts";
import { Process } from "./process.ts";
import { TaskKeys } from "./keys.ts";
import { Random } from "./random.ts";
import { createSharedCrypto } from "./shared-crypto.ts";
import { Source, type SourceState, type WebState } from "./source.ts";
import { taskOf } from "./task.ts";
import { Violation } from "./violation.ts";

export const worldDefaults: WorldOptions = {
  seed: 1,
  devices: 4,
  subnets: 1,
  chunks: 16,
  isEven: false,
  chunkBytes: 1_024,
  symbolBytes: 128,
  startDelayMs: 2_000,
  useMulticast: true,
  pausesDownloads: false,
  lanRateBps: 100_000,
  wanRateBps: 50_000,
  webIgnoresRange: false,
  wanFallback: "last-resort",
  useDeputy: true,
  sharesManifest: false,
  startsWhenPresent: false,
  runsCommand: true,
  drawsExitCodes: false,
  hasLittleMemory: false,
  skewPermille: 0,
  log: true,
  logsFrames: false,
};

const usualProfile: DeviceProfile = {
  deviceClass: "desktop",
  medium: "wired",
  onBattery: false,
  load: 0.1,
  diskShare: 1,
  weight: 50,
  volunteer: false,
};

export class World {
  readonly options: WorldOptions;
  /** Chunks of the package; files begin with a chunk, so there may be more than were asked for. */
  readonly chunkCount: number;
  readonly machines: readonly Machine[];
  readonly network: Network;
  readonly source: Source;
  readonly checks: Checks;
  readonly clock = new VirtualClock();
  readonly keys: TaskKeys;
  readonly #history: History;
  readonly #context: CheckedWorld;
  /** Machines whose agent starts again when its shutdown is complete. */
  readonly #restarting = new Set<Machine>();

  constructor(given: Partial<WorldOptions>) {
    const options = { ...worldDefaults, ...given };
    const { seed, subnets, devices } = options;
    const { clock } = this;
    const machines: Machine[] = [];
    const history = new History(options.log);
    const devicesOn = (subnet: number): Machine[] => machines.filter((each) => each.subnet === subnet);
    const published = new Package(seed, options);
    this.keys = new TaskKeys(seed);
    const context: Omit<CheckedWorld, "observer"> & { observer: Checks | null } = {
      options,
      clock,
      history,
      network: new Network({ subnets, clock, random: new Random(seed, "network"), history }),
      source: new Source({ ...options, clock, devicesOn, package: published, setting: options }),
      package: published,
      crypto: createSharedCrypto(),
      machines,
      taskFor: (machine) => taskOf(options, published, this.keys, machine),
      observer: null,
    };
    this.options = options;
    this.chunkCount = published.chunkCount;
    this.machines = machines;
    this.#history = history;
    this.#context = context as CheckedWorld;
    this.network = context.network;
    this.source = context.source;
    this.checks = context.observer = new Checks(this.#context);
    clock.onSettled = () => this.checks.settle();
    const random = new Random(seed, "world");
    for (let index = 0; index < devices; index++) machines.push(this.#build(index, random));
  }

  #build(index: number, random: Random): Machine {
    const { skewPermille, subnets } = this.options;
    const rate = 1 + (random.between(-1, 1) * skewPermille) / 1_000;
    const machine = new Machine(this.#context, index, usualProfile, rate);
    machine.move(1 + (index % subnets));
    this.network.plug(machine);
    return machine;
  }

  // ---- queries ----------------------------------------------------------------------------------

  get nowMs(): number {
    return this.clock.nowMs;
  }

  /** Hash over the history and every datagram, 8 hex digits. Equal in all runs of one seed. */
  get hash(): string {
    return this.#history.hash;
  }

  /** Lines of the history below their header; the header alone when `options.log` is false. */
  get log(): readonly string[] {
    return [historyHeader, ...this.#history.lines];
  }

  /** @param name "A", "B" … @throws Error for an unknown name */
  device(name: string): Machine {
    const machine = this.machines.find((each) => each.name === name);
    if (!machine) throw new Error(`There is no device "${name}"`);
    return machine;
  }

  /** Machines on a subnet, counted from 1; on 0, the unplugged ones. */
  machinesOn(subnet: number): Machine[] {
    return this.machines.filter((machine) => machine.subnet === subnet);
  }

  representatives(subnet = 1): Machine[] {
    return this.machinesOn(subnet).filter(
      (machine) => machine.process?.session?.member.role === "representative",
    );
  }

  /** True when every running agent holds every chunk. Writes and commands may be unfinished. */
  get allHold(): boolean {
    return this.machines.every(({ process }) => process === null || process.held.isFull);
  }

  /** True when the task has ended on every device whose agent runs. */
  get allComplete(): boolean {
    return this.machines.every(({ process }) => process === null || process.isEnded);
  }

  /** True when, in addition, every session is over. */
  get isAtRest(): boolean {
    return this.machines.every(
      ({ process }) => process === null || (process.isEnded && process.session === null),
    );
  }

  // ---- time -------------------------------------------------------------------------------------

  /** Runs `run` at a time of the world, in milliseconds; at once when that time has passed. */
  at(atMs: number, run: () => void): void {
    this.clock.at(Math.max(0, atMs - this.nowMs), run);
  }

  /**
   * Advances the world until `until` holds or `limitMs` have passed; returns whether it held.
   * @throws Violation when a checker fails, or a device's code throws
   */
  run(limitMs: number, until: () => boolean = () => false): boolean {
    try {
      return this.clock.run(limitMs, until);
    } catch (error) {
      if (error instanceof Violation) throw error;
      this.checks.threw(error);
      this.checks.throwFound();
      throw error;
    }
  }

  // ---- faults of devices ------------------------------------------------------------------------

  readonly #note = (machine: Machine, event: string, detail = "") => this.checks.note(machine, event, detail);

  /** Adds a line about the world itself, and notes a fault. @param subnet null: all subnets */
  #noteWorldEvent(event: string, detail: string, subnet: number | null = null): void {
    this.#history.add(this.nowMs, { subnet, device: "-", role: "-", term: 0, held: 0, event, detail });
    const { reachability } = this.checks;
    if (subnet === null)
      for (let each = 0; each <= this.options.subnets; each++) reachability.noteFault(each);
    else reachability.noteFault(subnet);
  }

  /**
   * Starts the agents of the named devices; of all devices when no name is given. Leaves a running
   * agent alone. An agent that is shutting down starts again afterwards.
   */
  start(...names: string[]): void {
    const machines = names.length > 0 ? names.map((name) => this.device(name)) : this.machines;
    for (const machine of machines) {
      if (machine.process?.isStopping) this.#restarting.add(machine);
      if (machine.process) continue;
      // The ledger has the task from the beginning, as if the device had received it before.
      machine.ledger.giveTask(taskId, newTaskRow(this.#context.taskFor(machine)));
      const process = new Process(this.#context, machine);
      machine.begin(process);
      this.#note(machine, "start");
      this.checks.acts(machine);
      process.start();
    }
  }

  /** Stores chunks in the device's cache before its agent starts. */
  precache(name: string, chunks: Iterable<number>): void {
    precache(this.#context, this.device(name), chunks);
  }

  #end(machine: Machine): void {
    machine.end();
    machine.state = "up";
    this.checks.processEnded(machine);
  }

  /** Kills the agent. @param kind "power": the disk also loses unsynced writes */
  crash(name: string, kind: "process" | "power" = "process"): void {
    const machine = this.device(name);
    if (!machine.process) return;
    this.#note(machine, "crash", kind === "process" ? "the agent is killed" : "power is cut");
    this.#end(machine);
    this.#restarting.delete(machine);
    if (kind === "power") cutPower(machine, this.nowMs);
  }

  /** Calls `run` once, when the next command of the device starts. */
  onCommand(name: string, run: () => void): void {
    this.checks.commands.onStarted(this.device(name), run);
  }

  /** Shuts the agent down: it resigns, releases its lease and closes its cache. */
  stop(name: string): void {
    const machine = this.device(name);
    const { process } = machine;
    if (!process || !machine.isRunning || process.isStopping) return;
    this.#note(machine, "stop", "the agent is shut down");
    this.checks.acts(machine);
    void process.stop().then(
      () => {
        this.#end(machine);
        if (this.#restarting.delete(machine)) this.start(name);
      },
      (error: unknown) => this.checks.crashed(machine, error),
    );
  }

  /** Stops the event loop of the device for `forMs`. The kernel keeps a few datagrams meanwhile. */
  stall(name: string, forMs: number): void {
    const machine = this.device(name);
    if (!machine.isRunning) return;
    this.#note(machine, "stall", `${Math.round(forMs)} ms`);
    machine.freeze("stalled");
    this.clock.at(forMs, () => machine.thaw());
  }

  /**
   * Puts the device to sleep for `forMs`: it neither runs nor receives.
   * @param countsTime whether its monotonic clock counts the sleep
   */
  sleep(name: string, forMs: number, countsTime = true): void {
    const machine = this.device(name);
    if (!machine.isRunning) return;
    this.#note(machine, "sleep", `${Math.round(forMs)} ms`);
    machine.freeze("asleep");
    if (!countsTime) machine.jump(-forMs * machine.clockRate);
    this.clock.at(forMs, () => {
      if (machine.state !== "asleep") return;
      this.#note(machine, "wake");
      machine.thaw();
    });
  }

  /** Pulls the device's cable. Its RESIGN and the release of its lease are lost. */
  leave(name: string): void {
    const machine = this.device(name);
    if (machine.subnet === 0) return;
    this.#note(machine, "leave", `subnet ${machine.subnet}`);
    this.checks.stopsLeading(machine);
    machine.move(0);
    const { process } = machine;
    machine.runNow(() => process?.leaveSubnet("leaves the LAN"));
  }

  /** Plugs the device's cable into a subnet, after pulling it from another one if needed. */
  join(name: string, subnet: number): void {
    const machine = this.device(name);
    if (machine.subnet === subnet) return;
    if (machine.subnet !== 0) this.leave(name);
    machine.move(subnet);
    this.#note(machine, "join", `subnet ${subnet}`);
    machine.runNow(() => machine.process?.arriveOnSubnet());
  }

  /** Sets the device's clocks forward by `byMs`. */
  jump(name: string, byMs: number): void {
    const machine = this.device(name);
    this.#note(machine, "clock", `+${Math.round(byMs)} ms`);
    machine.jump(byMs);
    machine.noteFault();
  }

  /** Fills the device's disk, or frees it again. */
  fillDisk(name: string, isFull: boolean): void {
    const machine = this.device(name);
    this.#note(machine, "disk", isFull ? "is full" : "has room again");
    machine.disk.isFull = isFull;
    machine.noteFault();
  }

  /** Slows the device's disk. @param writeMs duration of each write; 0: writes take no time */
  slowDisk(name: string, writeMs: number): void {
    const machine = this.device(name);
    const pace = writeMs > 0 ? `takes ${Math.round(writeMs)} ms for a write` : "is fast again";
    this.#note(machine, "disk", pace);
    machine.disk.writeMs = writeMs;
    machine.noteFault();
  }

  /** Changes what the device's port carries; null: as much as the ports of others. */
  setPort(name: string, port: Partial<Pick<MachineFaults, "portBps" | "symbolMaxBytes">>): void {
    const machine = this.device(name);
    this.#note(machine, "port", JSON.stringify(port));
    Object.assign(machine.faults, port);
    machine.noteFault();
  }

  /** Flips a bit of a chunk on the device's disk. Does nothing when the device lacks the chunk. */
  flipBit(name: string, chunk: number): void {
    const machine = this.device(name);
    if (machine.process?.held.has(chunk) !== true) return;
    this.#note(machine, "bit flip", `chunk ${chunk}`);
    flipBit(this.#context, machine, chunk);
  }

  /** Changes a file of an incomplete package, as a virus scanner or a clean-up program does. */
  changeFile(name: string, change: ForeignChange): void {
    const machine = this.device(name);
    this.#note(machine, "file change", changeFile(this.#context, machine, change));
  }

  /** Makes the device serve wrong bytes to every device that requests a chunk. */
  turnBad(name: string): void {
    const machine = this.device(name);
    this.#note(machine, "bad peer", "serves wrong bytes");
    machine.faults.servesWrong = () => true;
  }

  /**
   * Prunes the multicast group from the device's port, as a switch with IGMP snooping does.
   * @param what "symbols": control frames still pass
   */
  prune(name: string, what: "all" | "symbols" | "nothing"): void {
    const machine = this.device(name);
    this.#note(machine, "prune", what);
    if (what === "nothing") this.network.pruned.delete(machine.index);
    else this.network.pruned.set(machine.index, what);
    machine.noteFault();
  }

  // ---- faults of the network, the source and the web site --------------------------------------

  /** Cuts a subnet into two parts: the named devices, and all others. */
  partition(subnet: number, ...names: string[]): void {
    this.#noteWorldEvent("partition", `${names.join(" ")} | the others`, subnet);
    const [inside, outside] = [true, false].map((is) =>
      this.machinesOn(subnet).filter((machine) => names.includes(machine.name) === is),
    );
    for (const a of inside!)
      for (const b of outside!) {
        this.network.cut(a, b);
        this.network.cut(b, a);
      }
  }

  /** Cuts one direction between two devices; the other direction works. */
  oneWay(from: string, to: string): void {
    this.#noteWorldEvent("one-way", `nothing passes from ${from} to ${to}`, this.device(from).subnet);
    this.network.cut(this.device(from), this.device(to));
  }

  /** Removes every cut and every pruning. */
  repairNetwork(): void {
    this.#noteWorldEvent("repaired", "every cable and switch");
    this.network.repairAll();
    this.network.pruned.clear();
  }

  /** Changes the conditions of a subnet's multicast. */
  conditions(subnet: number, change: Partial<NetworkConditions>): void {
    const text = Object.entries(change).map(([name, value]) => `${name} ${value}`);
    this.#noteWorldEvent("conditions", text.join(", "), subnet);
    Object.assign(this.network.conditions[subnet]!, change);
  }

  setSource(state: SourceState): void {
    this.#noteWorldEvent("source", state);
    this.source.state = state;
  }

  /** Changes the setting of the task while sessions run. Every running device has it at once. */
  changeSetting(change: Partial<Pick<WorldOptions, "useMulticast" | "pausesDownloads">>): void {
    const text = Object.entries(change).map(([name, value]) => `${name}=${value}`);
    this.#noteWorldEvent("setting", text.join(", "));
    Object.assign(this.options, change);
    for (const { name } of this.machines) this.wake(name);
  }

  /** Cancels the task. Every running device knows it at once. */
  cancel(): void {
    this.#noteWorldEvent("task", "cancelled");
    this.source.hasCancelled = true;
    for (const { name } of this.machines) this.wake(name);
  }

  /** Lets a device take the task as the source has it now. */
  wake(name: string): void {
    const machine = this.device(name);
    const { process } = machine;
    if (!process) return;
    this.checks.acts(machine);
    machine.runNow(() => process.onWake());
  }

  /** Sets the source's clock forward, or back when `byMs` is negative. */
  setSourceClock(byMs: number): void {
    this.#noteWorldEvent("source clock", `${Math.round(byMs)} ms`);
    this.source.clockOffsetMs += byMs;
  }

  setWeb(state: WebState): void {
    this.#noteWorldEvent("web site", state);
    this.source.web = state;
  }

  /** Cuts or restores a subnet's WAN line: to the source and to the web site. */
  setLine(subnet: number, state: "up" | "cut"): void {
    this.#noteWorldEvent("WAN line", state, subnet);
    this.source.cutOff[state === "cut" ? "add" : "delete"](subnet);
  }
}
